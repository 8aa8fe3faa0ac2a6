"""What one seed draws: its keys, weights, inputs and labels, the same at every size.

Seed s of a run has its own key, folded from the run's key and s; its weights, inputs and labels are
the same at every image size as far as the shapes allow (common random numbers).
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim.models import digest
from sim.networks import layers, random_bits
from sim.sampling import inputs as real
from sim.sampling.draws import Draws
from theory.network import Network

Path = tuple[Any, ...]
"""Where an array is in a tree of weights, as JAX has it."""


@partial(jax.jit, static_argnums=0)
def keys(seed: int, index: Int[Array, ""]) -> tuple[Key[Array, ""], ...]:
    """The keys of a seed's weights, inputs and labels."""
    key = jax.random.fold_in(jax.random.key(seed), index)
    return tuple(jax.random.split(key, 3))


def weights(network: Network, side: int, draws: Draws, key: Key[Array, ""]) -> layers.Weights:
    """The weights of one seed for one image side, from their key."""
    return layers.init(network.body, key, network.input_shape(side), draws.lazy)


def chosen(
    network: Network, side: int, draws: Draws, paths: Iterable[Path], key: Key[Array, ""]
) -> list[Array]:
    """Those of the arrays of weights that are asked for."""
    leaves = dict(jax.tree.leaves_with_path(weights(network, side, draws, key)))
    return [leaves[path] for path in paths]


@partial(jax.jit, static_argnums=(1, 2))
def labels(keys: Key[Array, " n"], count: int, classes: int) -> Int[Array, "n count"]:
    """Uniform labels of so many inputs, from the key of each seed."""
    return jax.vmap(lambda key: jax.random.randint(key, (count,), 0, classes))(keys)


def shared(network: Network, sides: Sequence[int], draws: Draws) -> dict[Path, Any]:
    """The shapes of the weights that all sides share, by their paths in the tree of weights.

    A user's initializer may use the side in any way, so weights of one shape need not be the same;
    weights that are computed alike from the key are.
    """
    dtype = jax.dtypes.canonicalize_dtype(float)
    first, *others = [_leaves(network, side, draws.lazy, dtype) for side in sides]
    return {
        path: shape
        for path, (shape, found) in first.items()
        if all(path in other and other[path][1] == found for other in others)
    }


@lru_cache(maxsize=16)
def _leaves(
    network: Network, side: int, lazy: bool, dtype: np.dtype[Any]
) -> dict[Path, tuple[Any, str]]:
    """Shape and digest of every array of weights, for floats of this type.

    Kept, since a measurement and its prediction ask for the same.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    paths: list[Path] = []

    def leaves(key: Key[Array, ""]) -> list[Array]:
        drawn = layers.init(network.body, key, network.input_shape(side), lazy)
        found = jax.tree.leaves_with_path(drawn)
        paths[:] = [path for path, _ in found]
        return [leaf for _, leaf in found]

    shapes, digests = jax.eval_shape(leaves, key), digest.of_outputs(leaves, key)
    return dict(zip(paths, zip(shapes, digests, strict=True), strict=True))


def images(network: Network, side: int, seeds: np.ndarray, draws: Draws) -> np.ndarray | None:
    """The real images of some seeds; None if their inputs are random or constant."""
    if draws.input not in ("photo", "digits"):
        return None

    which = np.asarray(choices(draws.seed, draws.inputs_per_seed, seeds))
    return real.images(draws.input, which, side, network.channels)


@partial(jax.jit, static_argnums=(0, 1))
def choices(seed: int, inputs_per_seed: int, seeds: Array) -> Array:
    """Random integers that choose the images of each seed, the same at every size."""

    def choose(index: Array) -> Array:
        _, input_key, _ = keys(seed, index)
        return jax.random.randint(input_key, (inputs_per_seed,), 0, 2**30)

    return jax.vmap(choose)(seeds)


def inputs(
    network: Network, side: int, draws: Draws, key: Key[Array, ""], images: Array | None
) -> Float[Array, "n side side channels"]:
    """The inputs of one seed: its images, if there are any, or what its key gives."""
    stacked = (draws.inputs_per_seed, *network.input_shape(side))
    if images is not None:
        return images.astype(jax.dtypes.canonicalize_dtype(float))
    if draws.input == "constant":
        return jnp.ones(stacked)
    return random_bits.draw(jax.random.normal, key, stacked)
