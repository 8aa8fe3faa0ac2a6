"""Many seeds of one network at several image sizes: samples of the norms of its input gradients.

Seed s of a run has its own key, folded from the run's key and s; its weights, inputs and labels
are the same at every image size as far as the shapes allow (common random numbers), and do not
depend on how many seeds are computed at once. On a processor every core works on seeds of its own:
one image's operations are too small to be worth dividing.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim import inputs, layers, memory
from sim.gradients import gradient_norms
from theory.network import Conv, Network, output_shape, walk

MEMORY = {"cpu": 32 * 2**20, "gpu": 2 * 2**30}
"""Bytes that seeds computed side by side may take, as `bytes_per_seed` estimates them: what stays
near a processor's caches, and what keeps an accelerator busy."""

CHUNK = {"cpu": 16, "gpu": 64}
"""Seeds between two reports of progress, unless more are computed side by side."""

SHARED = 2**28
"""Bytes of weights that may wait for their use at the next size."""


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
    """Seeds computed side by side: a power of two between 1 and 64 that fits `MEMORY`.

    On a processor 1 if there are convolutions (why: see `sim.convolution`).
    """
    if _platform() == "cpu" and any(isinstance(layer, Conv) for layer in walk(network.body)):
        return 1
    fit = MEMORY[_platform()] // _bytes_per_seed(network, side, draws)
    return min(64, 2 ** max(0, fit.bit_length() - 1))


Samples = Float[np.ndarray, "sides seeds quantities norms"]
Advance = Callable[[int], None]


def sample(
    network: Network,
    side: int,
    seeds: Sequence[int],
    draws: Draws,
    batch: int | None = None,
    advance: Advance = lambda samples: None,
) -> Float[np.ndarray, "seeds quantities norms"]:
    """Norms of input gradients at one side for each seed index: what `sweep` gives there."""
    return sweep(network, (side,), seeds, draws, batch, advance)[0]


def sweep(
    network: Network,
    sides: Sequence[int],
    seeds: Sequence[int],
    draws: Draws,
    batch: int | None = None,
    advance: Advance = lambda samples: None,
) -> Samples:
    """Norms of input gradients at each side for each seed index, averaged over the seed's inputs.

    `batch` seeds are computed side by side (None: as `batch_size` says); the samples do not depend
    on it beyond rounding. `advance` is called, perhaps from another thread, with the number of
    seeds just finished at one side. Samples that are not finite are returned as they are.
    """
    return sampler(network, sides, draws, len(seeds), batch)(seeds, advance)


def sampler(
    network: Network, sides: Sequence[int], draws: Draws, seeds: int, batch: int | None = None
) -> Callable[[Sequence[int], Advance], Samples]:
    """`sweep` for many calls, with about `seeds` seeds each, that share compiled functions."""
    shared = _shared(network, sides, draws)
    waiting = sum(leaf.size * leaf.dtype.itemsize for leaf in shared if leaf is not None)
    workers = _workers(network, max(sides), draws)
    batches = [min(batch or batch_size(network, side, draws), seeds) for side in sides]
    many = min(CHUNK[_platform()], -(-seeds // workers), SHARED // max(1, waiting * workers))
    chunk = -(-max(1, many) // max(batches)) * max(batches)

    def compiled(task: tuple[Callable[..., Array], int, Any]) -> Callable[..., Array]:
        one_seed, batch, arguments = task
        mapped = partial(jax.lax.map, lambda drawn: one_seed(*drawn), batch_size=batch)
        stacked = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((chunk, *leaf.shape), leaf.dtype), arguments
        )
        return jax.jit(mapped).lower(stacked).compile(_compiler_options(workers))

    index, given = jax.ShapeDtypeStruct((), np.int32), [x for x in shared if x is not None]
    tasks: list[tuple[Any, int, Any]] = [
        (_draw_function(network, sides[0], draws, shared), 1, (index,))
    ]
    for side, seeds_together in zip(sides, batches, strict=True):
        measure = _seed_function(network, side, draws, shared)
        tasks.append((measure, seeds_together, (index, given, _image_type(network, side, draws))))
    draw, *measures = _in_threads(compiled, tasks, workers)

    def run(seeds: Sequence[int], advance: Advance) -> Samples:
        def samples_of(part: np.ndarray) -> np.ndarray:
            # the last chunk is filled up, so that one compiled function serves all
            filled = np.resize(part, chunk).astype(np.int32)
            weights, results = draw((filled,)), []
            for side, measure in zip(sides, measures, strict=True):
                result = measure((filled, weights, _images(network, side, filled, draws)))
                results.append(np.asarray(result)[: len(part)])
                advance(len(part))
            return np.stack(results)

        parts = [np.asarray(seeds[start : start + chunk]) for start in range(0, len(seeds), chunk)]
        return np.concatenate(_in_threads(samples_of, parts, workers), axis=1)

    return run


def _in_threads(work: Callable[[Any], Any], tasks: Iterable[Any], workers: int) -> list[Any]:
    x64 = jax.config.read("jax_enable_x64")

    def there(task: Any) -> Any:
        with jax.enable_x64(x64):  # a setting of one thread
            return work(task)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(there, tasks))


def _platform() -> str:
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _workers(network: Network, side: int, draws: Draws) -> int:
    """Threads that compute seeds: the cores of a processor, as far as the memory goes."""
    if _platform() != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, memory.physical() // _bytes_per_seed(network, side, draws)))


def _bytes_per_seed(network: Network, side: int, draws: Draws) -> int:
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    shape = network.input_shape(side)
    return memory.bytes_per_seed(network.body, shape, draws.inputs_per_seed, draws.lazy, itemsize)


def _compiler_options(workers: int) -> dict[str, int | bool]:
    # on a processor the work is in library calls: optimizing the rest less makes compilation a
    # third shorter and execution no slower; several workers leave no core to divide one call over
    if _platform() != "cpu":
        return {}
    return {"xla_backend_optimization_level": 1, "xla_cpu_multi_thread_eigen": workers == 1}


def _keys(seed: int, index: Int[Array, ""]) -> tuple[Key[Array, ""], ...]:
    key = jax.random.fold_in(jax.random.key(seed), index)
    return tuple(jax.random.split(key, 3))


def _weights(network: Network, side: int, draws: Draws, index: Int[Array, ""]) -> layers.Weights:
    shape = network.input_shape(side)
    return layers.init(network.body, _keys(draws.seed, index)[0], shape, draws.lazy)


def _shared(network: Network, sides: Sequence[int], draws: Draws) -> list[Any]:
    """Shapes of the weights that are the same at all sides; None for the others, and for keys."""
    index = jax.ShapeDtypeStruct((), np.int32)
    by_side = [
        jax.tree.leaves(jax.eval_shape(partial(_weights, network, side, draws), index))
        for side in sides
    ]
    return [
        None
        if len(set(same)) > 1 or jnp.issubdtype(same[0].dtype, jax.dtypes.prng_key)
        else same[0]
        for same in zip(*by_side, strict=True)
    ]


def _draw_function(
    network: Network, side: int, draws: Draws, shared: list[Any]
) -> Callable[..., list[Array]]:
    """From the index of a seed to its weights that all sides share."""

    def draw(index: Int[Array, ""]) -> list[Array]:
        leaves = jax.tree.leaves(_weights(network, side, draws, index))
        return [leaf for leaf, kept in zip(leaves, shared, strict=True) if kept is not None]

    return draw


def _seed_function(
    network: Network, side: int, draws: Draws, shared: list[Any]
) -> Callable[..., Array]:
    """From the index of a seed, its shared weights and its images to the norms at one side."""
    shape = network.input_shape(side)
    classes = output_shape(network.body, shape)[0]

    def measure(
        index: Int[Array, ""], given: list[Array], images: Array | None
    ) -> Float[Array, "quantities norms"]:
        _, input_key, label_key = _keys(draws.seed, index)
        leaves, structure = jax.tree.flatten(_weights(network, side, draws, index))
        known = iter(given)
        merged = [
            leaf if kept is None else next(known) for leaf, kept in zip(leaves, shared, strict=True)
        ]
        weights = jax.tree.unflatten(structure, merged)
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


def _images(network: Network, side: int, seeds: np.ndarray, draws: Draws) -> np.ndarray | None:
    if draws.input not in ("photo", "digits"):
        return None

    choices = np.asarray(_choices(draws.seed, draws.inputs_per_seed, seeds))
    return inputs.images(draws.input, choices, side, network.channels)


def _image_type(network: Network, side: int, draws: Draws) -> jax.ShapeDtypeStruct | None:
    if draws.input not in ("photo", "digits"):
        return None
    return jax.ShapeDtypeStruct((draws.inputs_per_seed, *network.input_shape(side)), np.float32)


@partial(jax.jit, static_argnums=(0, 1))
def _choices(seed: int, inputs_per_seed: int, seeds: Array) -> Array:
    """Random integers that choose the images of each seed, the same at every size."""

    def choose(index: Array) -> Array:
        _, input_key, _ = _keys(seed, index)
        return jax.random.randint(input_key, (inputs_per_seed,), 0, 2**30)

    return jax.vmap(choose)(seeds)
