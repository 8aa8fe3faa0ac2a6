"""Layers of networks that read an image as a sequence of patches: tokens (positions, features).

Dense layers, normalizations and activations act on every position of a sequence alike; the layers
here cut an image into patches, and let positions read each other.
"""

import math
from dataclasses import dataclass

import sympy as sp

from theory.fans import fan_in, fan_out, in_degree
from theory.initializers import Initializer
from theory.network import Layer, Shape, ShapeError, Size, Weighted, divided, output_shape, show


@dataclass(frozen=True, repr=False)
class Patches(Layer):
    """Cuts an image into patches: (s, s, c) -> (tokens, pixels of a patch · c).

    With `tokens` there are so many patches at every size, a square number, and they grow with the
    image; otherwise patches are size × size pixels, and their number grows.
    """

    size: int = 4
    tokens: int | None = None

    def __repr__(self) -> str:
        return f"Patches({f'size={self.size}' if self.tokens is None else f'tokens={self.tokens}'})"

    def per_side(self, shape: Shape) -> Size:
        """The number of patches along each side of an image. Raises ShapeError, if none fits."""
        if self.tokens is None:
            return divided(self, shape, self.size)
        along = math.isqrt(self.tokens)
        divided(self, shape, along)  # refuses an image that cannot be cut like that
        return along


@dataclass(frozen=True, repr=False)
class MixPositions(Weighted):
    """One square matrix over the positions, shared by all channels: (n, c) -> (n, c)."""

    init: Initializer


@dataclass(frozen=True, repr=False)
class PositionEmbedding(Layer):
    """Adds a random vector to every position: a table of weights, read with fan-in 1."""

    init: Initializer


@dataclass(frozen=True, repr=False)
class ClassToken(Layer):
    """Puts one random position before the others: (n, c) -> (1 + n, c); its fan-in is 1."""

    init: Initializer


@dataclass(frozen=True, repr=False)
class FirstToken(Layer):
    """The first position alone: (n, c) -> (c,)."""


@dataclass(frozen=True, repr=False)
class SelfAttention(Layer):
    """Multi-head self-attention without biases: (n, c) -> (n, c).

    Queries, keys and values are x W with three c × c matrices, cut into `heads` of c / heads
    features; a head gives softmax(Q Kᵀ / √(c / heads)) V, and a last c × c matrix mixes the heads
    (Vaswani et al. 2017). All four matrices are drawn by `init`.
    """

    heads: int
    init: Initializer


def _need_tokens(layer: Layer, shape: Shape) -> None:
    if len(shape) != 2:
        raise ShapeError(f"{layer} needs a sequence of patches, but its input is {show(shape)}.")


@output_shape.register
def _(layer: Patches, shape: Shape) -> Shape:
    along = layer.per_side(shape)
    pixels = shape[0] // along if isinstance(shape[0], int) else shape[0] / along
    return (along**2, pixels**2 * shape[2])


@output_shape.register(MixPositions)
@output_shape.register(PositionEmbedding)
def _(layer: Layer, shape: Shape) -> Shape:
    _need_tokens(layer, shape)
    return shape


@output_shape.register
def _(layer: ClassToken, shape: Shape) -> Shape:
    _need_tokens(layer, shape)
    return (1 + shape[0], shape[1])


@output_shape.register
def _(layer: FirstToken, shape: Shape) -> Shape:
    _need_tokens(layer, shape)
    return shape[1:]


@output_shape.register
def _(layer: SelfAttention, shape: Shape) -> Shape:
    _need_tokens(layer, shape)
    if shape[1] % layer.heads:
        raise ShapeError(f"{layer} needs a number of features that {layer.heads} divides.")
    return shape


@fan_in.register(MixPositions)
@fan_out.register(MixPositions)
def _(layer: MixPositions, shape: Shape) -> Size:
    return shape[0]


@in_degree.register
def _(layer: MixPositions, shape: Shape) -> Size:
    return sp.sympify(shape[0])


@fan_in.register(PositionEmbedding)
@fan_in.register(ClassToken)
def _(layer: Layer, shape: Shape) -> Size:
    return 1


@fan_out.register(PositionEmbedding)
@fan_out.register(ClassToken)
@fan_in.register(SelfAttention)
@fan_out.register(SelfAttention)
def _(layer: Layer, shape: Shape) -> Size:
    return shape[1]
