"""Where first order holds: damage over first-order damage, its range, its growth with d.

NumPy and SciPy only. Sizes and norms of one seed share their random numbers, so every interval
comes from the spread over seeds, which are independent.
"""

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from sim import statistics
from sim.statistics import FALSE_ALARM, LEVEL, Expected, Slope


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its 95 % interval (Student's t over seeds)."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    seeds: int

    def allows(self, value: float | int, comparisons: int) -> bool:
        """Whether a t test at level FALSE_ALARM / comparisons is compatible with that value."""
        allowed = stats.t.ppf(1 - FALSE_ALARM / comparisons / 2, self.seeds - 1)
        return bool(abs(self.value - value) <= allowed * self.standard_error)

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.interval[1] - self.interval[0]) / 2


@dataclass(frozen=True)
class Reach:
    """The largest ε_∞ up to which first order holds, with its 95 % interval.

    0 means less than the smallest ε_∞ tried, infinity more than the largest.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One attack of one size on one network."""

    width: int
    size: int
    d: int
    p: str
    eps: float
    attack: str
    damage: float
    """Mean increase of the loss."""
    first_order: float
    """Mean ε_p ‖∂_x L‖_q."""
    ratio: Ratio
    """Of the two."""
    second_order: float
    """What the ratio is to second order for the attack of one step, kinks left out."""
    vulnerability: float
    """Mean increase of the 0–1 loss."""
    vulnerability_sem: float
    seeds: int


@dataclass(frozen=True)
class Growth:
    """An exponent in d: of ε_p ‖∂_x L‖_q (attack "first-order", eps None) or of a damage."""

    width: int
    p: str
    attack: str
    eps: float | None
    exponent: Slope
    expected: Expected | None
    """The law's slope over the same sizes; None for damages, which it does not speak about."""
    limit: float | None
    basis: str
    agrees: bool | None

    @property
    def predicted(self) -> float | None:
        """The law's slope; random where its standard error is not 0."""
        return None if self.expected is None else self.expected.value


@dataclass(frozen=True)
class Vulnerability:
    """The exponent in d of E[Δ 0–1 loss], the increase of the 0–1 loss by one attack."""

    width: int
    p: str
    attack: str
    eps: float
    exponent: Slope
    """NaN where no input was fooled at some size: zero has no logarithm."""
    zero_at: tuple[int, ...]
    """The sizes at which none was."""
    fewest: int
    """Inputs fooled at the size with the fewest of them, of all seeds together; the interval means
    little if they are less than about ten."""


@dataclass(frozen=True)
class Range:
    """How far first order holds for the attack of one step on one network at one size."""

    width: int
    size: int
    d: int
    p: str
    reach: Reach


def ratio(above: Float[np.ndarray, " seeds"], below: Float[np.ndarray, " seeds"]) -> Ratio:
    """mean(above) / mean(below); the standard error is that of the linearized ratio."""
    n = len(above)
    if n < 2 or not below.mean() > 0:
        return Ratio(np.nan, np.nan, (np.nan, np.nan), n)
    value = float(above.mean() / below.mean())
    error = float(((above - value * below) / below.mean()).std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    return Ratio(value, error, (value - half, value + half), n)


def reach(ratios: list[Ratio], eps: list[float], within: float) -> Reach:
    """Up to where |ratio − 1| ≤ within, by interpolation in log ε; `eps` in increasing order.

    The interval has the ε at which the ratio's own interval has room for 1 ± within.
    """
    off = np.array([abs(r.value - 1) for r in ratios])
    half = np.array([r.half_width for r in ratios])
    low, value, high = (_crossing(line, eps, within) for line in (off + half, off, off - half))
    return Reach(value, (low, high))


def _crossing(line: Float[np.ndarray, " eps"], eps: list[float], level: float) -> float:
    above = np.flatnonzero(~(line <= level))
    if len(above) == 0:
        return float("inf")
    i = int(above[0])
    if i == 0:
        return 0.0
    share = (level - line[i - 1]) / (line[i] - line[i - 1])
    return float(np.exp(np.log(eps[i - 1]) + share * np.log(eps[i] / eps[i - 1])))


def points(samples: xr.Dataset) -> list[Point]:
    """Every attack in what `sim.vulnerability.run` returned, PGD left out where it is unknown."""
    found = []
    for width, size, p in _each(samples, "width", "size", "p"):
        at = samples.sel(width=width, size=size, p=p)
        d = int(at["d"])
        norm, curvature = at["norm"].values, at["curvature"].values
        for attack, eps in _each(samples, "attack", "eps"):
            here = at.sel(attack=attack, eps=eps)
            damage, fooled = here["damage"].values, here["fooled"].values
            finite = np.isfinite(damage) & np.isfinite(norm)
            if np.isnan(damage).all():
                continue
            radius = eps * d ** (1 / float(p))
            first = radius * norm[finite]
            found.append(
                Point(
                    width=width,
                    size=size,
                    d=d,
                    p=p,
                    eps=eps,
                    attack=attack,
                    damage=_mean(damage[finite]),
                    first_order=_mean(first),
                    ratio=ratio(damage[finite], first),
                    second_order=1 + radius / 2 * _mean(curvature[finite]) / _mean(norm[finite]),
                    vulnerability=_mean(fooled[finite]),
                    vulnerability_sem=_error(fooled[finite]),
                    seeds=int(finite.sum()),
                )
            )
    return found


def ranges(samples: xr.Dataset, within: float) -> list[Range]:
    """How far first order holds for the attack of one step, at every width, size and norm."""
    rows: dict[tuple[int, int, int, str], list[Point]] = {}
    for point in points(samples):
        if point.attack == "step":
            rows.setdefault((point.width, point.size, point.d, point.p), []).append(point)
    return [
        Range(*key, reach([point.ratio for point in row], [point.eps for point in row], within))
        for key, row in rows.items()
    ]


def growths(samples: xr.Dataset) -> list[Growth]:
    """How ε_p ‖∂_x L‖_q and the damages grow with d, at every width and norm."""
    ds = samples["d"].values.astype(float)
    comparisons = max(1, int(np.isfinite(samples["predicted_slope"]).sum()))
    found = []
    for width, p in _each(samples, "width", "p"):
        at = samples.sel(width=width, p=p)
        predicted = statistics.expected(samples, "predicted_slope", width=width, p=p)
        limit = _number(at["limit"].item())
        basis = str(at["basis"].item())
        first = (at["norm"] * at["d"] ** (1 / float(p))).transpose("seed", "size").values
        slope = exponent(first, ds)
        agrees = statistics.agrees(slope, predicted, comparisons)
        found.append(Growth(width, p, "first-order", None, slope, predicted, limit, basis, agrees))
        for attack, eps in _each(samples, "attack", "eps"):
            damage = at["damage"].sel(attack=attack, eps=eps).transpose("seed", "size").values
            if not np.isnan(damage).all():
                slope = exponent(damage, ds)
                found.append(Growth(width, p, attack, eps, slope, None, limit, basis, None))
    return found


def vulnerabilities(samples: xr.Dataset) -> list[Vulnerability]:
    """How the vulnerability to every attack that fools some input grows with d."""
    ds, sizes = samples["d"].values.astype(float), samples["size"].values
    inputs = json.loads(samples.attrs["config"])["inputs_per_seed"]
    found = []
    for width, p, attack, eps in _each(samples, "width", "p", "attack", "eps"):
        at = samples["fooled"].sel(width=width, p=p, attack=attack, eps=eps)
        rows = at.transpose("seed", "size").values
        if not np.nansum(rows) > 0:
            continue
        counts = np.nansum(rows, axis=0) * inputs
        zero = tuple(int(size) for size in sizes[counts == 0])
        fewest = round(float(counts.min()))
        found.append(Vulnerability(width, p, attack, eps, exponent(rows, ds), zero, fewest))
    return found


def nonfinite(samples: xr.Dataset) -> int:
    """How many damages of the attack of one step, which is made for every p, are not finite."""
    return int((~np.isfinite(samples["damage"].sel(attack="step"))).sum())


def exponent(rows: Float[np.ndarray, "seeds sizes"], ds: np.ndarray) -> Slope:
    """`sim.statistics.exponent` of the seeds that are finite; NaN where a mean is not positive."""
    finite = rows[np.all(np.isfinite(rows), axis=1)].astype(float)
    if not _has_logarithm(finite):
        return _undefined(finite)
    return statistics.exponent(finite, ds)


def exponent_difference(
    rows: Float[np.ndarray, "seeds sizes"],
    others: Float[np.ndarray, "seeds sizes"],
    ds: np.ndarray,
) -> Slope:
    """`sim.statistics.exponent_difference` of the seeds that are finite in both, as `exponent`."""
    finite = np.all(np.isfinite(rows) & np.isfinite(others), axis=1)
    first, second = rows[finite].astype(float), others[finite].astype(float)
    if not (_has_logarithm(first) and _has_logarithm(second)):
        return _undefined(first)
    return statistics.exponent_difference(first, second, ds)


def _has_logarithm(rows: np.ndarray) -> bool:
    return len(rows) >= 2 and bool(np.all(rows.mean(axis=0) > 0))


def _undefined(rows: np.ndarray) -> Slope:
    return Slope(np.nan, np.nan, (np.nan, np.nan), len(rows), 0)


def _each(samples: xr.Dataset, *names: str) -> list[tuple]:
    grid = np.meshgrid(*(np.arange(samples.sizes[name]) for name in names), indexing="ij")
    labels = [samples[name].values for name in names]
    return [
        tuple(label[i].item() for label, i in zip(labels, place, strict=True))
        for place in zip(*(axis.ravel() for axis in grid), strict=True)
    ]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
