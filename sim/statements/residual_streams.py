"""A simulation of a residual stream behind ReLUs."""

from sim.statements.networks import HE, LAST, norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import gain
from theory.network import (
    Dense,
    Flatten,
    Network,
    ReLU,
    residual,
    serial,
)


def post_activation(settings: Settings) -> Outcome:
    """A wide dense residual block with a ReLU after the addition."""
    width = 2048
    branch = serial(Dense(width, HE), ReLU(), Dense(width, HE))
    stem = (Flatten(), Dense(width, HE), ReLU())
    body = serial(*stem, residual(branch), ReLU(), Dense(1, LAST))
    network = Network("post-activation", body)
    energies = norms_of(network, 4, settings, 2.0) ** 2 / float(gain(body, (4, 4, 3)))
    what = "E‖∂f‖₂² over its value under H, dense residual block of width 2048"
    return of_mean(what, 4 / 3, energies)
