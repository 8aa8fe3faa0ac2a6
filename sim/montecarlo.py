"""Many seeds of one network at one image size: samples of the norms of its input gradients.

Seed s of a run has its own key, folded from the run's key and s; its weights, inputs and labels
are the same at every image size as far as the shapes allow (common random numbers), and do not
depend on how many seeds are computed at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim import inputs, layers
from sim.gradients import gradient_norms
from sim.memory import bytes_per_seed
from theory.network import Network, output_shape

MEMORY = {"cpu": 32 * 2**20, "gpu": 2 * 2**30}
"""Bytes that seeds computed side by side may take, as `bytes_per_seed` estimates them: what stays
near a processor's caches, and what keeps an accelerator busy."""

CHUNK = 64
"""Seeds between two reports of progress, at most."""


@dataclass(frozen=True)
class Draws:
    """What is drawn for every seed: at which inputs, how many, which norms of which gradients."""

    quantities: tuple[str, ...]
    norms: tuple[float, ...]
    input: str = "gaussian"
    inputs_per_seed: int = 1
    seed: int = 0
    lazy: bool = True
    """Whether Gaussian matrices of dense layers stay unformed (`sim.lazy`)."""


def batch_size(network: Network, side: int, draws: Draws) -> int:
    """Seeds computed side by side: a power of two between 1 and `CHUNK` that fits `MEMORY`."""
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    shape = network.input_shape(side)
    memory = MEMORY["cpu" if jax.default_backend() == "cpu" else "gpu"]
    fit = memory // bytes_per_seed(network.body, shape, draws.inputs_per_seed, draws.lazy, itemsize)
    return min(CHUNK, 2 ** max(0, fit.bit_length() - 1))


def sample(
    network: Network,
    side: int,
    seeds: Sequence[int],
    draws: Draws,
    batch: int | None = None,
    advance: Callable[[int], None] = lambda seeds: None,
) -> Float[np.ndarray, "seeds quantities norms"]:
    """Norms of input gradients for each seed index in `seeds`, averaged over the seed's inputs.

    `batch` seeds are computed side by side (None: as `batch_size` says); the samples do not depend
    on it beyond rounding. `advance` is called with the number of seeds just finished. Samples that
    are not finite are returned as they are.
    """
    batch = min(batch or batch_size(network, side, draws), len(seeds))
    chunk = min(max(CHUNK // batch, 1), -(-len(seeds) // batch)) * batch
    one_seed = _seed_function(network, side, draws)

    @partial(jax.jit, compiler_options=_compiler_options())
    def measure(indices: Array, images: Array | None) -> Array:
        return jax.lax.map(lambda drawn: one_seed(*drawn), (indices, images), batch_size=batch)

    results = []
    for start in range(0, len(seeds), chunk):
        part = np.asarray(seeds[start : start + chunk])
        # the last chunk is filled up, so that one compiled function serves all
        filled = np.resize(part, chunk)
        result = measure(filled, _images(network, side, filled, draws))
        results.append(np.asarray(result)[: len(part)])
        advance(len(part))
    return np.concatenate(results)


def _compiler_options() -> dict[str, int]:
    # on the processor the work is in matrix products, which are library calls: optimizing the rest
    # less makes compilation a third shorter and execution no slower
    return {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else {}


def _keys(seed: int, index: Int[Array, ""]) -> tuple[Key[Array, ""], ...]:
    key = jax.random.fold_in(jax.random.key(seed), index)
    return tuple(jax.random.split(key, 3))


def _images(network: Network, side: int, seeds: np.ndarray, draws: Draws) -> np.ndarray | None:
    if draws.input not in ("photo", "digits"):
        return None

    choices = np.asarray(_choices(draws.seed, draws.inputs_per_seed, seeds))
    return inputs.images(draws.input, choices, side, network.channels)


@partial(jax.jit, static_argnums=(0, 1))
def _choices(seed: int, inputs_per_seed: int, seeds: Array) -> Array:
    """Random integers that choose the images of each seed, the same at every size."""

    def choose(index: Array) -> Array:
        _, input_key, _ = _keys(seed, index)
        return jax.random.randint(input_key, (inputs_per_seed,), 0, 2**30)

    return jax.vmap(choose)(seeds)


def _seed_function(network: Network, side: int, draws: Draws) -> Callable[..., Array]:
    shape = network.input_shape(side)
    classes = output_shape(network.body, shape)[0]

    def measure(index: Int[Array, ""], images: Array | None) -> Float[Array, "quantities norms"]:
        weights_key, input_key, label_key = _keys(draws.seed, index)
        weights = layers.init(network.body, weights_key, shape, draws.lazy)
        stacked = (draws.inputs_per_seed, *shape)
        if images is not None:
            xs = images.astype(jax.dtypes.canonicalize_dtype(float))
        elif draws.input == "constant":
            xs = jnp.ones(stacked)
        else:
            xs = jax.random.normal(input_key, stacked)
        labels = jax.random.randint(label_key, (draws.inputs_per_seed,), 0, classes)

        def at(x: Array, label: Array) -> Array:
            return gradient_norms(network.body, weights, x, label, draws.quantities, draws.norms)

        return jax.vmap(at)(xs, labels).mean(axis=0)

    return measure
