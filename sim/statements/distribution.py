"""Simulations of the whole distribution of the norm in narrow dense networks."""

from scipy import optimize

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict


def moments(settings: Settings) -> Outcome:
    """A third moment, at an order between 1 and 2, behind leaky ReLUs."""
    network = architectures.mlp((9, 5), channels=1, activation="leaky-relu")
    expected = predict(network, 1).distribution(16).moment(1.5, 3)
    what = "E‖∂f‖_q³ for q = 3/2 at d = 16, leaky mlp of widths 9, 5"
    return of_mean(what, expected, norms_of(network, 4, settings, 1.5) ** 3)


def distribution(settings: Settings) -> Outcome:
    """The share of networks below the median of the exact law, at a width of 3."""
    network = architectures.mlp((3, 12), channels=1)
    law = predict(network, 1).distribution(16)
    alive = 1 - float(law.dead)
    median = optimize.brentq(lambda x: law.distribution_function(x, 1) - 0.5, 1e-3, 1e3)
    below = norms_of(network, 4, settings, 1.0) <= median
    return of_mean(
        "P(‖∂f‖₁ ≤ median of those not zero), d = 16, widths 3, 12", 1 - alive / 2, below
    )
