"""What an audit finds: intervals, z-scores, and which reason accounts for how much of a gap.

NumPy, SciPy and xarray only; `samples` is always what `sim.audit.run` returned.
"""

import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from sim import intervals
from sim.statistics import FALSE_ALARM, LEVEL, ROUNDING

SAFE = 0.05
"""An exponent that moves by less than this over the sizes of an audit is called safe."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and z: its distance from what the hypothesis asks, in
    standard errors and corrected for skewness (NaN where nothing is asked)."""

    value: float
    interval: tuple[float, float]
    z: float = float("nan")


@dataclass(frozen=True)
class Layer:
    """One row at the largest size."""

    name: str
    kind: str
    where: str
    rests: str
    reason: str
    predicted: float
    """κ by the law, given the energies measured behind the layer."""
    paper: float
    """κ by the paper's hypotheses alone; NaN where they say nothing."""
    measured: Estimate
    """κ, and its z-score against `predicted`."""
    active: Estimate | None
    """Share of active units, z against 1/2."""
    dependence: Estimate | None
    """Share of the energy that a ReLU passes over the share of its units that are active: 1 where
    masks are independent of the weights."""
    excess: float
    """Share of the logarithm of measured over predicted ‖∂_x f_k‖_2² that comes from here."""
    differs: bool
    """Whether the z-score is beyond what 1 % of audits show in any row if the law holds."""


@dataclass(frozen=True)
class Findings:
    """What an audit says."""

    arch: str
    basis: str
    sizes: list[int]
    layers: list[Layer]
    total: list[Estimate]
    """E‖∂_x f_k‖_2² over the law's, by size; z against 1."""
    total_paper: float
    """The law's over that of the paper's hypotheses, at the largest size; NaN if they say nothing.
    """
    exponent: Estimate
    """Exponent of d in measured over predicted root mean square norm; z against 0."""
    coordinates: Estimate
    """The same of mean |g| over root mean square: what it adds to the exponent of ‖∂_x f_k‖_1."""
    gaussian: Estimate
    """mean |g| / √(mean g²) / √(2/π) at the largest size; z against 1."""
    nonzero: Estimate
    border: Estimate
    """Energy of a pixel at the border over that of one inside, z against the prediction."""
    border_predicted: float
    uneven: float
    """Relative spread of E g² over pixels, noise taken off."""
    uneven_predicted: float
    variance: list[tuple[str, Estimate]]
    """Σ of the mean squares of each array of weights; no z."""
    correlations: list[tuple[str, str, Estimate]]
    """H5: (array, end, mean (Σw)²/Σw² over the weights of one node), z against 1."""
    between: Estimate | None
    """H4: the largest correlation between sums of two arrays over seeds, and its z."""
    reasons: dict[str, Estimate]
    """By reason, the factor between measured and predicted ‖∂_x f_k‖_2² that its layers make, where
    it differs from 1: all layers that it could concern taken together, z that of its logarithm."""
    bound: float
    """The |z| beyond which something differs."""

    @property
    def safe(self) -> bool | None:
        """Whether gap and coordinates move no exponent by more than `SAFE`; None: too few seeds."""
        moved = (self.exponent, self.coordinates)
        if all(-SAFE < end < SAFE for estimate in moved for end in estimate.interval):
            return True
        if any(e.interval[0] > 0 or e.interval[1] < 0 for e in moved if abs(e.value) > SAFE):
            return False
        return None


def of(samples: xr.Dataset) -> Findings:
    """The findings of an audit."""
    last = samples.isel(size=-1)
    arrived, expected = last["arrived"].values, last["expected"].values
    bound = float(intervals.quantile(1 - FALSE_ALARM / max(1, len(arrived)), _degrees(samples)))
    logs = np.log(_ratio_of_means(arrived, expected))
    layers = [_layer(last, i, logs[i] * float(last["flow"][i]), bound) for i in range(len(logs))]
    totals = json.loads(samples.attrs["total"])
    energies = samples["energy"].values
    total = [_mean(e / t, 1.0) for e, t in zip(energies, totals, strict=True)]
    ds = samples["d"].values.astype(float)
    roots = (energies / np.array(totals)[:, None]).T
    border, border_predicted = _border(last)
    return Findings(
        arch=str(samples.attrs["arch"]),
        basis=str(samples.attrs["basis"]),
        sizes=[int(size) for size in samples["size"].values],
        layers=layers,
        total=total,
        total_paper=_paper(last),
        exponent=_slope(roots, ds, 0.5),
        coordinates=_slope(samples["gaussian"].values.T, ds, 1.0),
        gaussian=_mean(last["gaussian"].values, 1.0),
        nonzero=_mean(last["nonzero"].values, 1.0),
        border=border,
        border_predicted=border_predicted,
        uneven=_unevenness(last["map"].values),
        uneven_predicted=_spread(_inside(last["predicted_map"].values)),
        variance=[
            (str(leaf), _mean(last["square"].sel(leaf=leaf).values, np.nan))
            for leaf in samples["leaf"].values
        ],
        correlations=[
            (str(leaf), str(end), _mean(last["node"].sel(leaf=leaf, end=end).values, 1.0))
            for leaf in samples["leaf"].values
            for end in samples["end"].values
        ],
        between=_between(last["sum"].values),
        reasons=_reasons(last, layers),
        bound=bound,
    )


def _degrees(samples: xr.Dataset) -> int:
    return samples.sizes["seed"] - 1


def _ratio_of_means(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Mean over mean along the last axis, 1 where both are zero."""
    top, bottom = above.mean(axis=-1), below.mean(axis=-1)
    return np.divide(top, bottom, out=np.ones_like(top), where=(top > 0) & (bottom > 0))


def _mean(values: np.ndarray, asked: float) -> Estimate:
    mean, error, skewness = intervals.mean_and_spread(values)
    ends = intervals.mean_interval(mean, error, skewness, len(values), LEVEL)
    low, high = (float(end) for end in ends)
    return Estimate(float(mean), (low, high), _z(mean - asked, error, skewness, len(values), asked))


def _z(deviation: Any, error: Any, skewness: Any, seeds: int, unit: float) -> float:
    """Student's t of a mean, corrected for skewness (`sim.intervals.transformed`)."""
    if not np.isfinite(deviation):
        return float("nan")
    if abs(deviation) <= ROUNDING * abs(unit) or error == 0:
        return 0.0 if abs(deviation) <= ROUNDING * abs(unit) else float(np.inf * deviation)
    return float(intervals.transformed(deviation / error, skewness, seeds))


def _ratio(above: np.ndarray, below: np.ndarray) -> Estimate:
    """A ratio of means, its interval from the jackknife of its logarithm; no z."""
    n, top, bottom = len(above), above.mean(), below.mean()
    if top == 0 or bottom == 0:
        return Estimate(float(top), (float(top), float(top)))
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.log1p(-above / (n * top)) - np.log1p(-below / (n * bottom))
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    half = float(intervals.quantile(LEVEL, n - 1) * error)
    value = float(top / bottom)
    return Estimate(value, (value * np.exp(-half), value * np.exp(half)))


def _layer(last: xr.Dataset, i: int, excess: float, bound: float) -> Layer:
    row = last.isel(row=i)
    arrived, expected, left = (row[name].values for name in ("arrived", "expected", "left"))
    measured = _ratio(arrived, left)
    off, error, skewness = intervals.mean_and_spread(arrived - expected)
    z = _z(float(off), float(error), float(skewness), len(arrived), float(expected.mean()))
    active, dependence = None, None
    if np.all(np.isfinite(row["active"].values)):
        share = row["active"].values
        active = _mean(share, 0.5)
        dependence = _ratio(arrived, left * share)
    predicted = float(_ratio_of_means(expected, left))
    texts = {name: str(row[name].values) for name in ("name", "kind", "where", "rests", "reason")}
    return Layer(
        **texts,
        predicted=predicted,
        paper=predicted * float(row["paper"]),
        measured=Estimate(measured.value, measured.interval, z),
        active=active,
        dependence=dependence,
        excess=float(excess),
        differs=bool(abs(z) > bound),
    )


def _reasons(last: xr.Dataset, layers: list[Layer]) -> dict[str, Estimate]:
    """The factor of every reason that differs from 1, by the jackknife of its logarithm."""
    arrived, expected = last["arrived"].values, last["expected"].values
    names = list(dict.fromkeys(layer.reason for layer in layers))
    n, found = arrived.shape[1], {}
    bound = float(intervals.quantile(1 - FALSE_ALARM / max(1, len(names)), n - 1))
    for name in names:
        mine = [i for i, layer in enumerate(layers) if layer.reason == name]
        weights = last["flow"].values[mine]
        above, below = arrived[mine], expected[mine]
        alive = (above.mean(axis=1) > 0) & (below.mean(axis=1) > 0)
        above, below, weights = above[alive], below[alive], weights[alive]
        value = float(weights @ np.log(_ratio_of_means(above, below)))
        top, bottom = (x / (n * x.mean(axis=1, keepdims=True)) for x in (above, below))
        with np.errstate(divide="ignore", invalid="ignore"):
            without = weights @ (np.log1p(-top) - np.log1p(-bottom))
        error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
        z = value / error if abs(value) > ROUNDING else 0.0
        if abs(z) > bound or any(layers[i].differs for i in mine):
            half = float(intervals.quantile(LEVEL, n - 1)) * error
            ends = float(np.exp(value - half)), float(np.exp(value + half))
            found[name] = Estimate(float(np.exp(value)), ends, z)
    return found


def _paper(last: xr.Dataset) -> float:
    """The law's total over hypothesis H's: gains multiply along the rows that all energy passes."""
    factors, flow = last["paper"].values, last["flow"].values
    return float(np.exp(-np.sum(flow * np.log(factors))))


def _slope(values: np.ndarray, ds: np.ndarray, power: float) -> Estimate:
    """The exponent of d in mean(values)^power, values by (seed, size)."""
    value, error = intervals.exponent(values, ds)
    value, error = float(value) * power, float(error) * power
    half = float(intervals.quantile(LEVEL, len(values) - 1)) * error
    z = value / error if error > 0 else 0.0
    if abs(value) < ROUNDING:
        return Estimate(value, (min(value, 0.0), max(value, 0.0)), 0.0)
    return Estimate(value, (value - half, value + half), z)


def _inside(image: np.ndarray) -> np.ndarray:
    """Maps have NaN beyond their side."""
    side = int(np.sum(np.isfinite(image[..., 0].reshape(-1, image.shape[-2])[0])))
    return image[..., :side, :side]


def _border(last: xr.Dataset) -> tuple[Estimate, float]:
    maps, predicted = _inside(last["map"].values), _inside(last["predicted_map"].values)
    if maps.shape[-1] < 3:
        return Estimate(1.0, (1.0, 1.0), 0.0), 1.0
    edge = np.ones(predicted.shape, bool)
    edge[1:-1, 1:-1] = False
    expected = float(predicted[edge].mean() / predicted[~edge].mean())
    above, below = maps[:, edge].mean(axis=1), maps[:, ~edge].mean(axis=1)
    found = _ratio(above, below)
    off, error, skewness = intervals.mean_and_spread(above - expected * below)
    z = _z(float(off), float(error), float(skewness), len(above), float(above.mean()))
    return Estimate(found.value, found.interval, z), expected


def _spread(image: np.ndarray) -> float:
    return float(np.std(image) / np.mean(image)) if np.any(image) else 0.0


def _unevenness(maps: np.ndarray) -> float:
    """The spread of the expected map: the covariance over pixels of two halves' mean maps."""
    maps = _inside(maps)
    halves = [maps[i::2].mean(axis=0).ravel() for i in range(2)]
    if not np.any(maps):
        return 0.0
    (a, b), mean = (half - half.mean() for half in halves), maps.mean()
    return float(np.sqrt(max(0.0, np.mean(a * b))) / mean)


def _between(sums: np.ndarray) -> Estimate | None:
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
    ends = tuple(float(np.tanh(np.arctanh(largest) + s * half)) for s in (-1, 1))
    p = min(1.0, len(pairs) * 2 * stats.norm.sf(abs(np.arctanh(largest)) * np.sqrt(n - 3)))
    return Estimate(largest, (ends[0], ends[1]), float(stats.norm.isf(p / 2)))


def sentence(found: Findings) -> str:
    """What accounts for the gap between predicted and measured constant, and is the exponent safe.

    One or two sentences.
    """
    total, side = found.total[-1], found.sizes[-1]
    low, high = total.interval
    size = f"{total.value:.3f} [{low:.3f}, {high:.3f}]"
    first = f"at side {side}, E‖∂f‖₂² is {size} times the law's"
    if found.reasons:
        parts = sorted(found.reasons.items(), key=lambda item: -abs(np.log(item[1].value)))
        named = ", ".join(
            f"{reason} (× {part.value:.3f} [{part.interval[0]:.3f}, {part.interval[1]:.3f}])"
            for reason, part in parts
        )
        first += f"; what accounts for it: {named}"
    else:
        first += ": no gap" if abs(total.z) <= found.bound else ", and no layer differs by itself"
    if np.isfinite(found.total_paper) and abs(found.total_paper - 1) > 0.005:
        first += (
            f". The paper's hypotheses alone would miss another factor {found.total_paper:.3f}, "
            "which the law takes from the wide limit: a residual stream that has been through an "
            "activation"
        )
    return f"{found.arch}: {first}. {_exponent_sentence(found)}"


def _exponent_sentence(found: Findings) -> str:
    def text(estimate: Estimate) -> str:
        half = (estimate.interval[1] - estimate.interval[0]) / 2
        return f"{estimate.value:+.3f} ± {half:.3f}"

    moved = (
        f"over these sizes the gap adds {text(found.exponent)} to it, and the shape of the "
        f"coordinates {text(found.coordinates)} to that of the ℓ₁ norm"
    )
    if found.safe is None:
        return f"Whether the exponent is safe needs more seeds: {moved}."
    return f"The exponent is {'safe' if found.safe else 'not safe'}: {moved}."
