"""Whether a measurement agrees with its prediction, and whether its interval can be trusted.

docs/calibration.md says how often a verdict raises a false alarm, and how often it finds a
violation.
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sim.statistics import intervals
from sim.statistics.anytime import FIXED, Looks
from sim.statistics.estimates import Expected, Mean, Slope
from sim.statistics.intervals import Estimate
from sim.statistics.numbers import finite_or_none

FALSE_ALARM = 0.01
"""Probability that a report whose laws all hold shows any contradiction (Bonferroni)."""

FEWEST_SEEDS = 16
"""Of a `Fit` that is `reliable`: fewer show too little of the tail of their norms."""

LARGEST_SKEWNESS = 0.3
"""Of a `Fit` that is `reliable`: skewness of one norm / √seeds, at any size."""

TOGETHER = "seeds_together"
"""The attribute of `independent` that `seeds_together` reads."""

ROUNDING = 1e-6
"""What rounding alone may put between a measurement without spread and its prediction."""


def agrees(
    measured: Slope,
    predicted: float | Expected | None,
    comparisons: int,
    looks: Looks = FIXED,
) -> bool | None:
    """Whether a measured slope is compatible with the predicted one.

    Two-sided t test at level FALSE_ALARM / comparisons; None without a prediction or measurement.
    The standard error of a random prediction is added in squares
    (`sim.statistics.intervals.apart`), as if it shared no random numbers with the measurement;
    where it does, measure their `exponent_difference` and predict 0. The level is that of a run
    that may have been looked at before.
    """
    if predicted is None or not np.isfinite(measured.value):
        return None
    expected = predicted if isinstance(predicted, Expected) else Expected(predicted)
    away = intervals.apart(
        Estimate(measured.value, measured.standard_error, measured.degrees),
        Estimate(expected.value, expected.standard_error, expected.degrees),
    )
    level = looks.level(FALSE_ALARM / comparisons, measured.seeds)
    allowed = intervals.quantile(1 - level, away.degrees)
    return bool(abs(away.value) <= allowed * away.error + ROUNDING)


def expected(samples: xr.Dataset, name: str, **at: Any) -> Expected | None:
    """A prediction of a dataset at a place, by the name of its variable; None for NaN.

    Runs of earlier versions say nothing of its error, which then is 0. How many random networks it
    is the mean of is the length of `independent`, of which those that depend on each other count
    as one, or else the attribute `networks` of `predicted_slope_error`.
    """
    value = finite_or_none(samples[name].sel(at).item())
    if value is None:
        return None
    error = float(samples[f"{name}_error"].sel(at)) if f"{name}_error" in samples else 0.0
    if error == 0:
        return Expected(value)
    known = samples["predicted_slope_error"].attrs.get("networks", np.inf)
    if "network" in samples.sizes:
        known = samples.sizes["network"] // seeds_together(samples)
    return Expected(value, error, known - 1)


def seeds_together(samples: xr.Dataset) -> int:
    """How many networks of `independent`, one after another, depend on each other.

    They have each other's weights as copies; 1 in runs of earlier versions.
    """
    return int(samples["independent"].attrs.get(TOGETHER, 1))


def mean_agrees(
    measured: Mean, predicted: float, comparisons: int, looks: Looks = FIXED
) -> bool | None:
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
    level = looks.level(FALSE_ALARM / comparisons, measured.seeds)
    return bool(abs(found) <= intervals.quantile(1 - level, measured.seeds - 1))


def unmeasured(
    norms: Float[np.ndarray, "seeds sizes"], fewest: int = 2, dtype: str | None = None
) -> str | None:
    """Why samples carry no verdict, as a clause; None if they carry one.

    Args:
        norms: What was measured; a row that is not finite is left out.
        fewest: Seeds that a verdict needs.
        dtype: The arithmetic that they come from, if it is not that of the array.
    """
    finite = norms[np.all(np.isfinite(norms), axis=1)]
    if len(finite) < fewest:
        return f"{len(finite)} finite seeds, fewer than {fewest}"
    zero, below = finite == 0, np.signbit(finite)
    nothing = np.all(zero, axis=0)
    if np.any(nothing & np.any(below, axis=0)):
        return "norms below the range of floats"
    if np.any(nothing):
        return "all samples at a size are zero"
    if np.any(np.sum(~zero, axis=0) < 2):
        return "one seed alone is not zero at a size"
    smallest = np.finfo(dtype or norms.dtype).tiny
    if np.any((np.abs(finite) < smallest) & ~zero):
        return f"norms at the end of the range of {dtype or norms.dtype}"
    return None


def is_reliable(norms: Float[np.ndarray, "seeds sizes"]) -> bool:
    """Whether intervals from these seeds can be expected to cover as they say: `Fit.reliable`."""
    if len(norms) < FEWEST_SEEDS:
        return False
    *_, skewness = intervals.mean_and_spread(norms.T)
    return bool(np.max(np.abs(skewness)) <= LARGEST_SKEWNESS * np.sqrt(len(norms)))
