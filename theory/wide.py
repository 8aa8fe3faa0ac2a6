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
gain there. Images enter as if every position had the same mean square, and pooling as if neighbours
were equal. What a mean takes away is known where it is read behind weights, or behind an activation
of something without a mean; elsewhere, and for a normalization behind an average pool, there is no
rule (`NoRuleError`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import ndtri

from theory import activations
from theory.energy import Connection, NoRuleError, connection, forward_gain, gain, shares
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
    Normalization,
    Residual,
    Serial,
    Shape,
    SmoothActivation,
    Weighted,
    output_shape,
    walk,
)
from theory.tokens import MixPositions

WIDE = (
    "large width, before any limit in d: pre-activations are Gaussian, with the same mean square "
    "at every position"
)
LAYER_NORM = (
    "many channels: a layer norm divides by their standard deviation, on which one gradient has no "
    "influence; epsilon is far smaller"
)
BATCH_NORM = (
    "many inputs and positions, with gradients that do not agree: batch norm divides by their "
    "standard deviation, on which one gradient has no influence; epsilon is far smaller"
)
SAMPLES = 2**14

FAR = 200
"""Powers of 2 that units may have gathered before they are kept apart."""

NESTED = 8
"""Gaussian means inside of each other that stay an expression; more of them become a number."""


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


def needed(body: Layer) -> bool:
    """True if hypothesis H cannot tell the gains of this network: see the module's docstring."""
    return depends_on_sizes(body) or reads_activated_stream(body)


def depends_on_sizes(body: Layer) -> bool:
    """True if some gain depends on the size of what the layer reads."""
    return any(isinstance(layer, SmoothActivation | Normalization) for layer in walk(body))


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
        return _by_sampling(body, shape)
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
        raise NoRuleError(f"theory.wide has no rule for {layer} of channels of unequal variances.")
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
        raise NoRuleError(f"theory.wide does not know the variance that {layer} divides by.")
    factor = 1 / (v.square - v.over_channels)
    positions = sp.Integer(0) if v.over_positions == 0 else None
    return ResolvedNorm(layer, factor), Moments(sp.Integer(1), sp.Integer(0), positions, v.unequal)


@_gaussian.register
def _(layer: BatchNorm, shape: Shape, v: Moments) -> tuple[Layer, Moments]:
    if v.over_positions is None or v.unequal or v.pooled:
        raise NoRuleError(f"theory.wide does not know the variances that {layer} divides by.")
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


def _fraction(mean: np.floating) -> sp.Expr:
    """A sampled mean as a fraction: exact arithmetic keeps equal energies equal.

    It is within 1e-6 of the mean, which knows less than that.
    """
    return sp.Rational(Fraction(float(mean)).limit_denominator(1000))


def in_fractions(layer: Any) -> Any:
    """The same layers with fractions for the gains of a network that has normalizations.

    Within 1e-15. Sums of products of the gains themselves, functions of π, take minutes to compare.
    """
    if isinstance(layer, Resolved):
        return replace(layer, second_moment=_near(layer.second_moment))
    if isinstance(layer, ResolvedNorm):
        return replace(layer, gain=_near(layer.gain))
    if isinstance(layer, Serial):
        return Serial(tuple(map(in_fractions, layer.layers)))
    if isinstance(layer, Branching):
        return type(layer)(in_fractions(layer.branch), in_fractions(layer.shortcut))
    return layer


def _near(gain: Any) -> Any:
    return sp.Rational(float(gain)) if gain.is_number else gain


Units = np.ndarray
"""Samples of one unit of a layer: its value (forwards) or the expected energy of its gradient,
given its value and relative to the layer's total (backwards)."""
Pull = Callable[[Units], tuple[Units, Layer]]
"""Energies behind a layer ↦ energies before it, and the resolved layer."""


def _by_sampling(body: Serial, shape: Shape) -> WideNetwork:
    layers = body.layers
    read = (Activation, Normalization)
    last = max(i for i, x in enumerate(layers) if any(isinstance(y, read) for y in walk(x)))
    inner, head = Serial(layers[: last + 1]), Serial(layers[last + 1 :])
    noise = _gaussian_columns(sum(isinstance(x, Weighted) for x in walk(inner)))
    sizes_matter = depends_on_sizes(body)
    values, k, pulls, before = np.ones(SAMPLES), 0, [], shape
    for layer in inner.layers:
        values, pull = _push(layer, before, values, noise)
        before = output_shape(layer, before)
        pulls.append(pull)
        if not sizes_matter:  # gains do not depend on the size of the values
            values, power = _moderate(values)
            k += power
    energies, resolved = np.ones(SAMPLES), []
    for pull in reversed(pulls):
        energies, found = pull(_moderate(energies)[0])
        resolved.append(found)
    square = _fraction(np.mean(values**2)) * sp.Integer(4) ** k
    square *= forward_gain(head, output_shape(inner, shape))
    return WideNetwork(Serial((*reversed(resolved), *head.layers)), square)


def _moderate(units: Units) -> tuple[Units, int]:
    """The units in another unit 2^k, which is 1 unless they come near the ends of floats."""
    k = int(np.frexp(np.abs(units).max())[1])
    return (units, 0) if abs(k) < FAR else (units * 2.0**-k, k)


def _gaussian_columns(count: int) -> Iterator[Units]:
    """Independent standard normal samples, one column for each layer of weights."""
    from scipy.stats import qmc  # slow to import, and only some networks need it

    points = qmc.Sobol(max(count, 1), rng=0).random(SAMPLES)
    return iter(ndtri(np.clip(points, 1e-12, 1 - 1e-12)).T)


@singledispatch
def _push(layer: Layer, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    """The units behind a layer, and the function that pulls energies back through it."""
    factor = _number(layer, gain(layer, shape))
    return values, lambda energies: (factor * energies, layer)


def _number(layer: Layer, factor: sp.Expr) -> float:
    if not factor.is_number:
        raise ValueError(f"{layer} before an activation: its gain {factor} grows with the image.")
    return float(factor)


@_push.register
def _(layer: Weighted, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    factor = _number(layer, gain(layer, shape))
    variance = factor * np.mean(values**2)

    def pull(energies: Units) -> tuple[Units, Layer]:
        return np.full(SAMPLES, factor * np.mean(energies)), layer

    return np.sqrt(variance) * next(noise), pull


@_push.register
def _(layer: Activation, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    slopes = activations.numeric_slope(layer)(values)

    def pull(energies: Units) -> tuple[Units, Layer]:
        before = slopes**2 * energies
        second = np.mean(before) / np.mean(energies)
        fourth = np.mean(before**2) / np.mean(energies**2)
        return before, Resolved(layer, _fraction(second), _fraction(fourth))

    return activations.numeric_function(layer)(values), pull


@_push.register
def _(layer: Serial, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    pulls = []
    for inner in layer.layers:
        values, pull_inner = _push(inner, shape, values, noise)
        pulls.append(pull_inner)
        shape = output_shape(inner, shape)

    def pull(energies: Units) -> tuple[Units, Layer]:
        resolved = []
        for pull_inner in reversed(pulls):
            energies, found = pull_inner(energies)
            resolved.append(found)
        return energies, Serial(tuple(reversed(resolved)))

    return values, pull


@_push.register
def _(layer: LayerNorm, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    factor = 1 / np.var(values)
    resolved = ResolvedNorm(layer, _fraction(factor))

    def pull(energies: Units) -> tuple[Units, Layer]:
        return factor * energies, resolved

    return (values - values.mean()) * np.sqrt(factor), pull


@_push.register(MixPositions)
@_push.register(BatchNorm)
@_push.register(Concat)
def _(layer: Layer, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    raise NoRuleError(f"theory.wide has no rule for {layer} in a stream that was activated.")


@_push.register
def _(layer: Residual, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    branch, pull_branch = _push(layer.branch, shape, values, noise)
    shortcut, pull_shortcut = _push(layer.shortcut, shape, values, noise)

    def pull(energies: Units) -> tuple[Units, Layer]:
        from_branch, resolved_branch = pull_branch(energies)
        from_shortcut, resolved_shortcut = pull_shortcut(energies)
        return from_branch + from_shortcut, Residual(resolved_branch, resolved_shortcut)

    return branch + shortcut, pull
