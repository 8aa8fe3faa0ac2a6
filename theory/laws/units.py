"""A wide network as samples of one of its units: where an activation reads an activated stream.

In a wide network each unit is an independent sample. Forwards the samples are its values, behind
weights Gaussian; backwards the energies of its gradient, given these values. Where there is a batch
norm, which asks how much positions have in common, every sample is a pair: one unit at two
positions, or at two inputs, far from each other.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import singledispatch

import numpy as np
import sympy as sp
from scipy.special import ndtri

from theory import activations
from theory.laws.energy import NoRuleError, forward_gain, gain
from theory.laws.resolved import Resolved, ResolvedNorm, WideNetwork
from theory.network import (
    Activation,
    AvgPool,
    BatchNorm,
    Concat,
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

FAR = 200
"""Powers of 2 that units may have gathered before they are kept apart."""

SAMPLES = 2**14


def _fraction(mean: np.floating) -> sp.Expr:
    """A sampled mean as a fraction: exact arithmetic keeps equal energies equal.

    It is within 5e-4 of the mean, in most cases far nearer; the mean itself is good to 1e-3.
    """
    return sp.Rational(Fraction(float(mean)).limit_denominator(1000))


Units = np.ndarray
"""Samples of one unit of a layer: its value (forwards) or the expected energy of its gradient,
given its value and relative to the layer's total (backwards)."""
Pull = Callable[[Units], tuple[Units, Layer]]
"""Energies behind a layer ↦ energies before it, and the resolved layer."""


def by_sampling(body: Serial, shape: Shape) -> WideNetwork:
    """The network with the gains of its activations and normalizations; see `wide.resolve`.

    Raises ValueError and NoRuleError as there.
    """
    layers = body.layers
    read = (Activation, Normalization)
    last = max(i for i, x in enumerate(layers) if any(isinstance(y, read) for y in walk(x)))
    inner, head = Serial(layers[: last + 1]), Serial(layers[last + 1 :])
    sizes_matter = depends_on_sizes(body)
    values, noise = _beginning(inner)
    k, pulls, before = 0, [], shape
    for layer in inner.layers:
        values, pull = _push(layer, before, values, noise)
        before = output_shape(layer, before)
        pulls.append(pull)
        if not sizes_matter:  # gains do not depend on the size of the values
            values, power = _moderate(values)
            k += power
    energies, resolved = np.ones(values.shape), []
    for pull in reversed(pulls):
        energies, found = pull(_moderate(energies)[0])
        resolved.append(found)
    square = _fraction(np.mean(values**2)) * sp.Integer(4) ** k
    square *= forward_gain(head, output_shape(inner, shape))
    return WideNetwork(Serial((*reversed(resolved), *head.layers)), square)


def _beginning(body: Layer) -> tuple[Units, Iterator[Units]]:
    """Inputs of mean square 1, without anything that positions have in common, and the noise."""
    every = list(walk(body))
    if any(isinstance(x, AvgPool) for x in every) and depends_on_sizes(body):
        raise NoRuleError(
            "theory.laws.wide does not know the size of averages in an activated stream."
        )
    for chain in (x for x in every if isinstance(x, Serial)):
        for before, inner in zip((None, *chain.layers), chain.layers, strict=False):
            if isinstance(inner, BatchNorm) and not isinstance(before, Weighted):
                raise NoRuleError(f"theory.laws.wide has no rule for {inner} but behind weights.")
    weighted = sum(isinstance(x, Weighted) for x in every)
    norms = sum(isinstance(x, BatchNorm) for x in every)
    if norms == 0:
        return np.ones(SAMPLES), _gaussian_columns(weighted)
    signs = np.where(np.arange(SAMPLES) % 2, 1.0, -1.0)
    return np.stack([np.ones(SAMPLES), signs]), _gaussian_columns(3 * weighted + 2 * norms)


def depends_on_sizes(body: Layer) -> bool:
    """True if some gain depends on the size of what the layer reads."""
    return any(isinstance(layer, SmoothActivation | Normalization) for layer in walk(body))


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
        return np.full(energies.shape, factor * np.mean(energies)), layer

    if values.ndim == 1:
        return np.sqrt(variance) * next(noise), pull
    # behind odd activations it is 0, and that of samples may be less
    common = np.clip(factor * np.mean(values[0] * values[1]), 0, variance)
    own = np.stack([next(noise), next(noise)])
    return np.sqrt(common) * next(noise) + np.sqrt(variance - common) * own, pull


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


@_push.register
def _(layer: BatchNorm, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    # behind weights: what is left without the common part is Gaussian and read by nothing else
    factor = 1 / (np.mean(values**2) - np.mean(values[0] * values[1]))
    resolved = ResolvedNorm(layer, _fraction(factor))

    def pull(energies: Units) -> tuple[Units, Layer]:
        return factor * energies, resolved

    return np.stack([next(noise), next(noise)]), pull


@_push.register(MixPositions)
@_push.register(Concat)
def _(layer: Layer, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    raise NoRuleError(f"theory.laws.wide has no rule for {layer} in a stream that was activated.")


@_push.register
def _(layer: Residual, shape: Shape, values: Units, noise: Iterator[Units]) -> tuple[Units, Pull]:
    branch, pull_branch = _push(layer.branch, shape, values, noise)
    shortcut, pull_shortcut = _push(layer.shortcut, shape, values, noise)

    def pull(energies: Units) -> tuple[Units, Layer]:
        from_branch, resolved_branch = pull_branch(energies)
        from_shortcut, resolved_shortcut = pull_shortcut(energies)
        return from_branch + from_shortcut, Residual(resolved_branch, resolved_shortcut)

    return branch + shortcut, pull
