"""Exponents and means over seeds, with their standard errors and 95 % intervals.

Common random numbers correlate the sizes of one seed, so nothing here treats them as independent:
every interval comes from the spread over seeds, which are independent. The methods are in
`sim.statistics.intervals`; docs/calibration.md says how often they cover.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy import stats

from sim.statistics import intervals
from sim.statistics.intervals import Estimate, slope_weights

LEVEL = 0.95
"""Coverage of every interval."""

SECOND_STAGE = 0.01
"""Probability that the second of two stages is found to vary more than the first if it does not."""


@dataclass(frozen=True)
class OverSeeds:
    """A number measured on independent seeds, with its standard error and 95 % interval."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    seeds: int
    any_time: tuple[float, float] | None = field(default=None, kw_only=True)
    """The 95 % interval that holds at any number of seeds, of a run that was extended
    (`sim.statistics.anytime`)."""

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.interval[1] - self.interval[0]) / 2

    @property
    def valid(self) -> tuple[float, float]:
        """The interval that holds, however the number of seeds was chosen: that of verdicts."""
        return self.interval if self.any_time is None else self.any_time

    def at(self, level: float) -> tuple[float, float]:
        """The interval of that coverage, of a number of seeds known beforehand."""
        raise NotImplementedError


@dataclass(frozen=True)
class Slope(OverSeeds):
    """An exponent of d; its interval is Student's t over seeds."""

    degrees: float | int
    """Degrees of freedom of the standard error."""

    def at(self, level: float) -> tuple[float, float]:
        half = float(intervals.quantile(level, self.degrees)) * self.standard_error
        return self.value - half, self.value + half


@dataclass(frozen=True)
class Mean(OverSeeds):
    """A mean over seeds.

    The interval is Hall's (`sim.statistics.intervals.transformed`), which allows for the skewness
    of the norms and is longer on the side of the larger ones.
    """

    skewness: float
    """Of one seed's norm; NaN of a ratio of two means, whose logarithm has Student's interval."""
    degrees: float | int = np.nan
    """Degrees of freedom of that logarithm."""

    def at(self, level: float) -> tuple[float, float]:
        if np.isnan(self.skewness):
            error = self.standard_error / self.value
            factor = float(np.exp(intervals.quantile(level, self.degrees) * error))
            return self.value / factor, self.value * factor
        found = self.value, self.standard_error, self.skewness
        low, high = intervals.mean_interval(*found, self.seeds, level)
        return float(low), float(high)

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

    The standard error is the jackknife's over seeds (`sim.statistics.intervals.exponent`), in which
    correlations between sizes are contained. Rows must be finite; NaN if fewer than two seeds have
    a norm other than zero at some size, or one carries the whole mean, since one seed alone shows
    no spread.

    If the first `pilot` seeds decided how many there are (`seeds_needed`), the spread is theirs
    alone and the interval has their degrees of freedom.
    """
    first = norms[:pilot]
    if np.any(np.count_nonzero(first, axis=0) < 2):
        return undefined(len(norms))
    value, error = (float(x) for x in intervals.exponent(norms, ds))
    if len(first) < len(norms):
        error = float(intervals.exponent(first, ds)[1]) * np.sqrt(len(first) / len(norms))
    if not np.isfinite(error):
        return undefined(len(norms))
    return slope_of(value, error, len(norms), len(first) - 1)


def exponent_difference(
    norms: Float[np.ndarray, "seeds sizes"],
    others: Float[np.ndarray, "seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    together: int = 1,
) -> Slope:
    """The exponent of one mean norm less that of another, of the same seeds.

    Its interval comes from the seeds' differences (`sim.statistics.intervals.exponent_difference`).
    A row that is not finite is a seed that one of the two lacks. NaN where `exponent` is.
    """
    there = [rows[np.all(np.isfinite(rows), axis=1)] for rows in (norms, others)]
    if any(np.any(np.count_nonzero(rows, axis=0) <= together) for rows in there):
        return undefined(len(norms))
    found = intervals.exponent_difference(norms, others, ds, together)
    if not np.isfinite(found.error):
        return undefined(len(norms))
    return slope_of(float(found.value), float(found.error), len(norms), float(found.degrees))


def paired_ratio(
    norms: Float[np.ndarray, " seeds"], others: Float[np.ndarray, " seeds"], together: int = 1
) -> Mean:
    """The ratio of two means of the same seeds; seeds as in `exponent_difference`.

    The interval is Student's of its logarithm (`sim.statistics.intervals.log_ratio`).
    """
    seeds = int(np.isfinite(norms).sum())
    if any(np.count_nonzero(rows[np.isfinite(rows)]) <= together for rows in (norms, others)):
        return Mean(np.nan, np.nan, (np.nan, np.nan), seeds, np.nan)
    return _from_log(intervals.log_ratio(norms, others, together), seeds)


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
    value, degrees = float(np.exp(found.value)), float(found.degrees)
    factor = float(np.exp(intervals.quantile(LEVEL, degrees) * found.error))
    ends = value / factor, value * factor
    return Mean(value, value * float(found.error), ends, seeds, np.nan, degrees)


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
        return undefined(len(alive))
    slopes = np.log(alive) @ slope_weights(ds)
    error = float(slopes[:first].std(ddof=1) / np.sqrt(len(alive)))
    return slope_of(float(slopes.mean()), error, len(alive), first - 1)


def slope_of(value: float, error: float, seeds: int, degrees: float | int) -> Slope:
    """An exponent with Student's interval of so many degrees of freedom."""
    half = float(intervals.quantile(LEVEL, degrees)) * error
    return Slope(value, error, (value - half, value + half), seeds, degrees)


def undefined(seeds: int) -> Slope:
    """The exponent of so many seeds that have none: NaN."""
    return Slope(np.nan, np.nan, (np.nan, np.nan), seeds, 0)


def seeds_needed(pilot: Slope, half_width: float) -> int:
    """How many seeds in all give the exponent an interval of at most that half-width.

    Stein's two stages: the number N = ⌈(t s / half-width)²⌉ depends on the spread s of the pilot's
    seeds alone, and the interval t s / √N uses that same s, with the pilot's degrees of freedom.
    The mean of normal terms is independent of s, so the interval covers with 95 %, which it would
    not if sampling stopped as soon as an ordinary interval happened to be narrow. (C. Stein, A
    two-sample test for a linear hypothesis whose power is independent of the variance, Annals of
    Mathematical Statistics 16, 1945.) The same N for several exponents, the largest, keeps this.
    At least the pilot's seeds; no more than those if the pilot has no exponent. No more than 10^18,
    which nobody can wait for.
    """
    if not np.isfinite(pilot.standard_error):
        return pilot.seeds
    # a little more, so that rounding does not leave the interval wider than asked for
    ratio = min(pilot.half_width / half_width, 1e9)
    needed = min(pilot.seeds * ratio**2 * (1 + 1e-9), 1e18)
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
