"""Networks whose gradients the simulations of statements look at."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sim.networks import layers
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from sim.statements.outcome import Settings
from theory.initializers import VarianceScaling
from theory.network import Network

HE = VarianceScaling(2)
"""The initialization of layers before a ReLU."""
LAST = VarianceScaling(1)
"""The initialization of a last layer."""
NETWORKS_OF_AN_IDENTITY = 16
"""An identity holds for every network, so a few of them tell as much as thousands."""


def norms_of(
    network: Network,
    side: int,
    settings: Settings,
    q: float,
    quantity: str = "logit",
    input: str = "gaussian",
) -> Float[np.ndarray, " seeds"]:
    """The norm of the input gradient of every seed, each at its own input.

    Args:
        network: The network whose weights are drawn anew for every seed.
        side: The side of the images.
        settings: How many seeds there are, and their key.
        q: The order of the norm.
        quantity: Whose gradient: "logit" or "loss".
        input: The kind of input (`sim.sampling.inputs`).
    """
    draws = Draws((quantity,), (q,), input, seed=settings.seed)
    return sample(network, side, range(settings.seeds), draws)[:, 0, 0].astype(float)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, compiled by jax without optimization where there is no accelerator."""
    # these networks are tiny: compiling them takes far longer than running them
    cpu = jax.default_backend() == "cpu"
    options = {"xla_backend_optimization_level": 0} if cpu else {}
    return jax.jit(function, compiler_options=options)


def of_gradients(
    number: Callable[[Array], Array],
    network: Network,
    side: int,
    settings: Settings,
    image: np.ndarray | None = None,
) -> Float[np.ndarray, " seeds"]:
    """One number of every seed's ∂f_0/∂x at a Gaussian input, or at one image.

    Args:
        number: The number of a gradient of shape (side, side, channels). It is taken where the
            gradient is computed: all seeds' gradients at once may not fit in memory.
        network: The network whose weights are drawn anew for every seed.
        side: The side of the images.
        settings: How many seeds there are, and their key.
        image: The input of all seeds, of the gradient's shape.
    """
    shape = network.input_shape(side)

    def one(key: Key[Array, ""]) -> Array:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, shape)
        x = jax.random.normal(input_key, shape) if image is None else jnp.asarray(image)
        return number(jax.grad(lambda x: layers.apply(network.body, weights, x)[0])(x))

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    return np.asarray(compiled(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys), float)


def some_networks(
    network: Network, side: int, settings: Settings
) -> tuple[Callable[[Any, Array], Array], list[tuple[Any, Array]]]:
    """The loss as a function of weights and input, and both for a few networks, in float64."""
    shape = network.input_shape(side)

    def loss(weights: Any, x: Array) -> Array:
        return -jax.nn.log_softmax(layers.apply(network.body, weights, x))[0]

    @compiled
    def draw(key: Key[Array, ""]) -> tuple[Any, Array]:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, shape)
        return weights, jax.random.normal(input_key, shape)

    keys = jax.random.split(jax.random.key(settings.seed), NETWORKS_OF_AN_IDENTITY)
    return loss, [draw(key) for key in keys]


def relative_error(found: Any, expected: Any) -> float:
    """The largest deviation of two arrays, relative to the largest entry of the second."""
    expected = np.asarray(expected)
    return float(np.max(np.abs(np.asarray(found) - expected)) / np.max(np.abs(expected)))
