"""The subspace that images with copied pixels lie in, and the parts of a gradient on and off it.

An image of side s enlarged to side ks has s² free numbers; the projection onto such images replaces
every k × k block by its mean. A dense first layer that reads such images alone is never changed off
their subspace by gradient descent (statement `copied-pixels`).
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float


def projected(
    image: Float[Array, "side side channels"], data_side: int
) -> Float[Array, "side side channels"]:
    """The nearest image whose pixels are copies of those of an image of side `data_side`."""
    side, _, channels = image.shape
    factor = side // data_side
    blocks = image.reshape(data_side, factor, data_side, factor, channels)
    means = blocks.mean(axis=(1, 3), keepdims=True)
    return jnp.broadcast_to(means, blocks.shape).reshape(image.shape)


def parts(
    gradient: Float[Array, "side side channels"], data_side: int
) -> tuple[Float[Array, "side side channels"], Float[Array, "side side channels"]]:
    """The parts of a gradient on and off the subspace, orthogonal to each other."""
    on = projected(gradient, data_side)
    return on, gradient - on


def scaled_start(weights: Any, factor: float) -> Any:
    """The weights with those of the first layer that has any multiplied by a factor."""
    i = _first(weights)
    return (*weights[:i], factor * weights[i], *weights[i + 1 :])


def zero_off(weights: Any, side: int, data_side: int) -> Any:
    """The weights with those of a dense first layer projected onto the data's subspace."""
    i = _first(weights)
    units = weights[i].T.reshape(-1, side, side, weights[i].shape[0] // side**2)
    flat = jnp.stack([projected(unit, data_side) for unit in units]).reshape(len(units), -1)
    return (*weights[:i], flat.T, *weights[i + 1 :])


def _first(weights: Any) -> int:
    return next(i for i, own in enumerate(weights) if isinstance(own, jnp.ndarray))
