"""Which input positions feed which output positions, along one axis of an image.

All layers treat both axes alike, so matrices for one axis say everything; a vector is an image
with a single position, and a sequence has one axis.
"""

from functools import lru_cache, singledispatch

import numpy as np

from theory.network import (
    AvgPool,
    Conv,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    ShapeError,
    output_shape,
    padding,
)
from theory.tokens import MixPositions

PAD_MODE = {"circular": "wrap", "reflect": "reflect"}


@lru_cache(maxsize=4096)
def connections(layer: Layer, side: int) -> np.ndarray:
    """How often output position o reads input position i: an integer array (outputs, inputs).

    `side` is the side of the input. A border that folds back can make a count exceed one.
    """
    mixes = isinstance(layer, MixPositions)
    found = np.ones((side, side), dtype=int) if mixes else taps(layer, side).sum(axis=0)
    found.flags.writeable = False
    return found


@singledispatch
def taps(layer: Layer, side: int) -> np.ndarray:
    """`connections` by the coefficient that they go through: an array (taps, outputs, inputs).

    What goes through one tap is weighted by the same number at every position: a weight of a
    kernel, or the equal shares of an average. A matrix over positions has a weight for each
    connection, and no such array.
    """
    return np.eye(side, dtype=int)[None]


@taps.register
def _(layer: Conv, side: int) -> np.ndarray:
    outputs = side // layer.stride
    found = np.zeros((layer.kernel, outputs, side + 1), dtype=int)
    source = source_positions(layer, side)
    for tap in range(layer.kernel):
        first = layer.dilation * tap
        read = source[first : first + layer.stride * outputs : layer.stride]
        found[tap, np.arange(outputs), read] = 1
    return found[..., :side]


def source_positions(layer: Conv, side: int) -> np.ndarray:
    """The image position behind every position of the padded axis; `side` stands for a zero."""
    positions = np.arange(side)
    if layer.border == "zero":
        return np.pad(positions, padding(layer), constant_values=side)
    return np.pad(positions, padding(layer), mode=PAD_MODE[layer.border])  # type: ignore[call-overload]


@taps.register(AvgPool)
@taps.register(MaxPool)
def _(layer: AvgPool | MaxPool, side: int) -> np.ndarray:
    window = np.ones((1, layer.window), dtype=int)
    return np.kron(np.eye(side // layer.window, dtype=int), window)[None]


@taps.register(GlobalAvgPool)
@taps.register(GlobalMaxPool)
def _(layer: Layer, side: int) -> np.ndarray:
    return np.ones((1, 1, side), dtype=int)


@taps.register
def _(layer: Flatten, side: int) -> np.ndarray:
    return np.eye(side, dtype=int)[:, None]


def smallest_side(body: Layer, channels: int) -> int:
    """The smallest side of an image that fits the strides of a network. Raises ShapeError."""
    for side in range(1, 4097):
        try:
            output_shape(body, (side, side, channels))
        except ShapeError:
            continue
        return side
    raise ShapeError("no image of side up to 4096 fits the strides of this network.")
