"""Many seeds of one network at several image sizes: samples of whatever is measured of it.

Samples do not depend on how many seeds are computed at once, nor on which device. On a processor
every core works on seeds of its own: one image's operations are too small to be worth dividing.
Several devices take chunks of seeds in turn.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from sim.networks import layers
from sim.running import memory
from sim.sampling import chunks, traced
from sim.sampling import seeds as of_seed
from sim.sampling.compiling import (
    Place,
    bytes_per_seed,
    compiled,
    in_threads,
    is_own,
    jitted,
    on,
    once,
    places,
    platform,
)
from sim.sampling.draws import Draws
from theory.network import Network, output_shape

Measure = Callable[[layers.Weights, Array, Array, Key[Array, ""]], Any]
"""From the weights, inputs and labels of a seed, and a key for what else is random, to a pytree."""

Advance = Callable[[int], None]
"""Called, perhaps from another thread, with the number of seeds just finished at one side."""

Keep = Callable[[int, np.ndarray, Any], None]
"""Called, perhaps from another thread, with a side, some seed indices, and their results."""

Drawn = tuple[list[Array], Key[Array, "..."], Key[Array, "..."], Int[Array, "..."], Any]
"""Of one seed or several: weights that all sides share, keys of weights and inputs, labels, and the
key of what else is random."""


def batch_size(network: Network, side: int, draws: Draws) -> int:
    """How many seeds are computed side by side (`sim.sampling.chunks`)."""
    return chunks.side_by_side(network, bytes_per_seed(network, side, draws), platform())


def arrays(found: Any) -> Any:
    """The same pytree, with NumPy arrays."""
    return jax.tree.map(np.asarray, found)


def sampler(
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    measure_at: Callable[[int], Measure],
    seeds: int,
    batch: int | None = 0,
    devices: Sequence[Place] | None = None,
    finished: Callable[[Any], Any] = arrays,
    paired: bool = False,
    measured: traced.Name = None,
) -> Callable[..., list[Any]]:
    """What samples a network for many calls that share compiled functions.

    Args:
        network: a described network or a user's own model.
        sides: of the images.
        draws: what is drawn for every seed.
        measure_at: what is measured of a seed, by side.
        seeds: about how many seeds a call will ask for.
        batch: seeds computed side by side (None: as `batch_size` says; 0: one after the other,
            which may round in another way than a batch of one).
        devices: each computes one chunk of seeds at a time (None: JAX's default device, and on a
            processor every core of it).
        finished: from the results of a chunk to NumPy arrays along a first axis.
        paired: give `measure_at` the weights of another seed in the place of the key: seeds 2i and
            2i + 1 have each other's. Calls then ask for whole pairs, with a `batch` of 0.
        measured: plain data that tell `measure_at` from whatever else is measured of the same
            described network and draws: a later run finds it traced (`sim.sampling.traced`).

    Returns:
        A function of seed indices, `Advance` and, if samples are wanted as soon as they are there,
        `Keep`, that gives the results of every side, stacked along a first axis. With the same
        `batch`, they are the same to the last bit, whichever other seeds and sides are asked for,
        and on however many devices of one kind; with another one, up to rounding.
    """
    shared = of_seed.shared(network, sides, draws)
    waiting = sum(leaf.size * leaf.dtype.itemsize for leaf in shared.values())
    where = places(network, max(sides), draws, devices)
    workers = len(where)
    alone = 2 if paired else 1
    batches = [alone if batch == 0 else batch or batch_size(network, side, draws) for side in sides]
    batched = _one if batch == 0 else jax.vmap
    chunk = chunks.length(batches, seeds, workers, waiting, platform())
    drawn_together = chunk + (chunk in batches)  # why one more: see `_mapped`

    some = np.zeros(drawn_together, np.int32)
    steps = list(zip(sides, batches, strict=True))
    alike = {str(path): shape for path, shape in shared.items()}
    described = (measured, network, draws, alike, batch == 0, paired)
    name = None if measured is None or is_own(network) else described
    functions = _compiled(
        network, draws, measure_at, batched, shared, some, steps, where, paired, name
    )

    def run(
        seeds: Sequence[int],
        advance: Advance = lambda samples: None,
        keep: Keep | None = None,
    ) -> list[Any]:
        def samples_of(part: np.ndarray, place: Place) -> list[Any]:
            # one compiled function serves all chunks; of the seeds drawn some may not be wanted
            rows, start = part % chunk, part[0] // chunk * chunk
            filled = (start + np.arange(drawn_together)).astype(np.int32)
            once, results = functions[place, None](filled), []
            for side, seeds_together in zip(sides, batches, strict=True):
                measure = functions[place, (side, seeds_together)]
                first, last = rows.min() // seeds_together, rows.max() // seeds_together
                given = once, of_seed.images(network, side, filled, draws)
                result = finished(measure(given, np.int32(first), np.int32(last + 1)))
                results.append(jax.tree.map(lambda leaf: leaf[rows], result))
                if keep is not None:
                    keep(side, part, results[-1])
                advance(len(part))
            return results

        wanted = np.asarray(seeds)
        if len(wanted) == 0:  # results of no seed have a shape, too
            return jax.tree.map(lambda leaf: leaf[:0], run(range(1)))
        order = np.argsort(wanted // chunk, kind="stable")
        borders = np.flatnonzero(np.diff(wanted[order] // chunk)) + 1
        parts = np.split(wanted[order], borders)
        done = in_threads(samples_of, parts, where, finish=keep is not None)
        back = np.argsort(order)
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[back], *done)

    return run


def _compiled(
    network: Network,
    draws: Draws,
    measure_at: Callable[[int], Measure],
    batched: Callable[..., Any],
    shared: dict[of_seed.Path, Any],
    some: np.ndarray,
    steps: list[tuple[int, int]],
    where: Sequence[Place],
    paired: bool,
    name: traced.Name,
) -> dict[tuple[Place, tuple[int, int] | None], Callable[..., Any]]:
    """The functions of every place: what seeds draw once (None), and what is measured at each step.

    `some` is as long as the seeds drawn at once; a step is a side, and the seeds side by side.
    """
    sides = [side for side, _ in steps]
    classes = output_shape(network.body, network.input_shape(min(sides)))[0]
    alone = memory.physical() < 2 * bytes_per_seed(network, max(sides), draws)

    def drawn(seeds: Any) -> Drawn:
        keys = jax.vmap(partial(of_seed.keys, draws.seed))(seeds)
        rest = jax.vmap(partial(jax.random.fold_in, data=1))(keys[2])
        weights = jax.vmap(partial(of_seed.chosen, network, min(sides), draws, shared))(keys[0])
        labels = of_seed.labels(keys[2], draws.inputs_per_seed, classes)
        return weights, keys[0], keys[1], labels, rest

    def weights_of(side: int, given: list[Array], key: Key[Array, ""]) -> layers.Weights:
        known = dict(zip(shared, given, strict=True))
        return jax.tree.map_with_path(known.get, of_seed.weights(network, side, draws, key))

    def one_seed(side: int, measure: Measure, task: tuple[Drawn, Array | None]) -> Any:
        (given, weights_key, input_key, labels, rest), images = task
        xs = of_seed.inputs(network, side, draws, input_key, images)
        return measure(weights_of(side, given, weights_key), xs, labels, rest)

    def two_seeds(side: int, measure: Measure, tasks: tuple[Drawn, Array | None]) -> Any:
        (given, weights_keys, input_keys, labels, _), images = tasks
        both = jax.vmap(partial(weights_of, side))(given, weights_keys)

        def one(i: Array) -> Any:
            own, others = (jax.tree.map(lambda w, j=j: w[j], both) for j in (i, 1 - i))
            image = None if images is None else images[i]
            xs = of_seed.inputs(network, side, draws, input_keys[i], image)
            return measure(own, xs, labels[i], others)

        return jax.lax.map(one, jnp.arange(2))

    compile = partial(compiled, alone=alone)

    def function(task: tuple[Place, tuple[int, int] | None], _: Place) -> Callable[..., Any]:
        place, step = task
        named = name and (name, min(sides), step)
        with on(place):
            if step is None:
                of_draws = draws.seed, draws.lazy, draws.inputs_per_seed
                what = network, min(sides), of_draws, tuple(shared), len(some), place, alone
                return once(what, jax.dtypes.canonicalize_dtype(float)).get(
                    lambda: traced.compiled(named, jitted(network, drawn), (some,), compile)
                )
            side, seeds_together = step
            if paired:
                of_batch = partial(two_seeds, side, measure_at(side))
            else:
                of_batch = batched(partial(one_seed, side, measure_at(side)))
            mapped = jitted(network, partial(_mapped, of_batch, seeds_together))
            images = of_seed.images(network, side, some, draws)
            arguments = (jax.eval_shape(drawn, some), images), np.int32(0), np.int32(0)
            return traced.compiled(named, mapped, arguments, compile)

    tasks = list(product(dict.fromkeys(where), [None, *steps]))
    found = in_threads(function, tasks, [None] * len(where))
    return dict(zip(tasks, found, strict=True))


def _one(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` of a batch of one, computed without an axis for the batch."""

    def of_batch(tasks: Any) -> Any:
        found = function(jax.tree.map(lambda x: x[0], tasks))
        return jax.tree.map(lambda x: x[None], found)

    return of_batch


def _mapped(
    function: Callable[[Any], Any], together: int, tasks: Any, first: Array, stop: Array
) -> Any:
    """`function` of batches first to stop of the tasks (n, ...), `together` each; zero elsewhere.

    XLA compiles the body as a part of what is around it, and rounds in another way, if it knows
    that it runs once. So the length of the loop is an argument, and n is more than one batch.
    """

    def batch(i: Array) -> Any:
        return jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, i * together, together), tasks
        )

    side_by_side = jax.jit(function)  # traced once for its shape and for the loop

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
