"""What sampling random networks needs of the machine. Without jax.

All experiments that sample a plan's networks estimate alike: what a process has before it samples,
the compiler, weights and gradients of the seeds under way on every processor, and the samples.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sim.plan.plan import Plan
from sim.running import memory
from sim.running.needs import BASE, Needs, devices_need, processors
from sim.sampling import chunks
from theory.network import Network, output_shape

FUNCTION = 20 * 2**20
"""Bytes that compiling one function takes, and that stay with the process."""

LAYER = 2 * 2**20
"""Bytes that each of its layers takes besides."""

POINT = 5 * 2**10
"""Bytes that the library of matrix products takes for each input, its queue of small products."""

KEPT = 3
"""Copies of all samples while they are put together."""

FITTED = 7
"""Arrays as large as the samples of one fit while it is made."""

NUMBERS = 10**9
"""Of a network, that a processor can look at in a second at most."""

NETWORKS = 500_000
"""That it can begin in a second at most."""


@dataclass(frozen=True)
class Sampling:
    """How an experiment samples the networks of its plan."""

    points: int
    """Inputs that one network is differentiated at, at once."""
    numbers: int
    """Samples that one network has at one size."""
    lazy: bool = False
    """Whether Gaussian matrices of dense layers are not formed."""
    most: int | None = None
    """Seeds that there may be in the end, where that is not their number now."""
    batch: int | None = 0
    """Networks side by side, as `sim.sampling.engine.sampler` takes it."""
    kept: int = KEPT
    """Copies of all samples while they are put together."""
    steps: int = 1
    """Gradients that are computed at each point, one after the other."""
    layer: int = LAYER
    """Bytes that compiling takes, for each layer."""
    compiling: float = 0.25
    """Seconds that it takes, for each layer."""


def sampling(plan: Plan[Any], how: Sampling, devices: int | None = None) -> Needs:
    """What it takes to sample all networks of a plan.

    Args:
        plan: Which networks, at which sizes.
        how: How they are sampled.
        devices: Of a processor, that compute at the same time; its cores unless given.

    Raises:
        ValueError: In one sentence, for networks whose layers do not fit each other.
    """
    config, workers = plan.config, devices or processors()
    itemsize = 8 if config.dtype == "float64" else 4
    looked_at, layers, compiled, most = 0, 0, 0, (0, 0, 0)
    for width, network in plan.networks.items():
        shared = _shared(network, plan.sizes, how.lazy) * itemsize
        for side in plan.sizes:
            shape = network.input_shape(side)
            output_shape(network.body, shape)
            seed = memory.bytes_per_seed(network.body, shape, how.points, how.lazy, itemsize)
            batch = 1 if how.batch == 0 else how.batch
            batch = batch or chunks.side_by_side(network, seed, "cpu")
            fit = max(1, min(workers, config.seeds, memory.physical() // seed))
            drawn = chunks.length([batch], config.seeds, fit, shared, "cpu") + 1
            images = drawn * config.inputs_per_seed * itemsize * memory.number_of(shape)
            side_by_side = batch * (seed + POINT * how.points)
            most = max(most, (fit * (drawn * shared + side_by_side + images), width, side))
            leaves = len(memory.leaves(network.body, shape))
            layers += leaves
            compiled += FUNCTION + how.layer * leaves
            each = NUMBERS // NETWORKS + seed // itemsize
            looked_at += config.seeds * how.steps * each
    under_way, width, side = most
    seeds = max(config.seeds, how.most or 0)
    of_fit = seeds * len(plan.sizes)
    samples = 8 * (how.kept * len(plan.networks) * how.numbers + FITTED) * of_fit
    what = f"{seeds} seeds"
    if under_way > samples:
        what += f" of width {width} at side {side}"
    if devices is not None:
        what += f" on {devices} devices"
    start = BASE if devices is None else devices_need(devices).memory
    total = start + compiled * (devices or 1) + samples + under_way
    return Needs(what, total, looked_at // NUMBERS // workers, round(layers * how.compiling))


def _shared(network: Network, sizes: Iterable[int], lazy: bool) -> int:
    """Numbers of the weights that are the same at all sizes."""
    each = [memory.leaves(network.body, network.input_shape(side)) for side in sizes]
    numbers = [[memory.numbers(layer, shape, 0, lazy) // 2 for layer, shape in x] for x in each]
    return sum(row[0] for row in zip(*numbers, strict=True) if len(set(row)) == 1)
