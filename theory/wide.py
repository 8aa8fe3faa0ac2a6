"""The limit of large width, where pre-activations are Gaussian and sizes average out.

Hypothesis H gives every activation its gain without asking what it reads. That is not enough for
smooth activations, whose gain depends on the variance of their input, nor where an activation reads
a sum that has been through an activation before (a post-activation residual stream is not
negative, so its ReLUs pass more than half). In a wide network each unit is an independent sample:

- behind a dense layer or convolution it is N(0, v), v = fan-in · Var(w) · mean square before;
- an activation φ multiplies the energy of the gradient by φ'(z)²;
- behind weights, backwards, all units get the same expected energy.

`resolve` reads a network in this way and puts in the place of each activation its gain there.
Images enter as if every position had the same mean square, and pooling as if neighbours were equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import ndtri

from theory import activations
from theory.energy import Connection, connection, forward_gain, gain
from theory.network import (
    Activation,
    Conv,
    Dense,
    Identity,
    Layer,
    Residual,
    Serial,
    Shape,
    SmoothActivation,
    output_shape,
    walk,
)

WIDE = (
    "large width, before any limit in d: pre-activations are Gaussian, with the same mean square "
    "at every position"
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


@dataclass(frozen=True)
class WideNetwork:
    """A network with every activation resolved, and the mean square of its output."""

    body: Serial
    mean_square: Any


def needed(body: Layer) -> bool:
    """True if hypothesis H cannot tell the gains of this network: see the module's docstring."""
    smooth = any(isinstance(layer, SmoothActivation) for layer in walk(body))
    return smooth or reads_activated_stream(body)


def reads_activated_stream(body: Layer) -> bool:
    """True if an activation reads what has been through an activation, with no weights since."""
    found = False

    def through(layer: Layer, activated: bool) -> bool:
        nonlocal found
        if isinstance(layer, Dense | Conv):
            return False
        if isinstance(layer, Activation) and not isinstance(layer, Identity):
            found = found or activated
            return True
        if isinstance(layer, Residual):
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
    """The network with every activation's gain in the wide limit, at inputs of mean square 1.

    `shape` holds integers or symbols. Gains are exact expressions if every activation reads
    Gaussian pre-activations; otherwise they come from `SAMPLES` quasi-random units, with a relative
    error below 1e-3.

    Raises ValueError in the second case if, for a symbolic shape, gains depend on its symbols.
    """
    if reads_activated_stream(body):
        return _by_sampling(body, shape)
    resolved, square = _gaussian(body, shape, sp.Integer(1))
    assert isinstance(resolved, Serial)
    return WideNetwork(resolved, square)


@singledispatch
def _gaussian(layer: Layer, shape: Shape, v: Any) -> tuple[Layer, Any]:
    """The resolved layer and the mean square behind it, for Gaussian inputs of variance v."""
    return layer, v * forward_gain(layer, shape)


@_gaussian.register
def _(layer: Activation, shape: Shape, v: Any) -> tuple[Layer, Any]:
    if not v.free_symbols and len(v.atoms(activations.GaussianMean)) > NESTED:
        v = sp.sympify(v.evalf())
    second, fourth = (activations.slope_moment(layer, v, power) for power in (2, 4))
    return Resolved(layer, second, fourth), activations.mean_square(layer, v)


@_gaussian.register
def _(layer: Serial, shape: Shape, v: Any) -> tuple[Layer, Any]:
    resolved = []
    for inner in layer.layers:
        found, v = _gaussian(inner, shape, v)
        resolved.append(found)
        shape = output_shape(inner, shape)
    return Serial(tuple(resolved)), v


@_gaussian.register
def _(layer: Residual, shape: Shape, v: Any) -> tuple[Layer, Any]:
    branch, more = _gaussian(layer.branch, shape, v)
    shortcut, kept = _gaussian(layer.shortcut, shape, v)
    return Residual(branch, shortcut), more + kept


def _fraction(mean: np.floating) -> sp.Expr:
    """A sampled mean as a fraction: exact arithmetic keeps equal energies equal.

    It is within 1e-6 of the mean, which knows less than that.
    """
    return sp.Rational(Fraction(float(mean)).limit_denominator(1000))


Units = np.ndarray
"""Samples of one unit of a layer: its value (forwards) or the expected energy of its gradient,
given its value and relative to the layer's total (backwards)."""
Pull = Callable[[Units], tuple[Units, Layer]]
"""Energies behind a layer ↦ energies before it, and the resolved layer."""


def _by_sampling(body: Serial, shape: Shape) -> WideNetwork:
    layers = body.layers
    last = max(i for i, x in enumerate(layers) if any(isinstance(y, Activation) for y in walk(x)))
    inner, head = Serial(layers[: last + 1]), Serial(layers[last + 1 :])
    noise = _gaussian_columns(sum(isinstance(x, Dense | Conv) for x in walk(inner)))
    smooth = any(isinstance(layer, SmoothActivation) for layer in walk(body))
    values, k, pulls, before = np.ones(SAMPLES), 0, [], shape
    for layer in inner.layers:
        values, pull = _push(layer, before, values, noise)
        before = output_shape(layer, before)
        pulls.append(pull)
        if not smooth:  # gains do not depend on the size of the values
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


@_push.register(Dense)
@_push.register(Conv)
def _(
    layer: Dense | Conv, shape: Shape, values: Units, noise: Iterator[Units]
) -> tuple[Units, Pull]:
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
def _(layer: Residual, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    branch, pull_branch = _push(layer.branch, shape, values, noise)
    shortcut, pull_shortcut = _push(layer.shortcut, shape, values, noise)

    def pull(energies: Units) -> tuple[Units, Layer]:
        from_branch, resolved_branch = pull_branch(energies)
        from_shortcut, resolved_shortcut = pull_shortcut(energies)
        return from_branch + from_shortcut, Residual(resolved_branch, resolved_shortcut)

    return branch + shortcut, pull
