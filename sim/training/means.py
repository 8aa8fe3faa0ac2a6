"""Means over the few networks of a study."""

import numpy as np
from jaxtyping import Float

from sim.statistics import estimates, intervals
from sim.statistics.estimates import Mean


def mean(values: Float[np.ndarray, " seeds"]) -> Mean:
    """The mean of the seeds that are finite, with Student's 95 % interval.

    Hall's interval (`sim.statistics.mean`) allows for skewness, which so few seeds do not show.
    """
    found = estimates.mean(np.asarray(values, float)[np.isfinite(values)])
    if found.seeds < 2:
        return found
    half = float(intervals.quantile(estimates.LEVEL, found.seeds - 1)) * found.standard_error
    ends = (found.value - half, found.value + half)
    return Mean(found.value, found.standard_error, ends, found.seeds, found.skewness)
