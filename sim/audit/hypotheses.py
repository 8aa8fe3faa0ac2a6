"""The paper's hypotheses on masks, weights and pixels, measured in the samples of an audit.

NumPy, SciPy and xarray only; `last` is what `sim.audit.run` returned, at one size.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from scipy import stats

from sim.audit import ratios
from sim.audit.ratios import Measured
from sim.statistics.estimates import LEVEL


@dataclass(frozen=True)
class Node:
    """H5 for one array of weights."""

    array: str
    end: str
    """"output" or "input"."""
    correlation: Measured
    """Mean (Σw)²/Σw² over the weights of one of its outputs, or inputs; z against 1."""


@dataclass(frozen=True)
class Hypotheses:
    """What is asked of the network as it is; H1 and H3 are in the table of places."""

    variance: dict[str, Measured]
    """Mean square of each array of weights; no z."""
    between: Measured | None
    """H4: the largest correlation between sums of two arrays over seeds, and its z."""
    nodes: list[Node]
    border: Measured
    """S: energy of a pixel at the border over that of one inside; z against 1."""
    border_independent: Measured
    """The same under gradient independence."""
    uneven: float
    """S: relative spread of E g² over pixels, noise taken off."""
    uneven_independent: float
    """The same under gradient independence."""
    gaussian: Measured
    """E|g| / √(E g²) / √(2/π); z against 1."""
    nonzero: Measured
    """The share of coordinates of the gradient that are not zero; z against 1."""


def measured(last: xr.Dataset) -> Hypotheses:
    """What the samples at one size say about every hypothesis."""
    arrays = [str(name) for name in last["array"].values]
    maps, independent = (_inside(last[name].values) for name in ("map", "independent_map"))
    return Hypotheses(
        variance={name: ratios.mean(last["square"].sel(array=name).values) for name in arrays},
        between=_between(last["sum"].values),
        nodes=[
            Node(name, str(end), ratios.mean(last["node"].sel(array=name, end=end).values, 1.0))
            for name in arrays
            for end in last["end"].values
        ],
        border=_border(maps),
        border_independent=_border(independent),
        uneven=_unevenness(maps),
        uneven_independent=_unevenness(independent),
        gaussian=ratios.mean(last["gaussian"].values, 1.0),
        nonzero=ratios.mean(last["nonzero"].values, 1.0),
    )


def _inside(maps: np.ndarray) -> np.ndarray:
    """Maps (seeds, y, x) have NaN beyond their side."""
    side = int(np.sum(np.isfinite(maps[0, :, 0])))
    return maps[:, :side, :side]


def _border(maps: np.ndarray) -> Measured:
    if maps.shape[-1] < 3:
        return Measured(1.0, (1.0, 1.0), 0.0)
    edge = np.ones(maps.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    return ratios.ratio(maps[:, edge].mean(axis=1), maps[:, ~edge].mean(axis=1))


def _unevenness(maps: np.ndarray) -> float:
    """The spread of the expected map: the covariance over pixels of two halves' mean maps."""
    if not np.any(maps):
        return 0.0
    halves = [maps[i::2].mean(axis=0).ravel() for i in range(2)]
    a, b = (half - half.mean() for half in halves)
    return float(np.sqrt(max(0.0, np.mean(a * b))) / maps.mean())


def _between(sums: np.ndarray) -> Measured | None:
    """The largest of all correlations over seeds between two arrays' sums, and its z.

    The p-value of the largest is multiplied by the number of pairs (Bonferroni).
    """
    n = sums.shape[1]
    varied = [row for row in sums if np.std(row) > 0]
    pairs = list(combinations(range(len(varied)), 2))
    if not pairs or n < 4:
        return None
    table = np.corrcoef(np.array(varied))
    largest = max((table[i, j] for i, j in pairs), key=abs)
    largest = float(np.clip(largest, -1 + 1e-12, 1 - 1e-12))
    half = stats.norm.ppf((1 + LEVEL) / 2) / np.sqrt(n - 3)
    low, high = (float(np.tanh(np.arctanh(largest) + sign * half)) for sign in (-1, 1))
    p = min(1.0, len(pairs) * 2 * stats.norm.sf(abs(np.arctanh(largest)) * np.sqrt(n - 3)))
    return Measured(largest, (low, high), float(stats.norm.isf(p / 2)))
