"""A simulation of second moments with the true masks."""

import numpy as np

from sim.statements.networks import LAST, of_gradients
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.initializers import VarianceScaling
from theory.laws.energy import logit_energy_map
from theory.network import Conv, Dense, Flatten, Network, ReLU, serial


def true_masks(settings: Settings) -> Outcome:
    """One pixel of a strided convolutional network with uniform weights, at one fixed image."""
    uniform = VarianceScaling(2, distribution="uniform")
    body = (Conv(3, uniform, stride=2), ReLU(), Conv(2, uniform), ReLU(), Flatten())
    network = Network("strided", serial(*body, Dense(1, LAST)), channels=1)
    image = np.random.default_rng(settings.seed).standard_normal((4, 4, 1))
    squares = of_gradients(lambda g: g[0, 0, 0] ** 2, network, 4, settings, image)
    expected = logit_energy_map(network.body, (4, 4, 1))[0, 0]
    return of_mean("E(∂f/∂x_1)², shared 3×3 kernels, stride 2, uniform weights", expected, squares)
