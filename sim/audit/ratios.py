"""Means and ratios over seeds with 95 % intervals, and how far they are from what is asked for.

NumPy only. Values of one seed stay together, so that ratios are paired.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sim.statistics import intervals
from sim.statistics.estimates import LEVEL
from sim.statistics.verdicts import ROUNDING

Seeds = Float[np.ndarray, " seeds"]


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval, and z: its distance from what is asked for.

    z is in standard errors, for means corrected for skewness, and NaN where nothing is asked for.
    """

    value: float
    interval: tuple[float, float]
    z: float = float("nan")

    @property
    def half(self) -> float:
        """Half of the length of the interval."""
        return (self.interval[1] - self.interval[0]) / 2


def mean(values: Seeds, asked: float = float("nan"), unit: float = 1.0) -> Measured:
    """The mean over seeds, in units of `unit`; z against `asked` units."""
    values = np.asarray(values, float) / unit
    value, error, skewness = intervals.mean_and_spread(values)
    low, high = intervals.mean_interval(value, error, skewness, len(values), LEVEL)
    return Measured(float(value), (float(low), float(high)), _z(values - asked, asked))


def _z(deviations: Seeds, unit: float) -> float:
    """Student's t of a mean deviation, corrected for skewness (`intervals.transformed`)."""
    off, error, skewness = (float(x) for x in intervals.mean_and_spread(deviations))
    if not np.isfinite(off):
        return float("nan")
    if abs(off) <= ROUNDING * abs(unit) or error == 0:
        return _score(off / unit, 0.0)
    return float(intervals.transformed(off / error, skewness, len(deviations)))


def ratio(above: Seeds, below: Seeds) -> Measured:
    """A ratio of means, paired over seeds; z against 1."""
    return product([above], [below])


def product(above: list[Seeds], below: list[Seeds]) -> Measured:
    """A product of ratios of means; its interval, and z against 1, from the jackknife of its
    logarithm. NaN if one of the means is zero.
    """
    n = len(above[0])
    means = [float(np.mean(values)) for values in (*above, *below)]
    if not all(value > 0 for value in means):
        return Measured(np.nan, (np.nan, np.nan))
    value = sum(np.log(np.mean(values)) for values in above)
    value -= sum(np.log(np.mean(values)) for values in below)
    without = _without(above) - _without(below)
    error = np.sqrt((n - 1) / n * np.sum((without - np.mean(without)) ** 2))
    half = float(intervals.quantile(LEVEL, n - 1) * error)
    ends = float(np.exp(value - half)), float(np.exp(value + half))
    return Measured(float(np.exp(value)), ends, _score(float(value), float(error)))


def _without(columns: list[Seeds]) -> Any:
    """Σ log of the means without each of the seeds, up to what all seeds share."""
    total = np.zeros(len(columns[0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        for values in columns:
            total = total + np.log1p(-np.asarray(values, float) / (len(values) * np.mean(values)))
    return total


def exponent(
    above: Float[np.ndarray, "sizes seeds"],
    below: Float[np.ndarray, "sizes seeds"] | Float[np.ndarray, " sizes"],
    ds: Float[np.ndarray, " sizes"],
) -> Measured:
    """The exponent of d in a ratio of means; z against 0. `below` without seeds is known."""
    if below.ndim == 1:
        value, error = intervals.exponent(above.T, ds)
        value = value - np.log(below) @ intervals.slope_weights(ds)
    else:
        value, error, _ = intervals.exponent_difference(above.T, below.T, ds)
    value, error = float(value), float(error)
    half = float(intervals.quantile(LEVEL, above.shape[1] - 1)) * error
    return Measured(value, (value - half, value + half), _score(value, error))


def _score(value: float, error: float) -> float:
    """A number in its standard errors; 0 where it is 0 up to rounding."""
    if abs(value) <= ROUNDING:
        return 0.0
    return value / error if error > 0 else float(np.copysign(np.inf, value))
