"""Exponents with intervals, and whether a measurement agrees with its law. NumPy and SciPy only.

Common random numbers correlate the sizes of one seed, so nothing here treats them as independent:
every interval comes from the spread over seeds, which are independent.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

LEVEL = 0.95
"""Coverage of every interval."""

FALSE_ALARM = 0.01
"""Probability that a report whose laws all hold shows any contradiction (Bonferroni)."""


@dataclass(frozen=True)
class Slope:
    """An exponent of d with its standard error and 95 % interval (Student's t over seeds)."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    seeds: int
    degrees: int
    """Degrees of freedom of the standard error."""

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.interval[1] - self.interval[0]) / 2


@dataclass(frozen=True)
class Fit:
    """The growth of one norm with d in one network, measured and predicted."""

    arch: str
    width: int
    quantity: str
    q: str
    exponent: Slope
    """Of the mean norm: least-squares slope of log E‖∂‖_q on log d."""
    log_exponent: Slope
    """Of the geometric mean: mean over seeds of the slope of log‖∂‖_q. Zero norms are left out."""
    predicted: float | None
    """The law's slope over the same sizes."""
    limit: float | None
    """The law's exponent as d → ∞."""
    basis: str
    agrees: bool | None
    """False if the measurement contradicts the law; None if there is no prediction."""

    @property
    def attack_exponent(self) -> float:
        """Of ε_p‖∂‖_q for the dual p at a constant change per pixel, ε_p ∝ d^{1/p}: 1/p more."""
        return self.exponent.value + (1 - 1 / float(self.q))


@dataclass(frozen=True)
class Point:
    """The mean norm at one size, with its standard error over seeds."""

    arch: str
    width: int
    size: int
    d: int
    quantity: str
    q: str
    mean: float
    sem: float
    predicted: float | None
    hypothesis_h: float | None
    """What the paper's hypotheses alone predict, where the prediction rests on more."""
    seeds: int
    """Seeds with a finite norm, which alone enter the mean."""


def slope_weights(ds: Float[np.ndarray, " sizes"]) -> Float[np.ndarray, " sizes"]:
    """w with Σ w_j y_j the least-squares slope of y on log d."""
    x = np.log(np.asarray(ds, float))
    x = x - x.mean()
    return x / np.sum(x**2)


def exponent(
    norms: Float[np.ndarray, "seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    pilot: int | None = None,
) -> Slope:
    """The exponent of the mean norm: slope of log(mean over seeds) on log d.

    The standard error is that of Σ_j w_j ‖∂‖_sj / mean_j over seeds s, the linearized slope, in
    which correlations between sizes are contained. Rows must be finite; NaN if fewer than two
    seeds have a norm other than zero at some size, since one seed alone shows no spread.

    If the first `pilot` seeds decided how many there are (`seeds_needed`), the spread is theirs
    alone and the interval has their degrees of freedom.
    """
    weights = slope_weights(ds)
    first = norms[:pilot]
    if np.any(np.count_nonzero(first, axis=0) < 2):
        return _undefined(len(norms))
    value = float(weights @ np.log(norms.mean(axis=0)))
    return _slope(value, first / first.mean(axis=0) @ weights, len(norms))


def log_exponent(
    norms: Float[np.ndarray, "seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    pilot: int | None = None,
) -> Slope:
    """The exponent of the geometric mean norm: the mean of the slopes of the single seeds.

    Seeds with a zero norm (all units dead at some size) have no slope and are left out. `pilot` as
    in `exponent`.
    """
    is_alive = np.all(norms > 0, axis=1)
    alive, first = norms[is_alive], int(is_alive[:pilot].sum())
    if first < 2:
        return _undefined(len(alive))
    slopes = np.log(alive) @ slope_weights(ds)
    return _slope(float(slopes.mean()), slopes[:first], len(alive))


def _slope(value: float, terms: np.ndarray, seeds: int) -> Slope:
    """The interval of a mean over `seeds` seeds whose spread is that of `terms`."""
    error = float(terms.std(ddof=1) / np.sqrt(seeds))
    half = _quantile(len(terms) - 1) * error
    return Slope(value, error, (value - half, value + half), seeds, len(terms) - 1)


def _quantile(degrees: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, degrees))


def _undefined(seeds: int) -> Slope:
    return Slope(np.nan, np.nan, (np.nan, np.nan), seeds, 0)


def seeds_needed(pilot: Slope, half_width: float) -> int:
    """How many seeds in all give the exponent an interval of at most that half-width.

    Stein's two stages: the number N = ⌈(t s / half-width)²⌉ depends on the spread s of the pilot's
    seeds alone, and the interval t s / √N uses that same s, with the pilot's degrees of freedom.
    The mean of normal terms is independent of s, so the interval covers with 95 %, which it would
    not if sampling stopped as soon as an ordinary interval happened to be narrow. (C. Stein, A
    two-sample test for a linear hypothesis whose power is independent of the variance, Annals of
    Mathematical Statistics 16, 1945.) The same N for several exponents, the largest, keeps this.
    At least the pilot's seeds; no more than those if the pilot has no exponent.
    """
    if not np.isfinite(pilot.standard_error):
        return pilot.seeds
    # a little more, so that rounding does not leave the interval wider than asked for
    needed = pilot.seeds * (pilot.half_width / half_width) ** 2 * (1 + 1e-9)
    return max(pilot.seeds, int(np.ceil(needed)))


def agrees(measured: Slope, predicted: float | None, comparisons: int) -> bool | None:
    """Whether a measured slope is compatible with the predicted one.

    Two-sided t test at level FALSE_ALARM / comparisons; None without a prediction or measurement.
    """
    if predicted is None or not np.isfinite(measured.value):
        return None
    allowed = stats.t.ppf(1 - FALSE_ALARM / comparisons / 2, measured.degrees)
    # rounding alone separates slopes that have no spread at all
    rounding = 1e-6
    return bool(abs(measured.value - predicted) <= allowed * measured.standard_error + rounding)


def fit(samples: xr.Dataset) -> list[Fit]:
    """The exponent of every norm in the samples of a scaling run, set against its law.

    `samples` is what `sim.scaling.run` returns: norms by (seed, width, size, quantity, q) and the
    predictions. Seeds whose norm is not finite at some size are left out of that fit; `nonfinite`
    counts them. The attribute `pilot`, if there is one, is the number of seeds of the first stage.
    """
    ds = samples["d"].values.astype(float)
    found = []
    limits = _by_network(samples, "limit")
    slopes = _by_network(samples, "predicted_slope")
    for key, norms in _by_network(samples, "norm").items():
        width, quantity, q = key
        rows = norms.transpose("seed", "size").values
        finite = np.all(np.isfinite(rows), axis=1)
        first = int(finite[: samples.attrs.get("pilot")].sum())
        rows = rows[finite]
        basis = str(samples["basis"].sel(width=width, quantity=quantity, q=q).item())
        found.append(
            (
                (width, quantity, q, basis),
                exponent(rows, ds, first),
                log_exponent(rows, ds, first),
                _number(slopes[key].item()),
                _number(limits[key].item()),
            )
        )
    comparisons = max(1, sum(predicted is not None for *_, predicted, _ in found))
    return [
        Fit(
            arch=str(samples.attrs["arch"]),
            width=width,
            quantity=quantity,
            q=q,
            basis=basis,
            exponent=mean,
            log_exponent=log_mean,
            predicted=predicted,
            limit=limit,
            agrees=agrees(mean, predicted, comparisons),
        )
        for (width, quantity, q, basis), mean, log_mean, predicted, limit in found
    ]


def points(samples: xr.Dataset) -> list[Point]:
    """The mean norm at every size, with standard errors and predictions."""
    found = []
    predicted = _by_network(samples, "predicted")
    hypothesis_h = _by_network(samples, "hypothesis-H")
    for (width, quantity, q), norms in _by_network(samples, "norm").items():
        for size in samples["size"].values:
            values = norms.sel(size=size).values
            values = values[np.isfinite(values)]
            n = len(values)
            found.append(
                Point(
                    arch=samples.attrs["arch"],
                    width=width,
                    size=int(size),
                    d=int(samples["d"].sel(size=size)),
                    quantity=quantity,
                    q=q,
                    mean=float(values.mean()) if n else np.nan,
                    sem=float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan,
                    predicted=_number(predicted[width, quantity, q].sel(size=size).item()),
                    hypothesis_h=_number(hypothesis_h[width, quantity, q].sel(size=size).item()),
                    seeds=n,
                )
            )
    return found


def nonfinite(samples: xr.Dataset) -> int:
    """How many samples are infinite or not a number."""
    return int((~np.isfinite(samples["norm"])).sum())


def dead(samples: xr.Dataset) -> int:
    """How many samples are exactly zero: networks whose units are all inactive."""
    return int(((samples["norm"] == 0) & ~np.signbit(samples["norm"])).sum())


def underflown(samples: xr.Dataset) -> int:
    """How many samples are −0: norms below the range of float64 (`sim.gradients.numbers`)."""
    return int(((samples["norm"] == 0) & np.signbit(samples["norm"])).sum())


def _by_network(samples: xr.Dataset, name: str) -> dict[tuple[int, str, str], xr.DataArray]:
    return {
        (int(w), str(k), str(q)): samples[name].sel(width=w, quantity=k, q=q)
        for k in samples["quantity"].values
        for q in samples["q"].values
        for w in samples["width"].values
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
