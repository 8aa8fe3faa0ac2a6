"""Which input positions feed which output positions, along one axis of an image.

All layers treat both axes alike, so one matrix per layer says everything; a vector is an image
with a single position, and a sequence has one axis.
"""

from functools import singledispatch

import numpy as np

from theory.network import (
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    padding,
)
from theory.tokens import MixPositions

PAD_MODE = {"circular": "wrap", "reflect": "reflect"}


@singledispatch
def connections(layer: Layer, side: int) -> np.ndarray:
    """How often output position o reads input position i: an integer array (outputs, inputs).

    `side` is the side of the input. A border that folds back can make a count exceed one.
    """
    return np.eye(side, dtype=int)


@connections.register
def _(layer: Conv, side: int) -> np.ndarray:
    outputs = side // layer.stride
    counts = np.zeros((outputs, side + 1), dtype=int)
    source = source_positions(layer, side)
    for tap in range(layer.kernel):
        first = layer.dilation * tap
        read = source[first : first + layer.stride * outputs : layer.stride]
        np.add.at(counts, (np.arange(outputs), read), 1)
    return counts[:, :side]


def source_positions(layer: Conv, side: int) -> np.ndarray:
    """The image position behind every position of the padded axis; `side` stands for a zero."""
    positions = np.arange(side)
    if layer.border == "zero":
        return np.pad(positions, padding(layer), constant_values=side)
    return np.pad(positions, padding(layer), mode=PAD_MODE[layer.border])  # type: ignore[call-overload]


@connections.register(AvgPool)
@connections.register(MaxPool)
def _(layer: AvgPool | MaxPool, side: int) -> np.ndarray:
    return np.kron(np.eye(side // layer.window, dtype=int), np.ones((1, layer.window), dtype=int))


@connections.register
def _(layer: MixPositions, side: int) -> np.ndarray:
    return np.ones((side, side), dtype=int)


@connections.register(GlobalAvgPool)
@connections.register(GlobalMaxPool)
@connections.register(Flatten)
def _(layer: Layer, side: int) -> np.ndarray:
    return np.ones((1, side), dtype=int)
