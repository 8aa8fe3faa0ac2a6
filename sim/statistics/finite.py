"""Ratios and exponents of seeds of which some are not finite, or whose means have no logarithm.

Damages of attacks and gradients of trained networks can be zero, negative or not finite. Seeds
that are not finite are left out, and what is then undefined is NaN.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from sim.statistics import estimates
from sim.statistics.estimates import LEVEL, OverSeeds, Slope
from sim.statistics.verdicts import FALSE_ALARM


@dataclass(frozen=True)
class Ratio(OverSeeds):
    """A ratio of two means; its interval is Student's t over seeds."""

    def at(self, level: float) -> tuple[float, float]:
        half = float(stats.t.ppf((1 + level) / 2, self.seeds - 1)) * self.standard_error
        return self.value - half, self.value + half

    def allows(self, value: float | int, comparisons: int) -> bool:
        """Whether a t test at level FALSE_ALARM / comparisons is compatible with that value."""
        allowed = stats.t.ppf(1 - FALSE_ALARM / comparisons / 2, self.seeds - 1)
        return bool(abs(self.value - value) <= allowed * self.standard_error)


def ratio(above: Float[np.ndarray, " seeds"], below: Float[np.ndarray, " seeds"]) -> Ratio:
    """mean(above) / mean(below); the standard error is that of the linearized ratio."""
    n = len(above)
    if n < 2 or not below.mean() > 0:
        return Ratio(np.nan, np.nan, (np.nan, np.nan), n)
    value = float(above.mean() / below.mean())
    error = float(((above - value * below) / below.mean()).std(ddof=1) / np.sqrt(n))
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    return Ratio(value, error, (value - half, value + half), n)


def exponent(rows: Float[np.ndarray, "seeds sizes"], ds: np.ndarray) -> Slope:
    """The exponent (`sim.statistics.estimates`) of the seeds that are finite.

    NaN where a mean is not positive.
    """
    finite = rows[np.all(np.isfinite(rows), axis=1)].astype(float)
    if not _has_logarithm(finite):
        return estimates.undefined(len(finite))
    return estimates.exponent(finite, ds)


def exponent_difference(
    rows: Float[np.ndarray, "seeds sizes"],
    others: Float[np.ndarray, "seeds sizes"],
    ds: np.ndarray,
) -> Slope:
    """The difference of exponents (`sim.statistics.estimates`) of the seeds finite in both.

    NaN where `exponent` is.
    """
    finite = np.all(np.isfinite(rows) & np.isfinite(others), axis=1)
    first, second = rows[finite].astype(float), others[finite].astype(float)
    if not (_has_logarithm(first) and _has_logarithm(second)):
        return estimates.undefined(len(first))
    return estimates.exponent_difference(first, second, ds)


def _has_logarithm(rows: np.ndarray) -> bool:
    return len(rows) >= 2 and bool(np.all(rows.mean(axis=0) > 0))
