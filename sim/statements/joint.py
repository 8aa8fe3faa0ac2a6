"""Simulations of logits and gradients together, and of the distance to a decision boundary."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sim.statements.networks import norms_of, of_gradients
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict


def joint_law(settings: Settings) -> Outcome:
    """The loss gradient of a narrow network, whose residual depends on its gradients."""
    network = architectures.mlp((9, 6), classes=5)
    found = norms_of(network, 2, settings, 2.0, "loss", "constant")
    expected = predict(network, 2, "loss")(12)
    return of_mean("E‖∂L‖₂ at d = 12, mlp of widths 9, 6, 5 classes", expected, found)


def boundary_distance(settings: Settings) -> Outcome:
    """The share of networks within the median distance of a boundary, by Euler's identity."""
    network = architectures.mlp((4, 3), classes=1, channels=1)
    image = np.arange(1.0, 10.0).reshape(3, 3, 1)

    def distance(gradient: Array) -> Array:
        return jnp.abs(jnp.sum(gradient * image)) / jnp.linalg.norm(gradient)

    distances = of_gradients(distance, network, 3, settings, image)
    alive = ~np.isnan(distances)
    below = distances[alive] <= predict(network).distance(9).median * np.linalg.norm(image)
    return of_mean("P(distance to f = 0 below its median), d = 9, widths 4, 3", 0.5, below)
