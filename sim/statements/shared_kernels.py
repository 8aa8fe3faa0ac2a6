"""A simulation of a network whose positions share kernels."""

import numpy as np

from sim.statements.networks import HE, LAST, gradients_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import gain
from theory.network import (
    Conv,
    Dense,
    GlobalAvgPool,
    Network,
    ReLU,
    serial,
)
from theory.statements.shared_kernels import pooled_excess


def shared_kernels(settings: Settings) -> Outcome:
    """One convolution under a global average, at one white image: the exact excess over H."""
    body = serial(Conv(8, HE), ReLU(), GlobalAvgPool(), Dense(1, LAST))
    network = Network("pooled", body, channels=2)
    image = np.random.default_rng(settings.seed).standard_normal((6, 6, 2))
    energies = (gradients_of(network, 6, settings, image) ** 2).sum(axis=(1, 2, 3))
    what = "E‖∂f‖₂² over its value under H, 3×3 convolution, ReLU, global average"
    independent = float(gain(body, (6, 6, 2)))
    return of_mean(what, pooled_excess(image, 3), energies / independent)
