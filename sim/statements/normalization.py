"""Simulations of normalized and of concatenated networks."""

from sim.statements.networks import LAST, norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.initializers import VarianceScaling
from theory.network import Conv, Dense, Flatten, LayerNorm, Network, concat, serial


def layer_norm(settings: Settings) -> Outcome:
    """A layer norm behind weights of three times He's variance."""
    width = 512
    body = (Flatten(), Dense(width, VarianceScaling(6)), LayerNorm(), Dense(1, LAST))
    network = Network("normalized", serial(*body))
    what = "E‖∂f‖₂² of a layer norm of 512 units behind weights of scale 6"
    samples = norms_of(network, 16, settings, 2.0, input="constant")
    return of_mean(what, (width - 2) / width, samples**2)


def concatenation(settings: Settings) -> Outcome:
    """A concatenation of unequal ways, read by a dense layer."""
    ways = concat(serial(Conv(6, VarianceScaling(4))), serial(Conv(2, LAST)))
    network = Network("concatenation", serial(ways, Flatten(), Dense(1, LAST)))
    what = "E‖∂f‖₂², 6 channels of gain 4 beside 2 of gain 1"
    return of_mean(what, (6 * 4 + 2) / 8, norms_of(network, 4, settings, 2.0) ** 2)
