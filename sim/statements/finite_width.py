"""Simulations of dense networks that are narrow: the mean of the norm, and its spread."""

import numpy as np

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict
from theory.statements import finite_width


def finite_width_law(settings: Settings) -> Outcome:
    """The exact mean norm of a narrow network."""
    network = architectures.mlp(finite_width.WIDTHS, channels=1)
    what = "E‖∂f‖₁ at d = 64, mlp of widths 20, 30, 10"
    return of_mean(what, finite_width.MEAN_L1, norms_of(network, 8, settings, 1.0))


def spread(settings: Settings) -> Outcome:
    """The variance of the logarithm of the norm, of networks that are not dead."""
    network = architectures.mlp(finite_width.WIDTHS, channels=1)
    found = norms_of(network, 8, settings, 2.0)
    logs = np.log(found[found > 0])
    squares = (logs - logs.mean()) ** 2 * len(logs) / max(len(logs) - 1, 1)
    expected = predict(network, 2).distribution(64).log_variance(2)
    return of_mean("Var log‖∂f‖₂ at d = 64, mlp of widths 20, 30, 10", expected, squares)
