"""A simulation of a network whose positions share kernels."""

import jax.numpy as jnp
import numpy as np

from sim.statements.networks import HE, LAST, of_gradients
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
    energies = of_gradients(lambda g: jnp.sum(g**2), network, 6, settings, image)
    what = "E‖∂f‖₂² over its value under H, 3×3 convolution, ReLU, global average"
    independent = float(gain(body, (6, 6, 2)))
    return of_mean(what, pooled_excess(image, 3), energies / independent)
