"""Layers whose gain depends on what they read, with the gain that they have at their place.

`theory.laws.wide` puts them into a network; every other reading of it then goes on as before.
"""

from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from theory.initializers import Orthogonal, VarianceScaling
from theory.laws.energy import Connection, connection
from theory.network import (
    Activation,
    BatchNorm,
    Branching,
    Layer,
    Normalization,
    Serial,
    Shape,
)

WIDE = (
    "large width, before any limit in d: pre-activations are Gaussian, with the same mean square "
    "at every position"
)
LAYER_NORM = (
    "many channels: a layer norm divides by their standard deviation, the same at every position, "
    "on which one gradient has no influence; epsilon is far smaller"
)
BATCH_NORM = (
    "many inputs and positions, with gradients that do not agree and neighbouring pixels that are "
    "uncorrelated: batch norm divides by a standard deviation, the same for every channel, on "
    "which one gradient has no influence; epsilon is far smaller"
)


@dataclass(frozen=True, repr=False)
class Resolved(Activation):
    """An activation with the moments of its derivative at its place in a wide network."""

    activation: Activation
    second_moment: Any
    """Energy behind it over energy before it, backwards: E φ'(z)² weighted by the energy."""
    fourth_moment: Any
    """E φ'(z)⁴, weighted by the squared energy."""

    def __repr__(self) -> str:
        return repr(self.activation)


def relative_variance(second: Any, fourth: Any) -> Any:
    """Var S / (E S)² of S = φ'(z)² u² for one unit, u ~ N(0, 1): 5 for a ReLU, 2 for the identity.

    From E φ'² and E φ'⁴. Of the mean over n units it is the n-th part.
    """
    return 3 * fourth / second**2 - 1


@connection.register
def _(layer: Resolved, shape: Shape) -> Connection:
    return Connection(layer.second_moment, (WIDE,))


@dataclass(frozen=True, repr=False)
class ResolvedNorm(Layer):
    """A normalization with its gain at its place in a wide network: one over a variance."""

    norm: Normalization
    gain: Any

    def __repr__(self) -> str:
        return repr(self.norm)


@connection.register
def _(layer: ResolvedNorm, shape: Shape) -> Connection:
    rests = BATCH_NORM if isinstance(layer.norm, BatchNorm) else LAYER_NORM
    return Connection(layer.gain, (rests,))


@dataclass(frozen=True)
class WideNetwork:
    """A network with its activations and normalizations resolved, and its output's mean square."""

    body: Serial
    mean_square: Any


LARGE = 2**20
"""Side of an image as good as infinite."""


def in_fractions(layer: Any) -> Any:
    """The same layers with fractions for gains and variances that are none.

    Within 1e-15; a gain that depends on the image is that of a very large one. Sums of products of
    the gains themselves, functions of π, take minutes to compare.
    """
    if isinstance(layer, Resolved):
        return replace(layer, second_moment=_near(layer.second_moment))
    if isinstance(layer, ResolvedNorm):
        return replace(layer, gain=_near(layer.gain))
    if isinstance(layer, Serial):
        return Serial(tuple(map(in_fractions, layer.layers)))
    if isinstance(layer, Branching):
        return type(layer)(in_fractions(layer.branch), in_fractions(layer.shortcut))
    init = getattr(layer, "init", None)
    if isinstance(init, VarianceScaling):
        return replace(layer, init=replace(init, scale=_near(sp.sympify(init.scale))))
    if isinstance(init, Orthogonal):
        gain = _near(sp.sympify(init.gain_squared))
        return replace(layer, init=replace(init, gain_squared=gain))
    return layer


def _near(gain: Any) -> Any:
    if gain.is_Rational:
        return gain
    return sp.Rational(float(gain.subs(dict.fromkeys(gain.free_symbols, LARGE))))
