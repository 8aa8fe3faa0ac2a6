"""How much of the gradient of a network's features points along the features themselves.

Behind features h with Jacobian J stands a Gaussian matrix of variance σ², f = W h. Given f it is
known along h, and across h it is as Gaussian as before. So the gradient of the loss is, in law,

    ∂_x L = (r · f)/‖h‖ Jᵀĥ + σ‖r‖ Jᵀ(ξ across h),   r = softmax(f) − onehot(label),  ĥ = h/‖h‖,
    E‖∂_x L‖_2² = σ²‖J‖_F² [(1 − α) E‖r‖² + α E(r·f)²/(σ²‖h‖²)],   α = ‖Jᵀĥ‖²/‖J‖_F².

Jᵀĥ is the gradient of ‖h‖. It begins as ĥ, a function of the features, and goes back through the
same matrices that made them. Gaussian weights with W a = z make of a gradient k that depends on z

    Wᵀ k = a E[z k]/E[a²] + noise,

all of whose energy is that of k, independent of everything; if one kernel serves many positions p,
all z_p are known, and Σ_p' a_p' E[∂k_p/∂z_p'] stands for the first term (Stein's identity). The
known part is O(1/N) of the energy for N units, and to first order α is the sum of what each layer
knows: what is known at its units becomes noise before it, of the same share of the energy.

So backwards goes the known part as a function of one unit: of the values that the unit and what
was added to it have in a wide network, at some positions. These are sampled. Masks multiply it,
residual additions add up what two ways know, and positions that are read more often (behind
strides, near a border that reflects) have more of it: products of gradients at two positions that
meet there are taken to be those of a logit, which they are not near such borders.

Of a positively homogeneous network it obeys Euler's identity at every place, and without averages,
strides and additions it is parallel to the units behind ReLUs. Then

    1 − α = (1 − 1/d) Π_l (1 − m_l/N_l)  over the hidden layers, N_l = channels × positions,

m = E φ'⁴/(E φ'²)², 2 for a ReLU: exact for one hidden layer, else to first order. Behind a dense
head α vanishes for large images, behind a global average it does not. Source: derived in the
statement `gaussian-head`; the rule for Wᵀk is that of Yang 2020 (arXiv 2006.14548).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float

from theory import activations
from theory.fans import in_degree
from theory.geometry import connections, smallest_side
from theory.laws import kernels
from theory.laws.energy import NoRuleError, forward_gain, gain, shares
from theory.laws.resolved import LARGE, Resolved, ResolvedNorm
from theory.laws.sampled_units import (
    ELEMENTS,
    EQUAL,
    Noise,
    Samples,
    fraction,
    mean_product,
    places_of,
    shared_means,
    slopes,
)
from theory.network import (
    Activation,
    AvgPool,
    Branching,
    Concat,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    Normalization,
    Serial,
    Shape,
    SmoothActivation,
    Weighted,
    number_of,
    output_shape,
    walk,
    with_border,
)
from theory.tokens import MixPositions, Patches


@dataclass(frozen=True)
class Head:
    """What the loss of a network knows of its features, to leading order for many units."""

    alignment: Any
    """α, the share of a logit's gradient energy that is known along the features."""
    averaged: Any
    """What averages leave of a logit's mean square at inputs whose pixels are uncorrelated."""


UNKNOWN = Head(sp.Integer(0), sp.Integer(1))
"""That of networks without Euler's identity: logits independent of their gradients."""

Amplitudes = Float[np.ndarray, "..."]
"""By position: (side, side) of an image, (n, 1) of a sequence, (1, 1) of a vector."""


@dataclass(frozen=True, eq=False)
class _Values:
    """Of units, forwards."""

    square: Any
    """Mean square."""
    common: Any
    """Mean product of one channel at two positions far from each other."""
    unaveraged: Any
    """Mean square if averages kept it."""
    units: Samples
    """At positions far from each other, of mean square 1."""
    shares: Float[np.ndarray, " kinds"]
    """How many of the channels are of each kind."""
    side: int
    """Positions along an axis; those of the smallest image if the shape has symbols."""

    def times(self, factor: Any) -> "_Values":
        square, common, unaveraged = self.square, self.common, self.unaveraged
        sizes = {"square": square, "common": common, "unaveraged": unaveraged}
        return replace(self, **{name: factor * size for name, size in sizes.items()})


@dataclass(frozen=True, eq=False)
class _Aligned:
    """Of the gradient of ‖h‖, backwards."""

    forwards: Any
    """v_f/(v E), v_f and v the mean squares of a logit and of the units here, E the energy of the
    logit's derivatives by them: of N units with k = a/‖a‖² the share `forwards`/N is known."""
    known: tuple[tuple[Amplitudes, Samples], ...]
    """Its known part k: the sum of these products, in units of a/‖a‖²."""
    shares: Float[np.ndarray, " kinds"]
    """As of `_Values`."""
    across: Any
    """The energy of all else over that of a logit's gradient, in units of what the first leaves."""

    def total(self, shape: Shape) -> Any:
        """The energy of both over that of a logit's gradient."""
        square = sum(
            float(np.mean(g * h)) * mean_product(x, y, self.shares)
            for g, x in self.known
            for h, y in self.known
        )
        along = fraction(square) * self.forwards / number_of(shape)
        return along + (1 - along) * self.across


Pull = Callable[[_Aligned], _Aligned]
"""What stands behind a layer ↦ what stands before it."""


@lru_cache(maxsize=1024)
def head(body: Serial, shape: Shape) -> Head | None:
    """What the loss knows of the features before a dense head.

    Args:
        body: the network. Activations that read an activated stream must be resolved
            (`theory.laws.wide`).
        shape: of its input, in integers or symbols; of symbols, borders are taken as circular.

    Returns:
        α and the part of the mean square that averages leave. None for networks that are not
        positively homogeneous, for those that end otherwise, and where two concatenations are
        added to each other.
    """
    if not isinstance(body.layers[-1], Dense) or not all(map(_is_homogeneous, walk(body))):
        return None
    side = shape[0]
    if not isinstance(side, int):
        body = with_border(body, "circular")
        side = smallest_side(body, shape[-1])
    one, none = sp.Integer(1), sp.Integer(0)
    places = 1 if isinstance(body.layers[0], Flatten) else places_of(shape)
    noise = Noise(ELEMENTS // places)
    start = noise.field(places, 0.0)
    try:
        values = _Values(one, none, one, start, np.ones(1), side)
        features, pull = _push(Serial(body.layers[:-1]), shape, values, noise)
    except NoRuleError:
        return None
    known = ((np.ones((1, 1)), features.units),)
    found = pull(_Aligned(one, known, features.shares, none)).total(shape)
    return Head(found, features.square / features.unaveraged)


def _is_homogeneous(layer: Layer) -> bool:
    inner = layer.activation if isinstance(layer, Resolved) else layer
    return not isinstance(inner, SmoothActivation | Normalization | ResolvedNorm)


def _number(x: Any) -> float:
    """Its value; at a very large image, if it depends on the image."""
    return float(sp.sympify(x).subs(dict.fromkeys(sp.sympify(x).free_symbols, LARGE)))


def _side_behind(layer: Layer, shape: Shape, side: int) -> int:
    if isinstance(layer, Patches):
        return output_shape(layer, (side, side, 1))[0]
    return len(connections(layer, side)) if len(shape) > 1 else 1


def _spread(layer: Layer, shape: Shape, side: int, behind: Amplitudes) -> Amplitudes:
    """Amplitudes at what a layer reads: of all that read it. Their mean is kept."""
    if isinstance(layer, Patches):
        return np.full((side, side), behind.mean())
    if len(shape) == 1:
        return behind
    counts = connections(layer, side)
    axes = len(shape) - 1
    found = counts.T @ behind @ (counts if axes == 2 else np.ones((1, 1)))
    return found / (counts.sum() / side) ** axes


@singledispatch
def _push(layer: Layer, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    """What stands behind a layer that reads `values` at `shape`, and the way back through it."""
    up = forward_gain(layer, shape)
    behind = replace(values.times(up), side=_side_behind(layer, shape, values.side))
    return behind, _pull(layer, shape, values.side, up, lambda x: x)


def _pull(
    layer: Layer, shape: Shape, side: int, up: Any, back: Callable[[Samples], Samples]
) -> Pull:
    """The way back through a layer without weights, `up` what it makes of mean squares."""
    down = gain(layer, shape)

    def pull(found: _Aligned) -> _Aligned:
        known = tuple((_spread(layer, shape, side, g), back(x)) for g, x in found.known)
        return replace(found, forwards=found.forwards * up / down, known=known)

    return pull


@_push.register
def _(layer: Weighted, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    after, a = output_shape(layer, shape), values.units
    common = _number(values.common / values.square) if len(after) > 1 else 0.0
    z = noise.field(places_of(after), common)
    behind = replace(
        values.times(forward_gain(layer, shape)),
        units=z,
        shares=np.ones(1),
        side=_side_behind(layer, shape, values.side),
    )

    def pull(found: _Aligned) -> _Aligned:
        known = []
        for g, k in found.known:
            at, far = slopes(z, k, found.shares, is_shared=not isinstance(layer, MixPositions))
            before = at * a + (far * shared_means(a, z.shape[2]) if far else 0)
            known.append((_spread(layer, shape, values.side, g), before))
        return _Aligned(found.forwards, _summed(known), values.shares, found.total(after))

    return behind, pull


def _summed(
    known: list[tuple[Amplitudes, Samples]],
) -> tuple[tuple[Amplitudes, Samples], ...]:
    """The same sum, equal amplitudes once."""
    found: list[tuple[Amplitudes, Samples]] = []
    for g, x in known:
        for i, (h, y) in enumerate(found):
            if g.shape == h.shape and np.allclose(g, h, rtol=EQUAL):
                places = min(x.shape[2], y.shape[2])
                found[i] = (h, x[..., :places] + y[..., :places])
                break
        else:
            found.append((g, x))
    return tuple(found)


@_push.register
def _(layer: Activation, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    inner = layer.activation if isinstance(layer, Resolved) else layer
    below = float(activations.negative_slope(inner))
    masks = np.where(values.units > 0, 1.0, below)
    units = masks * values.units
    square = mean_product(units, units, values.shares)
    size, up = np.sqrt(square), fraction(square)
    behind = replace(values.times(up), units=units / size)
    if below != 1 and values.common != values.square:
        one = np.ones(())
        common, whole = (
            kernels.values(inner, one, one, one * float(c))
            for c in (values.common / values.square, 1.0)
        )
        behind = replace(behind, common=behind.square * sp.Float(float(common / whole)))

    def back(x: Samples) -> Samples:
        return masks[..., : x.shape[2]] * x / size

    return behind, _pull(layer, shape, values.side, up, back)


@_push.register(AvgPool)
@_push.register(GlobalAvgPool)
def _(layer: Layer, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    kinds, samples, places = values.units.shape
    window = min(layer.window**2, places) if isinstance(layer, AvgPool) else places
    kept = values.units[..., : places // window * window]
    units = kept.reshape(kinds, samples, -1, window).mean(axis=3)
    size = np.sqrt(mean_product(units, units, values.shares))
    behind = replace(
        values,
        square=values.common + (values.square - values.common) / in_degree(layer, shape),
        units=units / size,
        side=_side_behind(layer, shape, values.side),
    )

    def back(x: Samples) -> Samples:
        return np.repeat(x, window, axis=2) / size

    up = behind.square / values.square
    return behind, _pull(layer, shape, values.side, up, back)


@_push.register
def _(layer: Serial, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    pulls = []
    for inner in layer.layers:
        values, pull = _push(inner, shape, values, noise)
        pulls.append(pull)
        shape = output_shape(inner, shape)

    def pull_all(found: _Aligned) -> _Aligned:
        for pull in reversed(pulls):
            found = pull(found)
        return found

    return values, pull_all


@_push.register
def _(layer: Branching, shape: Shape, values: _Values, noise: Noise) -> tuple[_Values, Pull]:
    ways, is_concat = (layer.branch, layer.shortcut), isinstance(layer, Concat)
    behind, pulls = zip(*(_push(way, shape, values, noise) for way in ways), strict=True)
    parts = shares(layer, shape)
    total = {
        name: sum(part * getattr(way, name) for part, way in zip(parts, behind, strict=True))
        for name in ("square", "common", "unaveraged")
    }
    sizes = [np.sqrt(_number(way.square / total["square"])) for way in behind]
    places = min(way.units.shape[2] for way in behind)
    scaled = [s * way.units[..., :places] for s, way in zip(sizes, behind, strict=True)]
    if is_concat:
        units = np.concatenate(scaled)
        kinds = [_number(part) * way.shares for part, way in zip(parts, behind, strict=True)]
        of_kinds = np.concatenate(kinds)
    elif min(len(x) for x in scaled) > 1:
        raise NoRuleError(f"theory.laws.alignment has no rule for {layer} of concatenations.")
    else:
        units, of_kinds = scaled[0] + scaled[1], max((x.shares for x in behind), key=len)
    size = np.sqrt(mean_product(units, units, of_kinds))
    first = len(behind[0].shares)
    here = (slice(first), slice(first, None)) if is_concat else (slice(None), slice(None))
    up = total["square"] / values.square
    energies = [part * gain(way, shape) for part, way in zip(parts, ways, strict=True)]

    def pull(found: _Aligned) -> _Aligned:
        known, across = [], sp.Integer(0)
        for i, pull_way in enumerate(pulls):
            part = parts[i]
            amplitude = _number(part) * sizes[i] / size
            before = pull_way(
                _Aligned(
                    found.forwards * total["square"] / (part * behind[i].square),
                    tuple((g, amplitude * x[here[i]]) for g, x in found.known),
                    behind[i].shares if is_concat else found.shares,
                    found.across,
                )
            )
            known += before.known
            across += energies[i] / sum(energies) * before.across
        forwards = found.forwards * up / sum(energies)
        return _Aligned(forwards, _summed(known), values.shares, across)

    return _Values(**total, units=units / size, shares=of_kinds, side=behind[0].side), pull
