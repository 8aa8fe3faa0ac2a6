"""Many seeds of one network at several image sizes: samples of the norms of its input gradients.

Seed s of a run has its own key, folded from the run's key and s; its weights, inputs and labels
are the same at every image size as far as the shapes allow (common random numbers), and do not
depend on how many seeds are computed at once, nor on which device. On a processor every core works
on seeds of its own: one image's operations are too small to be worth dividing. Several devices take
chunks of seeds in turn.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from queue import SimpleQueue
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim.models import digest, loading
from sim.networks import conditional, decompositions, gradients, layers, random_bits, winograd
from sim.running import memory
from sim.sampling import inputs
from theory.network import Conv, Network, output_shape, walk

MEMORY = {"cpu": 32 * 2**20, "gpu": 2 * 2**30}
"""Bytes that seeds computed side by side may take, as `bytes_per_seed` estimates them: what stays
near a processor's caches, and what keeps an accelerator busy."""

CHUNK = {"cpu": 16, "gpu": 64}
"""Seeds between two reports of progress, unless more are computed side by side."""

LARGE_SIDE = 64
"""From this side on images are large enough that better code is worth twice the compilation."""

SHARED = 2**28
"""Bytes of weights that may wait for their use at the next size."""


@dataclass(frozen=True)
class Draws:
    """What is drawn for every seed: at which inputs, how many, which norms of which gradients."""

    quantities: tuple[str, ...]
    norms: tuple[float, ...]
    input: str = "gaussian"
    inputs_per_seed: int = 1
    labels_per_seed: int = 1
    """Labels and logits over which the norms at an input are averaged."""
    seed: int = 0
    lazy: bool = True
    """Whether Gaussian matrices of dense layers stay unformed (`sim.networks.unformed`)."""
    integrate_first: bool = False
    """Whether norms are expectations over the first matrix (`sim.networks.conditional`)."""


def batch_size(network: Network, side: int, draws: Draws) -> int:
    """Seeds computed side by side: a power of two between 1 and 64 that fits `MEMORY`.

    On a processor 1 if there are convolutions (why: see `sim.networks.convolution`).
    """
    if _platform() == "cpu" and any(isinstance(layer, Conv) for layer in walk(network.body)):
        return 1
    fit = MEMORY[_platform()] // _bytes_per_seed(network, side, draws)
    return min(64, 2 ** max(0, fit.bit_length() - 1))


Samples = Float[np.ndarray, "sides seeds quantities norms"]
Advance = Callable[[int], None]
Keep = Callable[[int, np.ndarray, np.ndarray], None]
"""Called with a side, some seed indices, and their norms."""
Place = Any
"""Where a thread computes: a jax.Device (which has no type stub), or None for JAX's default one."""
Path = tuple[Any, ...]
"""Where an array is in a tree of weights, as JAX has it."""
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
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    seeds: int,
    batch: int | None = None,
    devices: Sequence[Place] | None = None,
) -> Callable[..., Samples]:
    """`sweep` for many calls, with about `seeds` seeds each, that share compiled functions.

    Each of the `devices` computes one chunk of seeds at a time (None: JAX's default device, and on
    a processor every core of it).

    The function returned takes seed indices, `advance` and, if samples are wanted as soon as they
    are there, `keep`; both may be called from other threads. With the same `batch`, samples are the
    same to the last bit, whichever other seeds and sides are asked for, and on however many devices
    of one kind.
    """
    shared = _shared(network, sides, draws)
    waiting = sum(leaf.size * leaf.dtype.itemsize for leaf in shared.values())
    classes = output_shape(network.body, network.input_shape(min(sides)))[0]
    places = _places(network, max(sides), draws, devices)
    workers = len(places)
    batches = [batch or batch_size(network, side, draws) for side in sides]
    many = min(CHUNK[_platform()], -(-seeds // workers), SHARED // max(1, waiting * workers))
    chunk = -(-max(1, many) // max(batches)) * max(batches)
    drawn_together = chunk + (chunk in batches)  # why one more: see `_mapped`

    def drawn(seeds: Any) -> Drawn:
        keys = jax.vmap(partial(_keys, draws.seed))(seeds)
        weights = jax.vmap(partial(_chosen, network, min(sides), draws, shared))(keys[0])
        labels = _labels(keys[2], draws.inputs_per_seed, classes)
        return weights, *keys[:2], labels

    some = np.zeros(drawn_together, np.int32)
    alone = memory.physical() < 2 * _bytes_per_seed(network, max(sides), draws)

    def compiled(task: tuple[Place, tuple[int, int] | None], _: Place) -> Callable[..., Any]:
        place, step = task
        with _on(place):
            if step is None:
                return _compile(_jitted(network, drawn).lower(some), alone, optimize=False)
            side, seeds_together = step
            one_seed = _seed_function(network, side, draws, shared)
            mapped = partial(_mapped, lambda task: one_seed(*task), seeds_together)
            arguments = jax.eval_shape(drawn, some), _images(network, side, some, draws)
            lowered = _jitted(network, mapped).lower(arguments, np.int32(0), np.int32(0))
            return _compile(lowered, alone, _is_worth_optimizing(network, side))

    steps = [None, *zip(sides, batches, strict=True)]
    tasks = list(product(dict.fromkeys(places), steps))
    found = _in_threads(compiled, tasks, [None] * workers)
    functions = dict(zip(tasks, found, strict=True))

    def run(seeds: Sequence[int], advance: Advance, keep: Keep | None = None) -> Samples:
        def samples_of(part: np.ndarray, place: Place) -> np.ndarray:
            # one compiled function serves all chunks; of the seeds drawn some may not be wanted
            rows, start = part % chunk, part[0] // chunk * chunk
            filled = (start + np.arange(drawn_together)).astype(np.int32)
            once, results = functions[place, None](filled), []
            for side, seeds_together in zip(sides, batches, strict=True):
                measure = functions[place, (side, seeds_together)]
                first, last = rows.min() // seeds_together, rows.max() // seeds_together
                given = once, _images(network, side, filled, draws)
                result = measure(given, np.int32(first), np.int32(last + 1))
                results.append(gradients.numbers(result)[rows])
                if keep is not None:
                    keep(side, part, results[-1])
                advance(len(part))
            return np.stack(results)

        wanted = np.asarray(seeds)
        if len(wanted) == 0:
            shape = (len(sides), 0, len(draws.quantities), len(draws.norms))
            return np.empty(shape)
        order = np.argsort(wanted // chunk, kind="stable")
        borders = np.flatnonzero(np.diff(wanted[order] // chunk)) + 1
        parts = np.split(wanted[order], borders)
        samples = np.concatenate(
            _in_threads(samples_of, parts, places, finish=keep is not None), axis=1
        )
        return samples[:, np.argsort(order)]

    return run


def _mapped(
    function: Callable[[Any], Any], together: int, tasks: Any, first: Array, stop: Array
) -> Any:
    """`function` of tasks (n, ...), so many at a time; of batches first to stop, zero elsewhere.

    XLA compiles the body as a part of what is around it, and rounds in another way, if it knows
    that it runs once. So the length of the loop is an argument, and n is more than one batch.
    """

    def batch(i: Array) -> Any:
        return jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, i * together, together), tasks
        )

    side_by_side = jax.jit(jax.vmap(function))  # traced once for its shape and for the loop

    def step(i: Array, results: Any) -> Any:
        some = side_by_side(batch(i))
        return jax.tree.map(
            lambda all_of_it, part: jax.lax.dynamic_update_slice_in_dim(
                all_of_it, part, i * together, axis=0
            ),
            results,
            some,
        )

    one = jax.eval_shape(side_by_side, jax.eval_shape(batch, first))
    count = len(jax.tree.leaves(tasks)[0])
    zeros = jax.tree.map(lambda x: jnp.zeros((count, *x.shape[1:]), x.dtype), one)
    return jax.lax.fori_loop(first, stop, step, zeros)


def _in_threads(
    work: Callable[[Any, Place], Any],
    tasks: Iterable[Any],
    places: Sequence[Place],
    finish: bool = False,
) -> list[Any]:
    """The results of `work(task, place)`, one thread for each place.

    With `finish`, an interruption waits for what is being computed.
    """
    x64 = jax.dtypes.canonicalize_dtype(float).itemsize == 8
    free: SimpleQueue[Place] = SimpleQueue()
    for place in places:
        free.put(place)

    def there(task: Any) -> Any:
        place = free.get()
        try:
            with jax.enable_x64(x64), _on(place):  # settings of one thread
                return work(task, place)
        finally:
            free.put(place)

    pool = ThreadPoolExecutor(len(places))
    try:
        return list(pool.map(there, tasks))
    finally:
        pool.shutdown(wait=finish, cancel_futures=True)


def _platform() -> str:
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _on(place: Place) -> AbstractContextManager[Any]:
    return nullcontext() if place is None else jax.default_device(place)


def _places(
    network: Network, side: int, draws: Draws, devices: Sequence[Place] | None
) -> list[Place]:
    """Where seeds are computed at the same time: the devices, or the cores of a processor.

    On a processor no more of them than the memory allows.
    """
    if _platform() != "cpu":
        return list(devices or [None])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fit = memory.physical() // _bytes_per_seed(network, side, draws)
    return list(devices or [None] * (cores or 1))[: max(1, fit)]


def _bytes_per_seed(network: Network, side: int, draws: Draws) -> int:
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    shape = network.input_shape(side)
    points = draws.inputs_per_seed * draws.labels_per_seed
    return memory.bytes_per_seed(network.body, shape, points, draws.lazy, itemsize)


def _is_worth_optimizing(network: Network, side: int) -> bool:
    """Whether the simulator's own convolutions (`sim.networks.winograd`) take most of the time."""
    return side >= LARGE_SIDE and any(
        winograd.pays(x.kernel, x.stride, x.dilation, side, x.channels)
        for x in walk(network.body)
        if isinstance(x, Conv)
    )


def _jitted(network: Network, function: Callable[..., Any]) -> Any:
    """`jax.jit`; a user's decompositions must not wait for each other (`decompositions`)."""
    is_own = any(isinstance(layer, loading.Own) for layer in walk(network.body))
    return jax.jit(decompositions.one_at_a_time(function) if is_own else function)


def _compile(lowered: Any, alone: bool, optimize: bool) -> Callable[..., gradients.Norms]:
    """On a processor the work is in library calls: optimizing the rest less, with the older of
    XLA's two code generators and without dividing the code, compiles in less than half the time
    and runs no slower (measured), except where `optimize` is set: there it takes twice as long to
    compile and two thirds of the time to run. A call is divided over cores only where the memory
    has room for one seed `alone`: divided sums round in another way, so this cannot depend on the
    other work.
    """
    if _platform() != "cpu":
        return lowered.compile()
    level = 3 if optimize else 1
    options = {"xla_backend_optimization_level": level, "xla_cpu_multi_thread_eigen": alone}
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


def _chosen(
    network: Network, side: int, draws: Draws, paths: Iterable[Path], key: Key[Array, ""]
) -> list[Array]:
    """Some of the arrays of weights."""
    leaves = dict(jax.tree.leaves_with_path(_weights(network, side, draws, key)))
    return [leaves[path] for path in paths]


@partial(jax.jit, static_argnums=(1, 2))
def _labels(keys: Key[Array, " n"], count: int, classes: int) -> Int[Array, "n count"]:
    return jax.vmap(lambda key: jax.random.randint(key, (count,), 0, classes))(keys)


def _shared(network: Network, sides: Sequence[int], draws: Draws) -> dict[Path, Any]:
    """Shapes of the weights that are the same at all sides, by their paths in the tree of weights.

    A user's initializer may use the side in any way, so weights of one shape need not be the same:
    those are that are computed alike from the key.
    """
    dtype = jax.dtypes.canonicalize_dtype(float)
    by_side = [_leaves(network, side, draws.lazy, dtype) for side in sides]
    first, *others = by_side
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
        weights = layers.init(network.body, key, network.input_shape(side), lazy)
        found = jax.tree.leaves_with_path(weights)
        paths[:] = [path for path, _ in found]
        return [leaf for _, leaf in found]

    shapes, digests = jax.eval_shape(leaves, key), digest.of_outputs(leaves, key)
    return dict(zip(paths, zip(shapes, digests, strict=True), strict=True))


def _seed_function(
    network: Network, side: int, draws: Draws, shared: Iterable[Path]
) -> Callable[[Drawn, Array | None], gradients.Norms]:
    """From what is drawn once for a seed, and its images, to the norms at one side."""

    def measure(drawn: Drawn, images: Array | None) -> gradients.Norms:
        given, weights_key, input_key, labels = drawn
        known = dict(zip(shared, given, strict=True))
        own = _weights(network, side, draws, weights_key)
        weights = jax.tree.map_with_path(known.get, own)
        xs = _inputs(network, side, draws, input_key, images)

        def at(x: Array, label: Array) -> gradients.Norms:
            chosen = label, draws.quantities, draws.norms, draws.labels_per_seed
            if not draws.integrate_first:
                return gradients.gradient_norms(network.body, weights, x, *chosen)
            body, behind, y, norm_of = conditional.after_first(network.body, weights, x)
            return gradients.gradient_norms(body, behind, y, *chosen, norm_of)

        return gradients.mean(jax.vmap(at, axis_name=layers.INPUTS)(xs, labels))

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
    if draws.input == "constant":
        return jnp.ones(stacked)
    return random_bits.draw(jax.random.normal, key, stacked)


Measure = Callable[[layers.Weights, Array, Array, Key[Array, ""]], Any]
"""From the weights, inputs and labels of a seed, and a key for what else is random, to a pytree."""


def measured(
    network: Network,
    side: int,
    seeds: Sequence[int],
    draws: Draws,
    measure: Measure,
    advance: Advance = lambda samples: None,
    keep: Callable[[np.ndarray, Any], None] | None = None,
) -> Any:
    """What `measure` gives for each seed index, stacked along a first axis, as NumPy arrays.

    The seeds have the networks, inputs and labels of `sweep` with the same `draws`, whose norms and
    quantities do not matter here. `advance` is called, perhaps from another thread, with the number
    of seeds just finished, and `keep` with these seeds and their results. With `keep`, results are
    the same to the last bit whichever other seeds are asked for.
    """
    together = 2**31 if keep is not None else len(seeds)
    return measurer(network, side, draws, measure, together)(seeds, advance, keep)


Paired = Callable[[layers.Weights, layers.Weights, Array, Array], Any]
"""From the weights of a seed, a second draw of them, inputs and labels, to a pytree."""


def paired(
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    measure_at: Callable[[int], Paired],
    seeds: int,
) -> Callable[..., list[Any]]:
    """For calls with about `seeds` seeds each: what `measure_at` gives at every side, by side.

    To compile random weights takes longer than to compile a gradient. So both draws of those that
    all sides share come from one compiled function, and serve all sides. The function returned
    takes seed indices and `advance`; its results are as those of `measured`.
    """
    shared, places = _shared(network, sides, draws), _places(network, max(sides), draws, None)
    alone = memory.physical() < 2 * _bytes_per_seed(network, max(sides), draws)
    waiting = 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in shared.values())
    fit = SHARED // max(1, waiting * len(places))
    chunk = max(1, min(4, -(-seeds // len(places)), fit))
    classes = output_shape(network.body, network.input_shape(min(sides)))[0]

    def drawn(seeds: Any) -> Drawn:
        keys = jax.vmap(partial(_keys, draws.seed))(seeds)
        more = jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys[2])
        both = jnp.stack([keys[0], more], axis=1)
        chosen = partial(_chosen, network, min(sides), draws, shared)
        weights = jax.vmap(jax.vmap(chosen))(both)
        return weights, both, keys[1], _labels(keys[2], draws.inputs_per_seed, classes)

    def function(side: int) -> Callable[[tuple[Drawn, Array | None]], Any]:
        measure = measure_at(side)

        def one(arguments: tuple[Drawn, Array | None]) -> Any:
            (given, both, input_key, labels), images = arguments
            known = dict(zip(shared, given, strict=True))
            own = jax.vmap(partial(_weights, network, side, draws))(both)
            weights = jax.tree.map_with_path(known.get, own)
            first, second = (jax.tree.map(lambda w, i=i: w[i], weights) for i in range(2))
            return measure(first, second, _inputs(network, side, draws, input_key, images), labels)

        return partial(jax.lax.map, one)

    def compiled(side: int | None, _: Place) -> Callable[..., Any]:
        if side is None:
            return _compile(_jitted(network, drawn).lower(some), alone, optimize=False)
        arguments = jax.eval_shape(drawn, some), _images(network, side, some, draws)
        lowered = _jitted(network, function(side)).lower(arguments)
        return _compile(lowered, alone, _is_worth_optimizing(network, side))

    some = np.zeros(chunk, np.int32)
    draw, *functions = _in_threads(compiled, [None, *sides], places)

    def run(seeds: Sequence[int], advance: Advance = lambda samples: None) -> list[Any]:
        def results(part: np.ndarray, _: Place) -> list[Any]:
            filled, found = np.resize(part, chunk), []
            once = draw(filled)
            for side, measure in zip(sides, functions, strict=True):
                values = measure((once, _images(network, side, filled, draws)))
                found.append(jax.tree.map(lambda leaf: np.asarray(leaf)[: len(part)], values))
                advance(len(part))
            return found

        wanted = np.asarray(seeds, np.int32)
        parts = np.split(wanted, range(chunk, len(wanted), chunk))
        found = _in_threads(results, parts, places)
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)

    return run


def measurer(
    network: Network, side: int, draws: Draws, measure: Measure, seeds: int
) -> Callable[..., Any]:
    """`measured` for several calls with about `seeds` seeds each, that share a compiled function.

    The function returned takes seed indices and, as `measured` does, `advance` and `keep`.
    """
    places = _places(network, side, draws, None)
    alone = memory.physical() < 2 * _bytes_per_seed(network, side, draws)
    chunk = min(4, -(-seeds // len(places)))
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

    lowered = _jitted(network, partial(jax.lax.map, one)).lower(
        arguments(np.arange(1, dtype=np.int32))
    )
    compiled = _compile(lowered, alone, _is_worth_optimizing(network, side))

    def run(
        seeds: Sequence[int],
        advance: Advance = lambda samples: None,
        keep: Callable[[np.ndarray, Any], None] | None = None,
    ) -> Any:
        def results(part: np.ndarray, _: Place) -> Any:
            values = compiled(arguments(part))
            found = jax.tree.map(lambda leaf: np.asarray(leaf)[: len(part)], values)
            if keep is not None:
                keep(part, found)
            advance(len(part))
            return found

        wanted = np.asarray(seeds, np.int32)
        parts = np.split(wanted, range(chunk, len(wanted), chunk))
        found = _in_threads(results, parts, places, finish=keep is not None)
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)

    return run
