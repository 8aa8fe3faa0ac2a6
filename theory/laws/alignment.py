"""How much of the gradient of a network's features points along the features themselves.

Behind features h with Jacobian J stands a Gaussian matrix of variance σ², f = W h. Given f it is
known along h, and across h it is as Gaussian as before. So the gradient of the loss is, in law,

    ∂_x L = (r · f)/‖h‖ Jᵀĥ + σ‖r‖ Jᵀ(ξ across h),   r = softmax(f) − onehot(label),  ĥ = h/‖h‖,
    E‖∂_x L‖_2² = σ²‖J‖_F² [(1 − α) E‖r‖² + α E(r·f)²/(σ²‖h‖²)],   α = ‖Jᵀĥ‖²/‖J‖_F².

Jᵀĥ is the gradient of ‖h‖, and of a positively homogeneous network it obeys Euler's identity at
every place: a · ∂‖h‖/∂a = ‖h‖ for its units a. So weights that read N units of mean square v hand
on a part (r · f) a/‖a‖², which is known; all else becomes noise in them. That part is the share
v_f/(N v E) of the energy, v_f the mean square of a logit and E that of its derivative by a unit,
times N. Behind a (leaky) ReLU it counts m = E φ'⁴/(E φ'²)² times, 2 for a ReLU, which lets its own
output through more than anything else. Without averages v_f = v E, and

    1 − α = (1 − 1/d) Π_l (1 − m_l/N_l)  over the hidden layers, N_l = channels × positions,

exact for one hidden layer, and otherwise to first order, where α = 1/d + Σ m_l/N_l.

Behind a dense head α vanishes for large images, behind a global average it does not. Two ways
through a residual addition add up what they know along the stream; what they know in common
elsewhere is left out, a sixth of α in pre-activation networks (see the tests). Source: derived in
the statement `gaussian-head`.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp

from theory import activations
from theory.fans import in_degree
from theory.laws import kernels
from theory.laws.energy import forward_gain, gain, shares
from theory.laws.resolved import Resolved, ResolvedNorm
from theory.network import (
    Activation,
    AvgPool,
    Branching,
    Dense,
    GlobalAvgPool,
    Identity,
    Layer,
    Normalization,
    Serial,
    Shape,
    SmoothActivation,
    Weighted,
    number_of,
    output_shape,
    walk,
)


@dataclass(frozen=True)
class Head:
    """What the loss of a network knows of its features, to leading order for many units."""

    alignment: Any
    """α, the share of a logit's gradient energy that is known along the features."""
    averaged: Any
    """What averages leave of a logit's mean square at inputs whose pixels are uncorrelated."""


UNKNOWN = Head(sp.Integer(0), sp.Integer(1))
"""That of networks without Euler's identity: logits independent of their gradients."""


@dataclass(frozen=True)
class _Values:
    """Of units, forwards."""

    square: Any
    """Mean square."""
    common: Any
    """Mean product of one channel at two positions far from each other."""

    def times(self, factor: Any) -> "_Values":
        return _Values(factor * self.square, factor * self.common)


@dataclass(frozen=True)
class _Aligned:
    """Of the gradient of ‖h‖, backwards, in units of the energy of a logit's gradient."""

    forwards: Any
    """v_f/(v E): Euler's identity fixes `forwards`/N of the energy, N the number of units."""
    along: Any
    """What the last weights hand on, parallel to what they read."""
    across: Any
    """All else, in units of what the first leaves."""

    @property
    def total(self) -> Any:
        return self.along + (1 - self.along) * self.across


@lru_cache(maxsize=1024)
def head(body: Serial, shape: Shape) -> Head | None:
    """What the loss knows of the features before a dense head; `shape` in integers or symbols.

    None for networks that are not positively homogeneous, of which Euler's identity says nothing,
    and for those that end otherwise. Activations that read an activated stream must be resolved
    (`theory.laws.wide`).
    """
    if not isinstance(body.layers[-1], Dense) or not all(map(_is_homogeneous, walk(body))):
        return None
    one, none = sp.Integer(1), sp.Integer(0)
    values = _Values(one, none)
    found = _pull(body, shape, values, _Aligned(one, none, none))
    averaged = _push(body, shape, values).square / forward_gain(body, shape)
    return Head(found.total, averaged)


def _is_homogeneous(layer: Layer) -> bool:
    inner = layer.activation if isinstance(layer, Resolved) else layer
    return not isinstance(inner, SmoothActivation | Normalization | ResolvedNorm)


@singledispatch
def _push(layer: Layer, shape: Shape, values: _Values) -> _Values:
    """What stands behind a layer that reads `values` at `shape`."""
    return values.times(forward_gain(layer, shape))


@_push.register
def _(layer: Activation, shape: Shape, values: _Values) -> _Values:
    behind = values.times(forward_gain(layer, shape))
    inner = layer.activation if isinstance(layer, Resolved) else layer
    if isinstance(inner, Identity) or values.common == values.square:
        return behind
    one = np.ones(())
    common, square = (
        kernels.values(inner, one, one, one * float(c))
        for c in (values.common / values.square, 1.0)
    )
    return replace(behind, common=behind.square * sp.Float(float(common / square)))


@_push.register(AvgPool)
@_push.register(GlobalAvgPool)
def _(layer: Layer, shape: Shape, values: _Values) -> _Values:
    own = (values.square - values.common) / in_degree(layer, shape)
    return replace(values, square=values.common + own)


@_push.register
def _(layer: Serial, shape: Shape, values: _Values) -> _Values:
    for inner in layer.layers:
        values, shape = _push(inner, shape, values), output_shape(inner, shape)
    return values


@_push.register
def _(layer: Branching, shape: Shape, values: _Values) -> _Values:
    own, rest = shares(layer, shape)
    branch = _push(layer.branch, shape, values).times(own)
    shortcut = _push(layer.shortcut, shape, values).times(rest)
    return _Values(branch.square + shortcut.square, branch.common + shortcut.common)


@singledispatch
def _pull(layer: Layer, shape: Shape, values: _Values, behind: _Aligned) -> _Aligned:
    """What stands before a layer that reads `values` at `shape`."""
    up = _push(layer, shape, values).square / values.square
    return replace(behind, forwards=behind.forwards * up / gain(layer, shape))


@_pull.register
def _(layer: Weighted, shape: Shape, values: _Values, behind: _Aligned) -> _Aligned:
    known = behind.forwards / number_of(shape)
    return _Aligned(behind.forwards, known, behind.total)


@_pull.register
def _(layer: Activation, shape: Shape, values: _Values, behind: _Aligned) -> _Aligned:
    if isinstance(layer, Resolved):
        second, fourth = layer.second_moment, layer.fourth_moment
    else:
        second, fourth = (activations.slope_moment(layer, 1, power) for power in (2, 4))
    return replace(behind, along=fourth / second**2 * behind.along)


@_pull.register
def _(layer: Serial, shape: Shape, values: _Values, behind: _Aligned) -> _Aligned:
    before = []
    for inner in layer.layers:
        before.append((inner, shape, values))
        values, shape = _push(inner, shape, values), output_shape(inner, shape)
    for inner, inner_shape, read in reversed(before):
        behind = _pull(inner, inner_shape, read, behind)
    return behind


@_pull.register
def _(layer: Branching, shape: Shape, values: _Values, behind: _Aligned) -> _Aligned:
    ways, parts = (layer.branch, layer.shortcut), shares(layer, shape)
    reach = list(zip(ways, parts, strict=True))
    up = [part * _push(way, shape, values).square / values.square for way, part in reach]
    down = [part * gain(way, shape) for way, part in reach]
    forwards = behind.forwards * sum(up) / sum(down)
    # the derivative of ‖h‖ by the size of one way is its share of the mean square
    along, across = 2 * up[0] * up[1] / sum(up) ** 2 * forwards / number_of(shape), sp.Integer(0)
    for way, own, energy in zip(ways, up, down, strict=True):
        found = _pull(way, shape, values, replace(behind, forwards=behind.forwards * own / sum(up)))
        parallel = sp.Min(found.along, found.forwards / number_of(shape))
        along += energy / sum(down) * parallel
        across += energy / sum(down) * (found.total - parallel)
    return _Aligned(forwards, along, across)
