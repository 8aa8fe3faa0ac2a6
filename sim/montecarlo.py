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
Keep = Callable[[int, np.ndarray, np.ndarray], None]
"""Called with a side, some seed indices, and their norms."""
Drawn = tuple[list[Array], Key[Array, "..."], Key[Array, "..."], Int[Array, "..."]]
"""Of one seed or several: weights that all sides share, keys of weights and inputs, labels."""


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
) -> Callable[..., Samples]:
    """`sweep` for many calls, with about `seeds` seeds each, that share compiled functions.

    The function returned takes seed indices, `advance` and, if samples are wanted as soon as they
    are there, `keep`; both may be called from other threads. A seed is always computed at the same
    place of a chunk of the same length, so its samples are the same, to the last bit, whichever
    other seeds and sides are asked for.
    """
    shared = _shared(network, sides, draws)
    waiting = sum(leaf.size * leaf.dtype.itemsize for leaf in shared if leaf is not None)
    classes = output_shape(network.body, network.input_shape(min(sides)))[0]
    workers = _workers(network, max(sides), draws)
    batches = [batch or batch_size(network, side, draws) for side in sides]
    many = min(CHUNK[_platform()], -(-seeds // workers), SHARED // max(1, waiting * workers))
    chunk = -(-max(1, many) // max(batches)) * max(batches)

    def drawn(seeds: Any) -> Drawn:
        keys = jax.vmap(partial(_keys, draws.seed))(seeds)
        kept = zip(
            jax.vmap(partial(_leaves, network, min(sides), draws))(keys[0]), shared, strict=True
        )
        labels = _labels(keys[2], draws.inputs_per_seed, classes)
        return [leaf for leaf, shape in kept if shape is not None], *keys[:2], labels

    def compiled(task: tuple[int, int]) -> Callable[..., Array]:
        side, seeds_together = task
        one_seed = _seed_function(network, side, draws, shared)
        mapped = partial(jax.lax.map, lambda task: one_seed(*task), batch_size=seeds_together)
        some = np.zeros(chunk, np.int32)
        arguments = jax.eval_shape(drawn, some), _images(network, side, some, draws)
        return _compile(jax.jit(mapped).lower(arguments), workers)

    measures = _in_threads(compiled, zip(sides, batches, strict=True), workers)

    def run(seeds: Sequence[int], advance: Advance, keep: Keep | None = None) -> Samples:
        def samples_of(part: np.ndarray) -> np.ndarray:
            # one compiled function serves all chunks, also those of which only a part is wanted
            places = part % chunk
            filled = (part[0] - places[0] + np.arange(chunk)).astype(np.int32)
            once, results = drawn(filled), []
            for side, measure in zip(sides, measures, strict=True):
                result = measure((once, _images(network, side, filled, draws)))
                results.append(np.asarray(result)[places])
                if keep is not None:
                    keep(side, part, results[-1])
                advance(len(part))
            return np.stack(results)

        wanted = np.asarray(seeds)
        order = np.argsort(wanted // chunk, kind="stable")
        borders = np.flatnonzero(np.diff(wanted[order] // chunk)) + 1
        parts = np.split(wanted[order], borders)
        samples = np.concatenate(
            _in_threads(samples_of, parts, workers, finish=keep is not None), axis=1
        )
        return samples[:, np.argsort(order)]

    return run


def _in_threads(
    work: Callable[[Any], Any], tasks: Iterable[Any], workers: int, finish: bool = False
) -> list[Any]:
    """The results of `work`; with `finish`, an interruption waits for what is being computed."""
    x64 = jax.dtypes.canonicalize_dtype(float).itemsize == 8

    def there(task: Any) -> Any:
        with jax.enable_x64(x64):  # a setting of one thread
            return work(task)

    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(there, tasks))
    finally:
        pool.shutdown(wait=finish, cancel_futures=True)


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


def _compile(lowered: Any, workers: int) -> Callable[..., Array]:
    """On a processor the work is in library calls: optimizing the rest less, with the older of
    XLA's two code generators and without dividing the code, compiles in less than half the time
    and runs no slower (measured). Several workers leave no core over which to divide one call.
    """
    if _platform() != "cpu":
        return lowered.compile()
    options = {"xla_backend_optimization_level": 1, "xla_cpu_multi_thread_eigen": workers == 1}
    faster = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
    try:
        return lowered.compile(options | faster)
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return lowered.compile(options)


@partial(jax.jit, static_argnums=0)
def _keys(seed: int, index: Int[Array, ""]) -> tuple[Key[Array, ""], ...]:
    """The keys of a seed's weights, inputs and labels."""
    key = jax.random.fold_in(jax.random.key(seed), index)
    return tuple(jax.random.split(key, 3))


def _weights(network: Network, side: int, draws: Draws, key: Key[Array, ""]) -> layers.Weights:
    return layers.init(network.body, key, network.input_shape(side), draws.lazy)


def _leaves(network: Network, side: int, draws: Draws, key: Key[Array, ""]) -> list[Array]:
    return jax.tree.leaves(_weights(network, side, draws, key))


@partial(jax.jit, static_argnums=(1, 2))
def _labels(keys: Key[Array, " n"], count: int, classes: int) -> Int[Array, "n count"]:
    return jax.vmap(lambda key: jax.random.randint(key, (count,), 0, classes))(keys)


def _shared(network: Network, sides: Sequence[int], draws: Draws) -> list[Any]:
    """Shapes of the weights that are the same at all sides, None for the others.

    Weights of the same shape are the same: their keys and variances know nothing else of the side.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    by_side = [jax.eval_shape(partial(_leaves, network, side, draws), key) for side in sides]
    return [same[0] if len(set(same)) == 1 else None for same in zip(*by_side, strict=True)]


def _seed_function(
    network: Network, side: int, draws: Draws, shared: list[Any]
) -> Callable[[Drawn, Array | None], Array]:
    """From what is drawn once for a seed, and its images, to the norms at one side."""

    def measure(drawn: Drawn, images: Array | None) -> Float[Array, "quantities norms"]:
        given, weights_key, input_key, labels = drawn
        leaves, structure = jax.tree.flatten(_weights(network, side, draws, weights_key))
        known = iter(given)
        both = zip(leaves, shared, strict=True)
        weights = structure.unflatten(leaf if same is None else next(known) for leaf, same in both)
        xs = _inputs(network, side, draws, input_key, images)

        def at(x: Array, label: Array) -> Array:
            return gradient_norms(network.body, weights, x, label, draws.quantities, draws.norms)

        return jax.vmap(at)(xs, labels).mean(axis=0)

    return measure


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


def _inputs(
    network: Network, side: int, draws: Draws, key: Key[Array, ""], images: Array | None
) -> Float[Array, "n side side channels"]:
    """The inputs of one seed: its images, if there are any, or what its key gives."""
    stacked = (draws.inputs_per_seed, *network.input_shape(side))
    if images is not None:
        return images.astype(jax.dtypes.canonicalize_dtype(float))
    return jnp.ones(stacked) if draws.input == "constant" else jax.random.normal(key, stacked)


Measure = Callable[[layers.Weights, Array, Array, Key[Array, ""]], Any]
"""From the weights, inputs and labels of a seed, and a key for what else is random, to a pytree."""


def measured(
    network: Network,
    side: int,
    seeds: Sequence[int],
    draws: Draws,
    measure: Measure,
    advance: Advance = lambda samples: None,
) -> Any:
    """What `measure` gives for each seed index, stacked along a first axis, as NumPy arrays.

    The seeds have the networks, inputs and labels of `sweep` with the same `draws`, whose norms and
    quantities do not matter here. `advance` is called, perhaps from another thread, with the number
    of seeds just finished.
    """
    workers = _workers(network, side, draws)
    wanted = np.asarray(seeds, np.int32)
    chunk = min(4, -(-len(wanted) // workers))
    classes = output_shape(network.body, network.input_shape(side))[0]

    def one(arguments: tuple[Array, Array | None]) -> Any:
        index, images = arguments
        weights_key, input_key, label_key = _keys(draws.seed, index)
        weights = _weights(network, side, draws, weights_key)
        xs = _inputs(network, side, draws, input_key, images)
        labels = _labels(label_key[None], draws.inputs_per_seed, classes)[0]
        return measure(weights, xs, labels, jax.random.fold_in(label_key, 1))

    def arguments(part: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        filled = np.resize(part, chunk)
        return filled, _images(network, side, filled, draws)

    lowered = jax.jit(partial(jax.lax.map, one)).lower(arguments(wanted))
    compiled = _compile(lowered, workers)

    def results(part: np.ndarray) -> Any:
        found = jax.tree.map(lambda leaf: np.asarray(leaf)[: len(part)], compiled(arguments(part)))
        advance(len(part))
        return found

    parts = np.split(wanted, range(chunk, len(wanted), chunk))
    found = _in_threads(results, parts, workers)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
