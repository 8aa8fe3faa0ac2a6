"""Simulations of networks in which hypothesis H fails."""

import numpy as np

from sim.statements.networks import HE, LAST, gradients_of, norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import gain
from theory.network import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Network,
    ReLU,
    residual,
    serial,
)
from theory.statements import failures


def shared_kernels(settings: Settings) -> Outcome:
    """One convolution under a global average, at one white image: the exact excess over H."""
    body = serial(Conv(8, HE), ReLU(), GlobalAvgPool(), Dense(1, LAST))
    network = Network("pooled", body, channels=2)
    image = np.random.default_rng(settings.seed).standard_normal((6, 6, 2))
    energies = (gradients_of(network, 6, settings, image) ** 2).sum(axis=(1, 2, 3))
    what = "E‖∂f‖₂² over its value under H, 3×3 convolution, ReLU, global average"
    independent = float(gain(body, (6, 6, 2)))
    return of_mean(what, failures.pooled_excess(image, 3), energies / independent)


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
