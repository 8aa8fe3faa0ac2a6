"""The limit of large width, where pre-activations are Gaussian and sizes average out.

Hypothesis H gives every activation its gain without asking what it reads. That is not enough for
smooth activations, whose gain depends on the variance of their input, nor where an activation reads
a sum that has been through an activation before (a post-activation residual stream is not
negative, so its ReLUs pass more than half). In a wide network each unit is an independent sample:

- behind a dense layer or convolution it is N(0, v), v = fan-in · Var(w) · mean square before;
- an activation φ multiplies the energy of the gradient by φ'(z)²;
- behind weights, backwards, all units get the same expected energy;
- a normalization divides by a standard deviation that no single unit moves, so its gain is one over
  the variance of what it reads: over the channels of a position, or over positions and inputs.

`resolve` reads a network in this way and puts in the place of each activation and normalization its
gain there. Images enter as if every position had the same mean square and no two were correlated,
and pooling as if neighbours were equal. (Photographs are neither: a layer norm then amplifies the
gradient at patches without contrast, and a batch norm channels whose kernels cancel where the image
is smooth.) What a mean takes away is known where it is read behind weights, or behind an activation
of something without a mean; elsewhere, and for a normalization behind an average pool, there is no
rule (`NoRuleError`).
"""

from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch
from typing import Any

import sympy as sp

from theory import activations
from theory.laws.energy import NoRuleError, forward_gain, gain, shares
from theory.laws.resolved import Resolved, ResolvedNorm, WideNetwork, in_fractions
from theory.laws.units import by_sampling, depends_on_sizes
from theory.network import (
    Activation,
    AvgPool,
    BatchNorm,
    Branching,
    Concat,
    GlobalAvgPool,
    Identity,
    Layer,
    LayerNorm,
    Serial,
    Shape,
    SmoothActivation,
    Weighted,
    output_shape,
)
from theory.tokens import MixPositions

__all__ = [
    "Moments",
    "Resolved",
    "ResolvedNorm",
    "WideNetwork",
    "depends_on_sizes",
    "in_fractions",
    "needed",
    "reads_activated_stream",
    "resolve",
]

NESTED = 8
"""Gaussian means inside of each other that stay an expression; more of them become a number."""


def needed(body: Layer) -> bool:
    """True if hypothesis H cannot tell the gains of this network: see the module's docstring."""
    return depends_on_sizes(body) or reads_activated_stream(body)


def reads_activated_stream(body: Layer) -> bool:
    """True if an activation reads what has been through an activation, with no weights since."""
    found = False

    def through(layer: Layer, activated: bool) -> bool:
        nonlocal found
        if isinstance(layer, Weighted):
            return False
        if isinstance(layer, Activation) and not isinstance(layer, Identity):
            found = found or activated
            return True
        if isinstance(layer, Branching):
            ways = [through(way, activated) for way in (layer.branch, layer.shortcut)]
            return any(ways)
        if isinstance(layer, Serial):
            for inner in layer.layers:
                activated = through(inner, activated)
        return activated

    through(body, False)
    return found


@lru_cache(maxsize=1024)
def resolve(body: Serial, shape: Shape) -> WideNetwork:
    """The network with the gains of the wide limit, at inputs of mean square 1.

    `shape` holds integers or symbols. Gains are exact expressions if every activation reads
    Gaussian pre-activations; otherwise they come from `SAMPLES` quasi-random units, with a relative
    error below 1e-3.

    Raises ValueError in the second case if, for a symbolic shape, gains depend on its symbols, and
    NoRuleError where the gain of a layer is not known.
    """
    if reads_activated_stream(body):
        return by_sampling(body, shape)
    resolved, moments = _gaussian(body, shape, Moments(sp.Integer(1), sp.Integer(0), sp.Integer(0)))
    assert isinstance(resolved, Serial)
    return WideNetwork(resolved, moments.square)


@dataclass(frozen=True)
class Moments:
    """Of the units that a layer reads, in the limit of large width."""

    square: Any
    """Their mean square."""
    over_channels: Any
    """Mean square of the mean over the channels of one position; None where it is not known."""
    over_positions: Any
    """Mean square of the mean of one channel over positions and inputs; None if not known."""
    unequal: bool = False
    """Whether some channels have another mean square than others."""
    pooled: bool = False
    """Whether the mean square is that of an average of neighbours that may not be equal."""

    def times(self, factor: Any) -> "Moments":
        """All of them, for units that are larger by √factor."""
        channels, positions = (
            None if mean is None else factor * mean
            for mean in (self.over_channels, self.over_positions)
        )
        return replace(
            self, square=factor * self.square, over_channels=channels, over_positions=positions
        )


@singledispatch
def _gaussian(layer: Layer, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    """The resolved layer and the moments behind it, for Gaussian inputs of moments v."""
    return layer, v.times(forward_gain(layer, shape))


@_gaussian.register
def _(layer: Weighted, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    mixed = v.times(gain(layer, shape))
    return layer, replace(mixed, over_channels=sp.Integer(0), unequal=False)


@_gaussian.register(AvgPool)
@_gaussian.register(GlobalAvgPool)
def _(layer: AvgPool | GlobalAvgPool, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    return layer, replace(v, pooled=True)


@_gaussian.register
def _(layer: MixPositions, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    # every channel is mixed in the same way, so their mean is mixed like each of them
    return layer, replace(v.times(gain(layer, shape)), over_positions=None)


@_gaussian.register
def _(layer: Activation, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    square = v.square
    if v.unequal and isinstance(layer, SmoothActivation):
        raise NoRuleError(
            f"theory.laws.wide has no rule for {layer} of channels of unequal variances."
        )
    if not square.free_symbols and len(square.atoms(activations.GaussianMean)) > NESTED:
        square = sp.sympify(square.evalf())
    second, fourth = (activations.slope_moment(layer, square, power) for power in (2, 4))
    mean = activations.mean(layer, square) ** 2
    # known if units with the same weights, or at the same position, are independent before
    channels, positions = (
        mean if before == 0 else None for before in (v.over_channels, v.over_positions)
    )
    behind = activations.mean_square(layer, square)
    return Resolved(layer, second, fourth), replace(
        v, square=behind, over_channels=channels, over_positions=positions
    )


@_gaussian.register
def _(layer: LayerNorm, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    if v.over_channels is None or v.pooled:
        raise NoRuleError(f"theory.laws.wide does not know the variance that {layer} divides by.")
    factor = 1 / (v.square - v.over_channels)
    positions = sp.Integer(0) if v.over_positions == 0 else None
    return ResolvedNorm(layer, factor), Moments(sp.Integer(1), sp.Integer(0), positions, v.unequal)


@_gaussian.register
def _(layer: BatchNorm, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    if v.over_positions is None or v.unequal or v.pooled:
        raise NoRuleError(f"theory.laws.wide does not know the variances that {layer} divides by.")
    factor = 1 / (v.square - v.over_positions)
    channels = sp.Integer(0) if v.over_channels == 0 else None
    return ResolvedNorm(layer, factor), Moments(sp.Integer(1), channels, sp.Integer(0))


@_gaussian.register
def _(layer: Serial, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    resolved = []
    for inner in layer.layers:
        found, v = _gaussian(inner, shape, v)
        resolved.append(found)
        shape = output_shape(inner, shape)
    return Serial(tuple(resolved)), v


@_gaussian.register
def _(layer: Branching, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    branch, more = _gaussian(layer.branch, shape, v)
    shortcut, kept = _gaussian(layer.shortcut, shape, v)
    own, rest = shares(layer, shape)
    is_concat = isinstance(layer, Concat)

    def joined(one: Any, other: Any) -> Any:
        return None if one is None or other is None else own * one + rest * other

    channels = joined(more.over_channels, kept.over_channels)
    if is_concat and channels != 0:
        channels = None
    unequal = more.unequal or kept.unequal
    if is_concat and not unequal:
        unequal = sp.simplify(more.square - kept.square) != 0
    behind = Moments(
        joined(more.square, kept.square),
        channels,
        joined(more.over_positions, kept.over_positions),
        unequal,
        more.pooled or kept.pooled,
    )
    return type(layer)(branch, shortcut), behind
