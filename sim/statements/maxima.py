"""Simulations of networks with maxima."""

import numpy as np

from sim.statements.networks import HE, LAST, norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import gain
from theory.network import (
    Conv,
    Dense,
    Flatten,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    serial,
)


def max_pooling(settings: Settings) -> Outcome:
    """2×2 maxima of independent pre-activations."""
    pooled = (MaxPool(2), ReLU(), Flatten(), Dense(1, LAST))
    network = Network("maximum", serial(Conv(8, HE, kernel=1), *pooled))
    energies = norms_of(network, 8, settings, 2.0) ** 2
    what = "E‖∂f‖₂² over its value under H, 2×2 maximum of independent inputs"
    return of_mean(what, 15 / 8, energies / float(gain(network.body, (8, 8, 3))))


def sparse_gradients(settings: Settings) -> Outcome:
    """A global maximum: the ℓ_1 norm of three coordinates, whatever the side."""
    body = serial(Conv(1, LAST, kernel=1), GlobalMaxPool(), Dense(1, LAST))
    network = Network("global maximum", body)
    what = "E‖∂f‖₁ of a 1×1 convolution and a global maximum, d = 768"
    # both weights are Gaussian: E|v| · 3 E|w| with variances 1 and 1/3
    expected = np.sqrt(2 / np.pi) * 3 * np.sqrt(2 / np.pi / 3)
    return of_mean(what, expected, norms_of(network, 16, settings, 1.0))
