"""Exponents with intervals, and whether a measurement agrees with its law. NumPy and SciPy only.

Common random numbers correlate the sizes of one seed, so nothing here treats them as independent:
every interval comes from the spread over seeds, which are independent. The methods are in
`sim.intervals`; docs/calibration.md says how often they cover, raise a false alarm and find a
violation.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from scipy import stats

from sim import intervals
from sim.intervals import Estimate, slope_weights

LEVEL = 0.95
"""Coverage of every interval."""

FALSE_ALARM = 0.01
"""Probability that a report whose laws all hold shows any contradiction (Bonferroni)."""

FEWEST_SEEDS = 16
"""Of a `Fit` that is `reliable`: fewer show too little of the tail of their norms."""

LARGEST_SKEWNESS = 0.3
"""Of a `Fit` that is `reliable`: skewness of one norm / √seeds, at any size."""

ROUNDING = 1e-6
"""What rounding alone may put between a measurement without spread and its prediction."""

OFF = 0.03
"""Part by which a norm may miss its prediction before a report says so in words.

A norm is off where, at some size, the 95 % interval of measured over predicted lies wholly beyond
1 ± OFF: so that a wrong constant is told at once and one known to be approximate is not."""

SECOND_STAGE = 0.01
"""Probability that the second of two stages is found to vary more than the first if it does not."""


@dataclass(frozen=True)
class Slope:
    """An exponent of d with its standard error and 95 % interval (Student's t over seeds)."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    seeds: int
    degrees: float | int
    """Degrees of freedom of the standard error."""

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.interval[1] - self.interval[0]) / 2


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its standard error and 95 % interval.

    The interval is Hall's (`sim.intervals.transformed`), which allows for the skewness of the
    norms and is longer on the side of the larger ones.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    seeds: int
    skewness: float
    """Of one seed's norm."""

    def over(self, unit: float) -> "Mean":
        """The ratio to a number that is known."""
        low, high = (end / unit for end in self.interval)
        ratio, error = self.value / unit, self.standard_error / unit
        return Mean(ratio, error, (low, high), self.seeds, self.skewness)


@dataclass(frozen=True)
class Expected:
    """What is predicted: a number that is known, or a mean over random networks."""

    value: float
    standard_error: float = 0.0
    degrees: float | int = np.inf
    """Degrees of freedom of a standard error that is not 0; infinite if they are not known."""

    @property
    def half_width(self) -> float:
        """Half the length of its 95 % interval (Student's t)."""
        if self.standard_error == 0:
            return 0.0
        return float(intervals.quantile(LEVEL, self.degrees)) * self.standard_error


@dataclass(frozen=True)
class Off:
    """Where a norm misses its prediction by more than `OFF`, and by how much."""

    size: int
    is_largest: bool
    """Whether it is the largest of the sizes."""
    ratio: Mean
    """Measured over predicted norm."""


@dataclass(frozen=True)
class Fit:
    """The growth of one norm with d in one network, measured and predicted."""

    arch: str
    width: int | None
    """None for a user's own model, whose width is not known."""
    quantity: str
    q: str
    exponent: Slope
    """Of the mean norm: least-squares slope of log E‖∂‖_q on log d."""
    log_exponent: Slope
    """Of the geometric mean: mean over seeds of the slope of log‖∂‖_q. Zero norms are left out."""
    expected: Expected | None
    """The predicted slope over the same sizes; random if it is sampled."""
    limit: float | None
    """The law's exponent as d → ∞."""
    basis: str
    agrees: bool | None
    """Of the exponent: False if it contradicts the predicted slope, whose error is allowed for.

    None if there is no prediction, or if norms were left out that are not finite: the others are
    the small ones."""
    ratios: dict[int, Mean | None]
    """Mean norm over predicted norm by size, in increasing order; None if there is no prediction.

    The intervals contain the error of a prediction that is random."""
    norm_off: Off | None
    """Where the measured norm misses the predicted one; None if it does not, or nobody knows.

    At the largest size if it is off there, else where it is farthest off. Nobody knows if there is
    no prediction, or if norms were left out."""
    constant_agrees: bool | None
    """Of the constant: False if the ratio contradicts 1.

    A wrong constant leaves the exponent as it is, so that `agrees` cannot see it. Only a law that
    is "exact" claims its constant. Where one rests on large width or on the paper's hypotheses the
    constant is known to be approximate: the ratio shows by how much, and there is no verdict
    (None). None as well unless the fit is `reliable`."""
    reliable: bool
    """Whether the intervals can be expected to cover as they say.

    False with fewer than FEWEST_SEEDS seeds, if norms were left out, or if at some size the
    skewness of the norms, divided by √seeds, exceeds LARGEST_SKEWNESS: then few seeds carry much of
    the mean, and larger ones yet unseen may carry more."""

    @property
    def ratio(self) -> Mean | None:
        """Mean norm over predicted norm at the largest size; None if there is no prediction."""
        return self.ratios[max(self.ratios)]

    @property
    def predicted(self) -> float | None:
        """The law's slope over the same sizes."""
        return None if self.expected is None else self.expected.value

    @property
    def predicted_error(self) -> float | None:
        """The standard error of `predicted`: 0 unless it is sampled."""
        return None if self.expected is None else self.expected.standard_error

    @property
    def attack_exponent(self) -> float:
        """Of ε_p‖∂‖_q for the dual p at a constant change per pixel, ε_p ∝ d^{1/p}: 1/p more."""
        return self.exponent.value + (1 - 1 / float(self.q))


@dataclass(frozen=True)
class Point:
    """The mean norm at one size, with its standard error over seeds and its 95 % interval."""

    arch: str
    width: int | None
    """As in `Fit`."""
    size: int
    d: int
    quantity: str
    q: str
    mean: float
    sem: float
    interval: tuple[float, float]
    """Of the mean (`Mean`), not symmetric about it."""
    predicted: float | None
    law: float | None
    """What the law says, where the prediction is another one because the law leaves something
    out."""
    hypothesis_h: float | None
    """What the paper's hypotheses alone predict, where the prediction rests on more."""
    seeds: int
    """Seeds with a finite norm, which alone enter the mean."""


def mean(values: Float[np.ndarray, " seeds"]) -> Mean:
    """The mean of values that must be finite; no standard error and interval for less than two."""
    n = len(values)
    if n < 2:
        return Mean(float(values.sum()) if n else np.nan, np.nan, (np.nan, np.nan), n, np.nan)
    value, error, skewness = intervals.mean_and_spread(values)
    low, high = intervals.mean_interval(value, error, skewness, n, LEVEL)
    return Mean(float(value), float(error), (float(low), float(high)), n, float(skewness))


def exponent(
    norms: Float[np.ndarray, "seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    pilot: int | None = None,
) -> Slope:
    """The exponent of the mean norm: slope of log(mean over seeds) on log d.

    The standard error is the jackknife's over seeds (`sim.intervals.exponent`), in which
    correlations between sizes are contained. Rows must be finite; NaN if fewer than two seeds have
    a norm other than zero at some size, or one carries the whole mean, since one seed alone shows
    no spread.

    If the first `pilot` seeds decided how many there are (`seeds_needed`), the spread is theirs
    alone and the interval has their degrees of freedom.
    """
    first = norms[:pilot]
    if np.any(np.count_nonzero(first, axis=0) < 2):
        return _undefined(len(norms))
    value, error = (float(x) for x in intervals.exponent(norms, ds))
    if len(first) < len(norms):
        error = float(intervals.exponent(first, ds)[1]) * np.sqrt(len(first) / len(norms))
    if not np.isfinite(error):
        return _undefined(len(norms))
    return _slope(value, error, len(norms), len(first) - 1)


def exponent_difference(
    norms: Float[np.ndarray, "seeds sizes"],
    others: Float[np.ndarray, "seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
) -> Slope:
    """The exponent of one mean norm less that of another, of the same seeds.

    Its interval comes from the seeds' differences (`sim.intervals.exponent_difference`). A row
    that is not finite is a seed that one of the two lacks. NaN where `exponent` is.
    """
    there = [rows[np.all(np.isfinite(rows), axis=1)] for rows in (norms, others)]
    if any(np.any(np.count_nonzero(rows, axis=0) < 2) for rows in there):
        return _undefined(len(norms))
    found = intervals.exponent_difference(norms, others, ds)
    if not np.isfinite(found.error):
        return _undefined(len(norms))
    return _slope(float(found.value), float(found.error), len(norms), float(found.degrees))


def paired_ratio(norms: Float[np.ndarray, " seeds"], others: Float[np.ndarray, " seeds"]) -> Mean:
    """The ratio of two means of the same seeds; seeds as in `exponent_difference`.

    The interval is Student's of its logarithm (`sim.intervals.log_ratio`).
    """
    seeds = int(np.isfinite(norms).sum())
    if any(np.count_nonzero(rows[np.isfinite(rows)]) < 2 for rows in (norms, others)):
        return Mean(np.nan, np.nan, (np.nan, np.nan), seeds, np.nan)
    return _from_log(intervals.log_ratio(norms, others), seeds)


def ratio(measured: Mean, predicted: Expected) -> Mean:
    """The ratio of a mean to a prediction that shares no random numbers with it.

    Hall's interval if the prediction is a known number, else Student's of the logarithm.
    """
    if predicted.standard_error == 0:
        return measured.over(predicted.value)
    if not measured.value > 0:
        return Mean(np.nan, np.nan, (np.nan, np.nan), measured.seeds, np.nan)
    logs = (
        Estimate(np.log(x.value), x.standard_error / x.value, degrees)
        for x, degrees in ((measured, measured.seeds - 1), (predicted, predicted.degrees))
    )
    return _from_log(intervals.apart(*logs), measured.seeds)


def _from_log(found: Estimate, seeds: int) -> Mean:
    value = float(np.exp(found.value))
    factor = float(np.exp(intervals.quantile(LEVEL, found.degrees) * found.error))
    return Mean(value, value * float(found.error), (value / factor, value * factor), seeds, np.nan)


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
    error = float(slopes[:first].std(ddof=1) / np.sqrt(len(alive)))
    return _slope(float(slopes.mean()), error, len(alive), first - 1)


def _slope(value: float, error: float, seeds: int, degrees: float | int) -> Slope:
    half = float(intervals.quantile(LEVEL, degrees)) * error
    return Slope(value, error, (value - half, value + half), seeds, degrees)


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


def two_stages(
    norms: Float[np.ndarray, "seeds sizes"], ds: Float[np.ndarray, " sizes"], pilot: int
) -> Slope:
    """`exponent` of two stages, unless the second one shows that the first said too little.

    Stein's interval rests on normal terms. With heavy tails a pilot mostly misses the large norms
    and takes the spread for too small. If the spread of the second stage exceeds it significantly
    (F test at level SECOND_STAGE), the interval is the ordinary one of all seeds, and is not as
    narrow as was asked for.
    """
    stein, later = exponent(norms, ds, pilot), norms[pilot:]
    if len(later) < 2 or not np.isfinite(stein.standard_error):
        return stein
    others = exponent(later, ds)
    excess = (others.standard_error / stein.standard_error) ** 2 * len(later) / len(norms)
    if not excess > stats.f.ppf(1 - SECOND_STAGE, len(later) - 1, stein.degrees):
        return stein
    return max(stein, exponent(norms, ds), key=lambda slope: slope.half_width)


def agrees(measured: Slope, predicted: float | Expected | None, comparisons: int) -> bool | None:
    """Whether a measured slope is compatible with the predicted one.

    Two-sided t test at level FALSE_ALARM / comparisons; None without a prediction or measurement.
    The standard error of a random prediction is added in squares (`sim.intervals.apart`), as if it
    shared no random numbers with the measurement; where it does, measure their
    `exponent_difference` and predict 0.
    """
    if predicted is None or not np.isfinite(measured.value):
        return None
    expected = predicted if isinstance(predicted, Expected) else Expected(predicted)
    away = intervals.apart(
        Estimate(measured.value, measured.standard_error, measured.degrees),
        Estimate(expected.value, expected.standard_error, expected.degrees),
    )
    allowed = intervals.quantile(1 - FALSE_ALARM / comparisons, away.degrees)
    return bool(abs(away.value) <= allowed * away.error + ROUNDING)


def expected(samples: xr.Dataset, name: str, **at: Any) -> Expected | None:
    """A prediction of a dataset at a place, by the name of its variable; None for NaN.

    Runs of earlier versions say nothing of its error, which then is 0. How many random networks it
    is the mean of is the length of `independent`, or else the attribute `networks` of
    `predicted_slope_error`.
    """
    value = _number(samples[name].sel(at).item())
    if value is None:
        return None
    error = float(samples[f"{name}_error"].sel(at)) if f"{name}_error" in samples else 0.0
    if error == 0:
        return Expected(value)
    known = samples["predicted_slope_error"].attrs.get("networks", np.inf)
    return Expected(value, error, samples.sizes.get("network", known) - 1)


def mean_agrees(measured: Mean, predicted: float, comparisons: int) -> bool | None:
    """Whether a measured mean is compatible with the predicted one.

    Two-sided test at level FALSE_ALARM / comparisons, Hall's transformation of t against Student's
    quantile: at such levels t itself would reject a skewed mean several times too often. None for
    a mean that is not finite or has no standard error.
    """
    if not np.isfinite(measured.standard_error):
        return None
    away = abs(measured.value - predicted)
    if away <= ROUNDING * abs(predicted):
        return True
    if measured.standard_error == 0:
        return False
    t = np.array((measured.value - predicted) / measured.standard_error)
    found = intervals.transformed(t, np.array(measured.skewness), measured.seeds)
    return bool(abs(found) <= intervals.quantile(1 - FALSE_ALARM / comparisons, measured.seeds - 1))


def is_reliable(norms: Float[np.ndarray, "seeds sizes"]) -> bool:
    """Whether intervals from these seeds can be expected to cover as they say: `Fit.reliable`."""
    if len(norms) < FEWEST_SEEDS:
        return False
    *_, skewness = intervals.mean_and_spread(norms.T)
    return bool(np.max(np.abs(skewness)) <= LARGEST_SKEWNESS * np.sqrt(len(norms)))


def fit(samples: xr.Dataset) -> list[Fit]:
    """The exponent of every norm in the samples of a scaling run, set against its law.

    `samples` is what `sim.scaling.run` returns: norms by (seed, width, size, quantity, q) and the
    predictions. Seeds whose norm is not finite at some size are left out of that fit; `nonfinite`
    counts them. The attribute `pilot`, if there is one, is the number of seeds of the first stage.
    """
    ds = samples["d"].values.astype(float)
    limits = _by_network(samples, "limit")
    bases = _by_network(samples, "basis")
    places = {key: dict(zip(("width", "quantity", "q"), key, strict=True)) for key in bases}
    slope = {key: expected(samples, "predicted_slope", **at) for key, at in places.items()}
    sizes = samples["size"].values
    largest = int(np.argmax(ds))
    units = {
        key: [expected(samples, "predicted", size=size, **at) for size in sizes]
        for key, at in places.items()
    }
    known = [key for key, row in units.items() if (unit := row[largest]) and unit.value]
    claimed = [key for key in known if bases[key].item() == "exact"]
    comparisons = len(claimed) + sum(value is not None for value in slope.values())
    has_width = _has_width(samples)
    found = []
    for key, norms in _by_network(samples, "norm").items():
        rows = norms.transpose("seed", "size").values
        finite = np.all(np.isfinite(rows), axis=1)
        is_whole = bool(np.isfinite(rows[_computed(samples, key[0])]).all())
        first = int(finite[: samples.attrs.get("pilot")].sum())
        pair = _paired(samples, key)
        ratios = _ratios(rows, units[key], pair)
        rows = rows[finite]
        measured = two_stages(rows, ds, first)
        reliable = is_whole and is_reliable(rows[:first])
        tested = ratios[largest] if key in claimed and reliable else None
        width, quantity, q = key
        found.append(
            Fit(
                arch=str(samples.attrs["arch"]),
                width=width if has_width else None,
                quantity=quantity,
                q=q,
                exponent=measured,
                log_exponent=log_exponent(rows, ds, first),
                expected=slope[key],
                limit=_number(limits[key].item()),
                basis=str(bases[key].item()),
                agrees=_agrees(measured, slope[key], pair, ds, comparisons) if is_whole else None,
                ratios=dict(sorted(zip(sizes.tolist(), ratios, strict=True))),
                norm_off=norm_off(sizes.tolist(), ratios) if is_whole else None,
                constant_agrees=mean_agrees(tested, 1.0, comparisons) if tested else None,
                reliable=reliable,
            )
        )
    return found


Pair = tuple[Float[np.ndarray, "either sizes"], Float[np.ndarray, "either sizes"]]
"""Norms of the networks and of those under gradient independence, a row for every seed of either;
NaN where one of the two lacks it."""


def _paired(samples: xr.Dataset, key: tuple[int, str, str]) -> Pair | None:
    """The norms of a network and those that its prediction is the mean of; None for a law."""
    if "independent" not in samples:
        return None
    at = dict(zip(("width", "quantity", "q"), key, strict=True))
    norms = samples["norm"].sel(at).transpose("seed", "size")
    others = samples["independent"].sel(at).transpose("network", "size")
    if not np.isfinite(others).any():
        return None
    labels = np.union1d(samples["seed"].values, samples["network"].values)
    first, second = (np.full((len(labels), samples.sizes["size"]), np.nan) for _ in range(2))
    first[np.searchsorted(labels, samples["seed"].values)] = norms.values
    second[np.searchsorted(labels, samples["network"].values)] = others.values
    return first, second


def _agrees(
    measured: Slope,
    predicted: Expected | None,
    pair: Pair | None,
    ds: Float[np.ndarray, " sizes"],
    comparisons: int,
) -> bool | None:
    """`agrees`, by the seeds that measurement and prediction have in common if there are any.

    The difference has the degrees of freedom of the measured exponent if they are fewer, those of a
    pilot.
    """
    if predicted is None or pair is None:
        return agrees(measured, predicted, comparisons)
    found = exponent_difference(*pair, ds)
    degrees = min(found.degrees, measured.degrees)
    difference = _slope(found.value, found.standard_error, found.seeds, degrees)
    return agrees(difference, 0.0, comparisons)


def _ratios(
    rows: Float[np.ndarray, "seeds sizes"], units: list[Expected | None], pair: Pair | None
) -> list[Mean | None]:
    """Mean norm over predicted norm at every size, of the seeds whose norm is finite there."""
    found: list[Mean | None] = []
    for j, unit in enumerate(units):
        if unit is None or not unit.value:
            found.append(None)
        elif pair is None:
            norms = rows[:, j]
            found.append(ratio(mean(norms[np.isfinite(norms)]), unit))
        else:
            found.append(paired_ratio(*(norms[:, j] for norms in pair)))
    return found


def norm_off(sizes: list[int], ratios: list[Mean | None]) -> Off | None:
    """The largest size if its ratio is off (`OFF`), else that whose ratio is farthest off."""
    off = {
        size: found
        for size, found in zip(sizes, ratios, strict=True)
        if found and (found.interval[0] > 1 + OFF or found.interval[1] < 1 - OFF)
    }
    if not off:
        return None
    largest = max(sizes)
    size = largest if largest in off else max(off, key=lambda size: _factor(off[size].value))
    return Off(size, size == largest, off[size])


def _factor(ratio: float) -> float:
    """How many times one of two numbers is the other."""
    return max(ratio, 1 / ratio) if ratio > 0 else np.inf


def _has_width(samples: xr.Dataset) -> bool:
    """Whether its networks have a width; a user's own model has a label in its place."""
    return json.loads(samples.attrs["config"]).get("model") is None


def _computed(samples: xr.Dataset, width: int) -> Bool[np.ndarray, "seeds sizes"]:
    """Which samples there are; of a stored run perhaps not all."""
    if "finished" not in samples:
        return np.ones((samples.sizes["seed"], samples.sizes["size"]), bool)
    return samples["finished"].sel(width=width).transpose("seed", "size").values.astype(bool)


def points(samples: xr.Dataset) -> list[Point]:
    """The mean norm at every size, with standard errors and predictions."""
    found = []
    predicted = _by_network(samples, "predicted")
    hypothesis_h = _by_network(samples, "hypothesis-H")
    law = _by_network(samples, "law") if "law" in samples else {}
    has_width = _has_width(samples)
    for key, norms in _by_network(samples, "norm").items():
        width, quantity, q = key
        for size in samples["size"].values.tolist():
            values = norms.sel(size=size).values
            measured = mean(values[np.isfinite(values)])
            found.append(
                Point(
                    arch=samples.attrs["arch"],
                    width=width if has_width else None,
                    size=size,
                    d=int(samples["d"].sel(size=size)),
                    quantity=quantity,
                    q=q,
                    mean=measured.value,
                    sem=measured.standard_error,
                    interval=measured.interval,
                    predicted=_at(predicted, key, size),
                    law=_at(law, key, size),
                    hypothesis_h=_at(hypothesis_h, key, size),
                    seeds=measured.seeds,
                )
            )
    return found


def _at(
    tables: dict[tuple[int, str, str], xr.DataArray], key: tuple[int, str, str], size: int
) -> float | None:
    """The number of a network at one size; None for NaN, and where there is no table."""
    return _number(tables[key].sel(size=size).item()) if key in tables else None


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
