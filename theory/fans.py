"""How many connections the weights of a layer have, and so how large one weight is.

`fan_in` and `fan_out` are what initializers count, `in_degree` is what an output really reads. As
everything about shapes, they are integers or SymPy expressions.
"""

from functools import lru_cache, singledispatch

import sympy as sp

from theory import initializers
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Shape,
    Size,
    Weighted,
    padding,
    positions,
)


@singledispatch
def fan_in(layer: Layer, shape: Shape) -> Size:
    """Inputs that one output reads, as initializers count them (border ignored).

    Dense: the features of its input; Conv: kernel² · input channels.
    """
    raise TypeError(f"{layer} has no weights and so no fan-in.")


@fan_in.register
def _(layer: Dense, shape: Shape) -> Size:
    return shape[-1]


@fan_in.register
def _(layer: Conv, shape: Shape) -> Size:
    return layer.kernel**2 * shape[2]


@singledispatch
def fan_out(layer: Layer, shape: Shape) -> Size:
    """Outputs that one input feeds, as initializers count them (border and stride ignored).

    Dense: its features; Conv: kernel² · output channels.
    """
    raise TypeError(f"{layer} has no weights and so no fan-out.")


@fan_out.register
def _(layer: Dense, shape: Shape) -> Size:
    return layer.features


@fan_out.register
def _(layer: Conv, shape: Shape) -> Size:
    return layer.kernel**2 * layer.channels


@lru_cache(maxsize=4096)
def weight_variance(layer: Weighted, shape: Shape) -> sp.Expr:
    """Var(w) of one weight of `layer` when its input has `shape`."""
    outputs = fan_out(layer, shape)
    columns = layer.channels if isinstance(layer, Conv) else outputs
    return initializers.variance(layer.init, fan_in(layer, shape), outputs, columns)


@singledispatch
def in_degree(layer: Layer, shape: Shape) -> Size:
    """Inputs that one output really reads, averaged over the outputs.

    Differs from `fan_in` where a zero border cuts a kernel off.
    """
    return sp.Integer(1)


@in_degree.register
def _(layer: Dense, shape: Shape) -> Size:
    return sp.sympify(shape[-1])


@in_degree.register
def _(layer: Conv, shape: Shape) -> Size:
    side, stride = shape[0], layer.stride
    if layer.border != "zero":
        return sp.sympify(fan_in(layer, shape))
    before, _ = padding(layer)
    taps = sp.Integer(0)
    for t in range(layer.kernel):
        offset = layer.dilation * t - before
        # outputs whose tap at this offset falls outside the image
        outside = offset // stride if offset > 0 else -(offset // stride)
        if isinstance(side, int):
            outside = min(outside, side // stride)
        taps += 1 - sp.Integer(outside * stride) / side
    return taps**2 * shape[2]


@in_degree.register(AvgPool)
@in_degree.register(MaxPool)
def _(layer: AvgPool | MaxPool, shape: Shape) -> Size:
    return sp.sympify(layer.window) ** 2


@in_degree.register(GlobalAvgPool)
@in_degree.register(GlobalMaxPool)
def _(layer: Layer, shape: Shape) -> Size:
    return sp.sympify(positions(shape))
