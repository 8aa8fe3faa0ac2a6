"""JAX's random numbers, bit for bit, in half the time on a processor.

There JAX computes the twenty rounds of Threefry-2×32 in a loop over rounds, each of which reads and
writes all the bits. Here the rounds are written out and the loop is over blocks of numbers, so that
XLA makes one pass of the bits of a block and of what they become. (Without a loop around it XLA
merges the draw with what reads it, or gives up, and computes each round by itself.) Measured by
`python -m benchmarks --only machine`.

J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl
from jaxtyping import Array, Key, UInt, UInt32

NAME = "threefry2x32"
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA

BLOCK = 4096
"""Numbers in one step of the loop, at most; there are at least two steps."""

Sampler = Callable[[Key[Array, ""], tuple[int, ...]], Array]


def draw(sampler: Sampler, key: Key[Array, ""], shape: tuple[int, ...]) -> Array:
    """`sampler(key, shape)`, for a function of `jax.random` that draws every number by itself.

    Such a function turns the i-th word of the generator into the i-th number: `normal`, `uniform`,
    `truncated_normal`, `rademacher`.
    """
    count = math.prod(shape)
    if str(jax.random.key_impl(key)) != NAME or not 2 <= count < 2**32:
        return sampler(key, shape)
    steps = max(2, -(-count // BLOCK))
    size = -(-count // steps)
    raw = jax.random.key_data(key)

    def block(first: UInt32[Array, ""]) -> Array:
        later = jnp.concatenate([raw, first[None]])
        return sampler(jax.random.wrap_key_data(later, impl=LATER), (size,))

    numbers = jax.lax.map(block, np.uint32(size) * jnp.arange(steps, dtype=np.uint32))
    return numbers.reshape(-1)[:count].reshape(shape)


def _random_bits(
    key: UInt32[Array, "3"], bit_width: int, shape: tuple[int, ...]
) -> UInt[Array, "..."]:
    """Words of a key that follow the first `key[2]` ones."""
    low = key[2] + jax.lax.iota(jnp.uint32, math.prod(shape))
    high, low = _cipher(key[0], key[1], jnp.zeros_like(low), low)
    if bit_width == 32:
        return (high ^ low).reshape(shape)
    if bit_width == 64:
        return ((high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64)).reshape(shape)
    raise NotImplementedError(f"random words of {bit_width} bits")


def _cipher(key0: Array, key1: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Threefry-2×32 with 20 rounds, of each pair of words of 32 bits."""
    keys = (key0, key1, key0 ^ key1 ^ np.uint32(PARITY))
    high, low = high + keys[0], low + keys[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            high = high + low
            turned = (low << np.uint32(rotation)) | (low >> np.uint32(32 - rotation))
            low = turned ^ high
        high = high + keys[(group + 1) % 3]
        low = low + keys[(group + 2) % 3] + np.uint32(group + 1)
    return high, low


def _nothing_else(*_: object) -> Array:
    raise NotImplementedError("a key that begins later is for one draw")


LATER = define_prng_impl(
    key_shape=(3,),
    seed=_nothing_else,
    split=_nothing_else,
    random_bits=_random_bits,
    fold_in=_nothing_else,
    name="threefry2x32 that begins later",
    tag="later",
)
"""Keys of two words and the number of words left out."""
