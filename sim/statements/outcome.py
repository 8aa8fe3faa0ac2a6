"""What a simulation of a statement is given, and what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy import stats

from sim.statistics import estimates, verdicts


@dataclass(frozen=True)
class Settings:
    """How many independent networks a mean is taken over, and the key of all of them."""

    seeds: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What was simulated, and what came out.

    Either a mean with a prediction and a standard error over `seeds` networks; or an identity,
    with the largest relative error in the place of the measurement and a `tolerance` for it.
    """

    simulated: str
    predicted: float
    measured: float
    standard_error: float | None
    seeds: int
    tolerance: float | None = None

    @property
    def z(self) -> float | None:
        """Standard errors between measurement and prediction; None for an identity."""
        if self.standard_error is None:
            return None
        if self.standard_error == 0:
            return 0.0 if self.measured == self.predicted else float("inf")
        return (self.measured - self.predicted) / self.standard_error

    @property
    def unmeasured(self) -> str | None:
        """Why the samples carry no verdict, as a clause; None if they carry one."""
        if self.tolerance is None and self.seeds < verdicts.FEWEST_SEEDS:
            return f"{self.seeds} seeds, fewer than {verdicts.FEWEST_SEEDS}"
        return None

    def agrees(self, comparisons: int) -> bool | None:
        """Whether prediction and measurement are compatible; None if nothing was measured.

        An identity must hold within its tolerance; a mean passes a two-sided t test at level
        `verdicts.FALSE_ALARM` / comparisons.
        """
        if self.unmeasured is not None:
            return None
        if self.z is None:
            return bool(self.tolerance is not None and self.measured <= self.tolerance)
        level = verdicts.FALSE_ALARM / comparisons
        return bool(abs(self.z) <= stats.t.ppf(1 - level / 2, self.seeds - 1))


Check = Callable[[Settings], Outcome]
"""The simulation of a statement."""


def of_mean(simulated: str, predicted: Any, samples: Shaped[np.ndarray, " seeds"]) -> Outcome:
    """A mean over networks beside its prediction."""
    samples, count = np.asarray(samples, float), len(samples)
    error = float(samples.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan
    mean = float(samples.mean()) if count else np.nan
    return Outcome(simulated, float(predicted), mean, error, count)


def of_exponent(
    simulated: str, predicted: Any, values: Float[np.ndarray, "seeds sizes"], ds: list[int]
) -> Outcome:
    """The exponent of d in the mean of `values` beside its prediction."""
    slope = estimates.exponent(values, np.asarray(ds, float))
    return Outcome(simulated, float(predicted), slope.value, slope.standard_error, slope.seeds)


def of_identity(simulated: str, error: float, networks: int, tolerance: float) -> Outcome:
    """The largest relative error of an identity over some networks."""
    return Outcome(simulated, 0.0, error, None, networks, tolerance)
