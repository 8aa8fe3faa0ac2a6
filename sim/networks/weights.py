"""Draws of weight matrices from the initializers of `theory.initializers`."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Float, Key

from sim.networks import random_bits
from theory.initializers import Initializer, Orthogonal

# standard deviation of a standard normal variable truncated to [-2, 2]
TRUNCATED_STD = 0.87962566103423978


@partial(jax.jit, static_argnums=(1, 2, 3, 4))
def draw(
    key: Key[Array, ""], init: Initializer, rows: int, columns: int, variance: float
) -> Float[Array, "rows columns"]:
    """A (inputs × outputs) matrix of weights with mean 0 and the given variance.

    Rows are drawn in order: for the same key, a matrix with more rows begins with the rows of a
    smaller one. That makes the weights at different image sizes common random numbers. (The
    orthogonal scheme, whose entries are not independent, is the exception.)
    """
    # mapped over keys: random bits of one key at a time come out faster by a half (measured)
    return sequential_vmap(partial(_draw, init, rows, columns, variance))(key)


def _draw(
    init: Initializer, rows: int, columns: int, variance: float, key: Key[Array, ""]
) -> Float[Array, "rows columns"]:
    shape = (rows, columns)
    if isinstance(init, Orthogonal):
        tall = jax.random.orthogonal(key, max(shape), m=min(shape))
        matrix = tall if rows >= columns else tall.T
        return jnp.sqrt(variance * max(shape)) * matrix
    # a variance may be too small or too large for float32 where its root is not
    exponent = int(math.frexp(variance)[1]) // 2
    # by NumPy: a number that JAX has neither to trace nor to compile
    real = jax.dtypes.canonicalize_dtype(float).type
    scale = np.ldexp(np.sqrt(real(variance * 4.0**-exponent)), exponent)
    if init.distribution == "truncated-normal":
        scale = scale * real(1 / TRUNCATED_STD)
    return scale * random_bits.draw(SAMPLERS[init.distribution], key, shape)


SAMPLERS: dict[str, random_bits.Sampler] = {
    "normal": jax.random.normal,
    "uniform": lambda key, shape: jax.random.uniform(key, shape, minval=-(3**0.5), maxval=3**0.5),
    "truncated-normal": lambda key, shape: jax.random.truncated_normal(key, -2.0, 2.0, shape),
    "rademacher": lambda key, shape: jax.random.rademacher(key, shape, float),
}
"""Draws of variance 1, but for the truncated ones."""
