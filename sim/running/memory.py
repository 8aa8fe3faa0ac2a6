"""How much memory a simulation needs, estimated before anything is allocated. Without jax."""

from contextlib import suppress
from functools import singledispatch
from pathlib import Path

import psutil

from theory.fans import fan_in
from theory.initializers import is_gaussian
from theory.network import Conv, Dense, Layer, Serial, Shape, number_of, parts
from theory.network import output_shape as _output_shape
from theory.tokens import MixPositions, SelfAttention


def bytes_per_seed(
    layer: Layer, shape: Shape, inputs_per_seed: int, lazy: bool = False, itemsize: int = 4
) -> int:
    """Estimate of the memory that one seed needs: weights, activations, patches, gradients.

    `shape` is the integer shape of the input, `itemsize` the bytes of one number; with `lazy`,
    Gaussian matrices of dense layers are not formed.
    """
    total = 3 * number_of(shape) * inputs_per_seed
    for inner, inner_shape in leaves(layer, shape):
        total += numbers(inner, inner_shape, inputs_per_seed, lazy)
    return int(total) * itemsize


@singledispatch
def numbers(layer: Layer, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    """Numbers that one layer adds to what a seed needs."""
    return 3 * number_of(_output_shape(layer, shape)) * inputs_per_seed


@numbers.register
def _(layer: Dense, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    outputs = 3 * number_of(_output_shape(layer, shape)) * inputs_per_seed
    if lazy and is_gaussian(layer.init) and len(shape) == 1:
        # how inputs depend on each other, for those of one matrix are drawn jointly
        return outputs + 5 * inputs_per_seed * (inputs_per_seed - 1) // 2
    return outputs + 2 * fan_in(layer, shape) * layer.features


@numbers.register
def _(layer: Conv, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    outputs, reads = number_of(_output_shape(layer, shape)), fan_in(layer, shape)
    patches = outputs // layer.channels * reads
    return 3 * (outputs + patches) * inputs_per_seed + 2 * reads * layer.channels


@numbers.register
def _(layer: MixPositions, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    return 3 * number_of(shape) * inputs_per_seed + 2 * shape[0] ** 2


@numbers.register
def _(layer: SelfAttention, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    scores = 2 * layer.heads * shape[0] ** 2  # and their softmax
    return 3 * (scores + 5 * number_of(shape)) * inputs_per_seed + 8 * shape[1] ** 2


def leaves(layer: Layer, shape: Shape) -> list[tuple[Layer, Shape]]:
    """The layers that are not made of others, in order, each with the shape of its input."""
    if isinstance(layer, Serial):
        found = []
        for inner in layer.layers:
            found += leaves(inner, shape)
            shape = _output_shape(inner, shape)
        return found
    ways = parts(layer)
    return [leaf for way in ways for leaf in leaves(way, shape)] if ways else [(layer, shape)]


def physical() -> int:
    """Bytes of physical memory of this machine."""
    return psutil.virtual_memory().total


def free() -> int:
    """Bytes that this process may have in all: what is free, and what it has already.

    No more than the group of the process may have.
    """
    there = psutil.virtual_memory()
    found = min(there.total, there.available + psutil.Process().memory_info().rss)
    with suppress(OSError, ValueError):  # "max" where the group has no limit
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return found
