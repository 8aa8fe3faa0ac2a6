"""Simulations of distances to the boundary, and of perturbations of random direction."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sim.statements.networks import norms_of, of_gradients
from sim.statements.outcome import Outcome, Settings, of_exponent, of_mean
from theory import architectures, predict
from theory.laws.directions import moment
from theory.laws.distance import Distance
from theory.network import Network

SIDES = (8, 16)


def relative_distances(
    network: Network, settings: Settings
) -> tuple[Float[np.ndarray, "seeds sizes"], list[int]]:
    """|f|/(‖∂f‖_2‖x‖_2) at Gaussian images of two sides, and their numbers of pixels.

    f = x·∂f by Euler's identity.

    Args:
        network: Positively homogeneous, of one logit.
        settings: How many seeds there are, and their key.
    """
    found, ds = [], []
    for side in SIDES:
        image = np.random.default_rng(side).standard_normal(network.input_shape(side))

        def distance(gradient: Array, image: np.ndarray = image) -> Array:
            length = jnp.linalg.norm(gradient) * np.linalg.norm(image)
            return jnp.abs(jnp.sum(gradient * image)) / length

        found.append(of_gradients(distance, network, side, settings, image))
        ds.append(image.size)
    return np.stack(found, axis=1), ds


def boundary_scaling(settings: Settings) -> Outcome:
    """The exponent of the relative distance of convolutional networks with a dense head."""
    network = architectures.cnn(8, 2, classes=1)
    distances, ds = relative_distances(network, settings)
    means = [Distance(d).mean() for d in ds]
    slope = np.log(means[1] / means[0]) / np.log(ds[1] / ds[0])
    what = (
        "exponent of d in the distance over ‖x‖₂, cnn of 2 convolutions, dense head, sides 8 and 16"
    )
    return of_exponent(what, slope, distances, ds)


def average_robustness(settings: Settings) -> Outcome:
    """The mean change by a random perturbation, four layers with LeCun's weights."""
    network, d = architectures.mlp(32, 4, classes=1, init="lecun"), 48
    norms = norms_of(network, 4, settings, 2.0)
    rng = np.random.default_rng(settings.seed)
    directions = rng.standard_normal((settings.seeds, d))
    inside = directions[:, 0] / np.linalg.norm(directions, axis=1)
    inside *= rng.uniform(size=settings.seeds) ** (1 / d)
    # E|u_1| from E‖u‖_1 = d E|u_1|
    expected = predict(network, 2)(d) * moment(1, d, 1) / d * d / (d + 1)
    what = "mean size of ∂f·δ, δ uniform in a ball of radius 1, d = 48, LeCun mlp of 4 × 32 units"
    return of_mean(what, expected, norms * np.abs(inside))
