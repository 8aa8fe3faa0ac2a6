"""A network as plain data: layers are frozen dataclasses without arrays.

A shape is `(features,)` for a vector, `(side, side, channels)` for an image and `(positions,
features)` for a sequence (see `theory.tokens`); its entries are integers or SymPy expressions, so
the same description is read for one size and for all sizes.
To add a layer: a dataclass here with its `output_shape`, its `in_degree` in `theory.fans` if an
output reads more than one input, a rule in `theory.laws.energy`, and an init/apply pair in
`sim.networks.layers`.
"""

import math
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from functools import singledispatch
from typing import Any, Literal

import sympy as sp

from theory.initializers import Initializer

Size = Any  # int | sympy.Expr
Shape = tuple[Size, ...]
Border = Literal["circular", "zero", "reflect"]


class ShapeError(ValueError):
    """A layer cannot take the shape it is given; the message names the layer."""


class Layer:
    """Base of all layers; its repr shows the first field and whatever is not at its default."""

    def __repr__(self) -> str:
        shown = []
        for i, field in enumerate(fields(self)):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if i == 0:
                shown.append(f"{value}")
            elif field.default is MISSING or value != field.default:
                shown.append(f"{field.name}={value}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Weighted(Layer):
    """Base of the layers that are one matrix of random weights, drawn as `init` says."""

    init: Initializer


@dataclass(frozen=True, repr=False)
class Dense(Weighted):
    """Fully connected, without bias: (n,) -> (features,), or the same at every position."""

    features: int
    init: Initializer


@dataclass(frozen=True, repr=False)
class Conv(Weighted):
    """Square convolution without bias: (s, s, c) -> (s/stride, s/stride, channels).

    Output (i, j) reads input pixels stride·i + dilation·t, t centred on 0. `border` says what lies
    outside of the image: its periodic continuation, zeros, or its mirror image.
    """

    channels: int
    init: Initializer
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    border: Border = "circular"


class Activation(Layer):
    """Base of the layers that act on every coordinate alone, all of them in the same way."""


@dataclass(frozen=True, repr=False)
class ReLU(Activation):
    """max(z, 0)."""


@dataclass(frozen=True, repr=False)
class LeakyReLU(Activation):
    """z for z > 0, slope · z otherwise."""

    slope: Any = 0.01


@dataclass(frozen=True, repr=False)
class Identity(Activation):
    """No activation: a linear network."""


class SmoothActivation(Activation):
    """Base of the activations whose derivative depends on the size of their input."""


@dataclass(frozen=True, repr=False)
class Tanh(SmoothActivation):
    """tanh z."""


@dataclass(frozen=True, repr=False)
class Erf(SmoothActivation):
    """erf z = 2/√π ∫_0^z e^{−t²} dt."""


@dataclass(frozen=True, repr=False)
class GELU(SmoothActivation):
    """z Φ(z), Φ the normal distribution function."""


@dataclass(frozen=True, repr=False)
class SiLU(SmoothActivation):
    """z / (1 + e^{−z})."""


class Normalization(Layer):
    """Base of the layers that subtract a mean and divide by a standard deviation.

    Without scale and shift, which are 1 and 0 at initialization.
    """


@dataclass(frozen=True, repr=False)
class LayerNorm(Normalization):
    """(x − mean) / √(variance + epsilon), over the channels of each position."""

    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class BatchNorm(Normalization):
    """(x − mean) / √(variance + epsilon), over the inputs of a batch and all their positions.

    Each channel has its own statistics. They are differentiated, so an input has a share in the
    outputs of all others: the gradient is that of the sum over the batch.
    """

    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class AvgPool(Layer):
    """Mean over non-overlapping window × window squares."""

    window: int = 2


@dataclass(frozen=True, repr=False)
class MaxPool(Layer):
    """Maximum over non-overlapping window × window squares."""

    window: int = 2


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """Mean over all positions: (s, s, c) or (n, c) -> (c,)."""


@dataclass(frozen=True, repr=False)
class GlobalMaxPool(Layer):
    """Maximum over all positions: (s, s, c) or (n, c) -> (c,)."""


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """(s, s, c) -> (s·s·c,) or (n, c) -> (n·c,)."""


@dataclass(frozen=True)
class Serial(Layer):
    """One layer after the other; no layers at all is the identity."""

    layers: tuple[Layer, ...] = ()

    def __repr__(self) -> str:
        return "Serial(" + ", ".join(map(repr, self.layers)) + ")"


@dataclass(frozen=True, repr=False)
class Branching(Layer):
    """Base of the layers with two ways from their input to their output."""

    branch: Layer
    shortcut: Layer = Serial()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.branch}, shortcut={self.shortcut})"


@dataclass(frozen=True, repr=False)
class Residual(Branching):
    """branch(x) + shortcut(x)."""


@dataclass(frozen=True, repr=False)
class Concat(Branching):
    """shortcut(x) and behind it branch(x), side by side along the channels."""


def serial(*layers: Layer) -> Serial:
    """The composition of `layers`, first one first."""
    return Serial(tuple(layers))


def residual(branch: Layer, shortcut: Layer | None = None) -> Residual:
    """branch(x) + shortcut(x); the shortcut is the identity unless given."""
    return Residual(branch, Serial() if shortcut is None else shortcut)


def concat(branch: Layer, shortcut: Layer | None = None) -> Concat:
    """shortcut(x) next to branch(x); the shortcut is the identity unless given."""
    return Concat(branch, Serial() if shortcut is None else shortcut)


@dataclass(frozen=True)
class Network:
    """A classifier of images: `body` takes (side, side, channels) to (classes,) logits.

    The input dimension is d = channels · side².
    """

    name: str
    body: Serial
    channels: int = 3

    def __repr__(self) -> str:
        lines = [f"Network {self.name}, input side × side × {self.channels}"]
        return "\n".join(lines + [f"  {i}: {x!r}" for i, x in enumerate(self.body.layers)])

    def input_shape(self, side: Size) -> Shape:
        """(side, side, channels)."""
        return (side, side, self.channels)


def walk(layer: Layer) -> Iterator[Layer]:
    """Every layer inside `layer`, itself included, in order."""
    yield layer
    for inner in parts(layer):
        yield from walk(inner)


def parts(layer: Layer) -> tuple[Layer, ...]:
    """The layers that a composite layer is made of; none for the others."""
    if isinstance(layer, Serial):
        return layer.layers
    if isinstance(layer, Branching):
        return (layer.branch, layer.shortcut)
    return ()


def show(shape: Shape) -> str:
    """A shape as people write it: 32×32×3."""
    return "×".join(map(str, shape))


def number_of(shape: Shape) -> Size:
    """The number of coordinates of a shape."""
    return math.prod(shape)


def positions(shape: Shape) -> Size:
    """The number of positions of a shape; 1 for a vector."""
    return number_of(shape[:-1])


def _need_positions(layer: Layer, shape: Shape) -> None:
    if len(shape) == 1:
        raise ShapeError(f"{layer} needs an image, but its input is a vector of {shape[0]}.")


def divided(layer: Layer, shape: Shape, by: int) -> Size:
    """The side of an image divided by a number. Raises ShapeError, naming the layer."""
    _need_positions(layer, shape)
    if len(shape) == 2:
        raise ShapeError(f"{layer} needs an image, but its input is a sequence of {show(shape)}.")
    side = shape[0]
    if isinstance(side, int):
        if side % by or side == 0:
            raise ShapeError(
                f"{layer} needs a side divisible by {by}, but its input is {show(shape)}."
            )
        return side // by
    return side / by


@singledispatch
def output_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape that `layer` gives for an input of `shape` (integers or SymPy expressions).

    Raises ShapeError, naming the layer, when it cannot take that input.
    """
    return shape


@output_shape.register
def _(layer: Dense, shape: Shape) -> Shape:
    if len(shape) == 3:
        raise ShapeError(f"{layer} needs a vector, but its input is {show(shape)}: Flatten first.")
    return (*shape[:-1], layer.features)


@output_shape.register
def _(layer: Conv, shape: Shape) -> Shape:
    side = divided(layer, shape, layer.stride)
    before, after = padding(layer)
    if layer.border == "reflect" and isinstance(shape[0], int) and shape[0] <= max(before, after):
        raise ShapeError(
            f"{layer} reflects {max(before, after)} pixels at its border, "
            f"but its input is only {show(shape)}."
        )
    return (side, side, layer.channels)


@output_shape.register(AvgPool)
@output_shape.register(MaxPool)
def _(layer: AvgPool | MaxPool, shape: Shape) -> Shape:
    side = divided(layer, shape, layer.window)
    return (side, side, shape[2])


@output_shape.register(GlobalAvgPool)
@output_shape.register(GlobalMaxPool)
def _(layer: Layer, shape: Shape) -> Shape:
    _need_positions(layer, shape)
    return (shape[-1],)


@output_shape.register
def _(layer: Flatten, shape: Shape) -> Shape:
    return (number_of(shape),)


@output_shape.register
def _(layer: Serial, shape: Shape) -> Shape:
    for inner in layer.layers:
        shape = output_shape(inner, shape)
    return shape


@output_shape.register
def _(layer: Residual, shape: Shape) -> Shape:
    branch = output_shape(layer.branch, shape)
    shortcut = output_shape(layer.shortcut, shape)
    if any(sp.simplify(a - b) != 0 for a, b in zip(branch, shortcut, strict=False)) or (
        len(branch) != len(shortcut)
    ):
        raise ShapeError(
            f"{layer} adds a branch of {show(branch)} to a shortcut of {show(shortcut)}."
        )
    return branch


@output_shape.register
def _(layer: Concat, shape: Shape) -> Shape:
    branch, shortcut = (output_shape(way, shape) for way in (layer.branch, layer.shortcut))
    sides = zip(branch[:-1], shortcut[:-1], strict=False)
    if len(branch) != len(shortcut) or any(sp.simplify(a - b) != 0 for a, b in sides):
        raise ShapeError(
            f"{layer} puts a branch of {show(branch)} next to a shortcut of {show(shortcut)}."
        )
    return (*branch[:-1], shortcut[-1] + branch[-1])


def padding(layer: Conv) -> tuple[int, int]:
    """Pixels added before and after the image along each axis, so that stride 1 keeps the side."""
    total = layer.dilation * (layer.kernel - 1)
    return total // 2, total - total // 2


def with_border(layer: Any, border: Border) -> Any:
    """The same layer with another border in all of its convolutions."""
    if isinstance(layer, Conv):
        return replace(layer, border=border)
    if isinstance(layer, Serial):
        return Serial(tuple(with_border(inner, border) for inner in layer.layers))
    if isinstance(layer, Branching):
        ways = (with_border(way, border) for way in (layer.branch, layer.shortcut))
        return type(layer)(*ways)
    return layer
