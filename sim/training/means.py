"""Means over the few networks of a study, with their intervals."""

import numpy as np
import xarray as xr
from jaxtyping import Float

from sim.statistics import estimates, intervals
from sim.statistics.estimates import Mean


def mean(values: Float[np.ndarray, " seeds"]) -> Mean:
    """The mean of the seeds that are finite, with Student's 95 % interval.

    Hall's interval (`sim.statistics.estimates.mean`) allows for skewness, which so few seeds do
    not show.
    """
    found = estimates.mean(np.asarray(values, float)[np.isfinite(values)])
    if found.seeds < 2:
        return found
    half = float(intervals.quantile(estimates.LEVEL, found.seeds - 1)) * found.standard_error
    ends = (found.value - half, found.value + half)
    return Mean(found.value, found.standard_error, ends, found.seeds, found.skewness)


def means(
    values: xr.DataArray, along: str
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "2 n"]]:
    """Means over seeds along a dimension, and how far their 95 % intervals reach.

    Args:
        values: Numbers by (seed, along).
        along: The other dimension, of length n.

    Returns:
        The means, NaN where there are none, and the reach of their intervals down and up.
    """
    found = [mean(row) for row in values.transpose(along, "seed").values]
    middle = np.array([one.value for one in found])
    ends = np.array([one.interval for one in found]).T
    return middle, np.abs(ends - middle)
