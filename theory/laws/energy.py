"""Gradient energy: how E‖∂f/∂x‖_2² changes from layer to layer.

One rule holds for every layer. An output reads `in_degree` inputs, each through a coefficient (a
weight, a mask, a share of an average) with a known second moment, and the contributions to an
input's derivative are uncorrelated. So

    energy gain κ = E‖∂f/∂x_in‖² / E‖∂f/∂x_out‖² = in-degree · E[coefficient²],

a product along a chain and a sum over the two ways through a residual connection; of a
concatenation each way gets the share of the energy that it has of the channels. This is
Theorem 5 of Simon-Gabriel et al. (ICML 2019): with He initialization and ReLU the products are
1/in-degree, the transition probabilities of a random walk from the output to the input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp

from theory import activations
from theory.fans import in_degree, weight_variance
from theory.geometry import connections
from theory.network import (
    Activation,
    AvgPool,
    Branching,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    Normalization,
    ReLU,
    Serial,
    Shape,
    ShapeError,
    SmoothActivation,
    Weighted,
    output_shape,
    positions,
)
from theory.tokens import Patches

HALF_ACTIVE = "H1: each ReLU passes its input with probability 1/2, independently of the weights"
UNCORRELATED = "H3-H5: weights have mean zero and are uncorrelated"
POOLED_UNCORRELATED = "gradients that meet in an average pool or a shared kernel are uncorrelated"
UNIFORM_SELECTION = (
    "a maximum selects each of its inputs equally often, and its ReLU passes half of the maxima"
)
BRANCH_UNCORRELATED = "a residual branch ends in weights uncorrelated with its shortcut"
CHANNELS_ALIKE = "what reads a concatenation treats all of its channels alike"


class NoRuleError(TypeError):
    """A network for which `theory` has no law; the message is one sentence that names the layer."""


@dataclass(frozen=True)
class Connection:
    """E[coefficient²] of one input-output connection of a layer, and what that rests on."""

    second_moment: sp.Expr
    assumptions: tuple[str, ...] = ()


@singledispatch
def connection(layer: Layer, shape: Shape) -> Connection:
    """The second moment of one connection of `layer` for an input of `shape`.

    Raises NoRuleError for a layer without a rule, and TypeError for smooth activations and
    normalizations, whose rule depends on the size of their inputs (see `theory.laws.wide`).
    """
    raise NoRuleError(f"theory.laws.energy has no rule for {type(layer).__name__}.")


@connection.register
def _(layer: Weighted, shape: Shape) -> Connection:
    return Connection(weight_variance(layer, shape), (UNCORRELATED,))


@connection.register(ReLU)
@connection.register(LeakyReLU)
def _(layer: ReLU | LeakyReLU, shape: Shape) -> Connection:
    # a symmetric input of any variance: half of the units are active
    return Connection(activations.slope_moment(layer, 1), (HALF_ACTIVE,))


@connection.register(SmoothActivation)
@connection.register(Normalization)
def _(layer: Layer, shape: Shape) -> Connection:
    raise TypeError(
        f"the gain of {layer} depends on its inputs: use theory.laws.wide.resolve first."
    )


@connection.register(Identity)
@connection.register(Flatten)
@connection.register(Patches)
def _(layer: Layer, shape: Shape) -> Connection:
    return Connection(sp.Integer(1))


@connection.register(AvgPool)
@connection.register(GlobalAvgPool)
def _(layer: Layer, shape: Shape) -> Connection:
    return Connection(in_degree(layer, shape) ** -2, (POOLED_UNCORRELATED,))


@connection.register(MaxPool)
@connection.register(GlobalMaxPool)
def _(layer: Layer, shape: Shape) -> Connection:
    return Connection(1 / in_degree(layer, shape), (UNIFORM_SELECTION,))


@singledispatch
def gain(layer: Layer, shape: Shape) -> sp.Expr:
    """The energy gain κ of `layer` for an input of `shape`, exact in integers or symbols.

    With a zero border it is the mean over outputs, as if all of them carried the same energy;
    `energy_map` does without that simplification.
    """
    return in_degree(layer, shape) * connection(layer, shape).second_moment


@gain.register(Serial)
@gain.register(Branching)
def _(layer: Serial | Branching, shape: Shape) -> sp.Expr:
    return _combined(gain, layer, shape)


def shares(layer: Branching, shape: Shape) -> tuple[Any, Any]:
    """The shares of the output's energy that arrive at the end of branch and shortcut.

    A sum hands all of it to both; a concatenation divides it like its channels.
    """
    if not isinstance(layer, Concat):
        return sp.Integer(1), sp.Integer(1)
    branch, shortcut = (output_shape(way, shape)[-1] for way in (layer.branch, layer.shortcut))
    own = sp.sympify(branch) / (branch + shortcut)
    return own, 1 - own


def _combined(
    rule: Callable[[Layer, Shape], sp.Expr], layer: Serial | Branching, shape: Shape
) -> sp.Expr:
    """A gain of a composite layer: a product along a chain, a sum over two ways."""
    if isinstance(layer, Branching):
        own, rest = shares(layer, shape)
        return own * rule(layer.branch, shape) + rest * rule(layer.shortcut, shape)
    product = sp.Integer(1)
    for inner in layer.layers:
        product *= rule(inner, shape)
        shape = output_shape(inner, shape)
    return product


@singledispatch
def forward_gain(layer: Layer, shape: Shape) -> sp.Expr:
    """E[mean square of the output] / E[mean square of the input]: what sets the logits' size.

    Equal to κ for weights and activations. Pooling is taken to keep the mean square, which is
    right where neighbouring activations agree (they are non-negative and positively correlated)
    and overstates it otherwise. Only the softmax factor of the loss gradient depends on this.
    """
    return gain(layer, shape)


@forward_gain.register(AvgPool)
@forward_gain.register(GlobalAvgPool)
@forward_gain.register(MaxPool)
@forward_gain.register(GlobalMaxPool)
def _(layer: Layer, shape: Shape) -> sp.Expr:
    return sp.Integer(1)


@forward_gain.register(Serial)
@forward_gain.register(Branching)
def _(layer: Serial | Branching, shape: Shape) -> sp.Expr:
    return _combined(forward_gain, layer, shape)


def assumptions(layer: Layer, shape: Shape) -> tuple[str, ...]:
    """Everything that the gain of `layer` rests on, each assumption once, in order."""
    if isinstance(layer, Serial):
        found: tuple[str, ...] = ()
        for inner in layer.layers:
            found += assumptions(inner, shape)
            shape = output_shape(inner, shape)
    elif isinstance(layer, Branching):
        inner = assumptions(layer.branch, shape) + assumptions(layer.shortcut, shape)
        own = CHANNELS_ALIKE if isinstance(layer, Concat) else BRANCH_UNCORRELATED
        found = (*inner, own)
    else:
        found = connection(layer, shape).assumptions
    return tuple(dict.fromkeys(found))


FAR = 100
"""Powers of 4 that an energy may have gathered before they are kept apart."""

Fluctuation = Callable[[Activation, int, np.ndarray], np.ndarray]
"""Given an activation, its number of channels and a map of expected energies, the map of energies
after that activation's mask (see `theory.laws.cascade`)."""


@singledispatch
def energy_map(
    layer: Layer, shape: Shape, out: np.ndarray, fluctuation: Fluctuation | None = None
) -> np.ndarray:
    """Expected squared gradient at each input position, summed over channels.

    `shape` is the integer shape of the input; `out` the same map (..., height, width) at the
    output, a vector being an image of one position and a sequence one of width 1. Border effects
    are exact. Entries are floats if `out` is a float array, and exact rationals if it is an object
    array of SymPy rationals.
    """
    channels = shape[-1]
    side = shape[0] if len(shape) > 1 else 1
    paths, share = connections(layer, side), per_path(layer, shape)
    if not np.array_equal(paths, np.eye(side)):
        out = _before(paths.astype(out.dtype), out, 1 if len(shape) == 2 else 2)
    energies = out * (share if out.dtype == object else float(share))
    if fluctuation is not None and isinstance(layer, Activation):
        return fluctuation(layer, channels, energies)
    return energies


def _before(paths: np.ndarray, out: np.ndarray, axes: int) -> np.ndarray:
    """A map over outputs brought to the inputs, along one axis or both, by one product each."""
    rows = np.tensordot(out.swapaxes(-1, -2), paths, 1).swapaxes(-1, -2)
    return rows if axes == 1 else np.tensordot(rows, paths, 1)


@lru_cache(maxsize=4096)
def per_path(layer: Layer, shape: Shape) -> sp.Expr:
    """What one connection of positions hands on of an energy that is summed over channels.

    Forwards the same number multiplies a mean square over channels.
    """
    if isinstance(layer, Flatten):
        return sp.Rational(1, positions(shape))  # the energy of all features, spread evenly
    moment = connection(layer, shape).second_moment
    return moment * shape[-1] if isinstance(layer, Dense | Conv) else moment


@energy_map.register
def _(
    layer: Patches, shape: Shape, out: np.ndarray, fluctuation: Fluctuation | None = None
) -> np.ndarray:
    along = layer.per_side(shape)
    size = shape[0] // along
    grid = out.reshape(*out.shape[:-2], along, along)
    share = sp.Rational(1, size**2) if out.dtype == object else size**-2
    return grid.repeat(size, axis=-2).repeat(size, axis=-1) * share


@energy_map.register
def _(
    layer: Serial, shape: Shape, out: np.ndarray, fluctuation: Fluctuation | None = None
) -> np.ndarray:
    energies, k = scaled_energy_map(layer, shape, out, fluctuation)
    return energies * 4.0**k if k else energies


def scaled_energy_map(
    body: Serial, shape: Shape, out: np.ndarray, fluctuation: Fluctuation | None = None
) -> tuple[np.ndarray, int]:
    """`energy_map` as (map, k), standing for map · 4^k: energies may lie beyond all floats."""
    shapes, k = [shape], 0
    for inner in body.layers:
        shapes.append(output_shape(inner, shapes[-1]))
    for inner, inner_shape in zip(reversed(body.layers), reversed(shapes[:-1]), strict=True):
        out = energy_map(inner, inner_shape, out, fluctuation)
        if out.dtype != object and np.any(out > 0):
            power = int(np.frexp(out.max())[1]) // 2
            if abs(power) > FAR:
                out, k = out * 4.0**-power, k + power
    return out, k


@energy_map.register
def _(
    layer: Branching, shape: Shape, out: np.ndarray, fluctuation: Fluctuation | None = None
) -> np.ndarray:
    own, rest = (x if out.dtype == object else float(x) for x in shares(layer, shape))
    branch = energy_map(layer.branch, shape, out * own, fluctuation)
    return branch + energy_map(layer.shortcut, shape, out * rest, fluctuation)


def square_root(energy: sp.Expr) -> tuple[float, int]:
    """(m, k) with √energy = m · 2^k; k is 0 unless the energy is close to the ends of float64."""
    if energy == 0:
        return 0.0, 0
    bits = float(sp.log(energy) / sp.log(2)) / 2
    k = 0 if abs(bits) < 4 * FAR else int(bits)
    return float(np.sqrt(float(energy / sp.Integer(4) ** k))), k


def logit_energy_map(layer: Layer, shape: Shape) -> np.ndarray:
    """E(∂f_k/∂x)² of one logit at each input position, summed over channels; floats (side, side).

    `shape` is an integer image shape (side, side, channels). Raises ShapeError for other shapes.
    """
    if len(shape) != 3:
        raise ShapeError("an energy map needs an image as its input.")
    return energy_map(layer, shape, np.ones((1, 1)))


def simplified(energy: sp.Expr) -> sp.Expr:
    """A gain in a simpler form; one with Gaussian means, which take long, as it is."""
    return energy if energy.atoms(activations.GaussianMean) else sp.simplify(energy)


@dataclass(frozen=True)
class Row:
    """One line of a network's energy table."""

    layer: Layer
    shape: Shape
    gain: sp.Expr


def table(layer: Serial, shape: Shape) -> list[Row]:
    """Layer by layer: the layer, its output shape and its energy gain κ."""
    rows = []
    for inner in layer.layers:
        rows.append(Row(inner, output_shape(inner, shape), simplified(gain(inner, shape))))
        shape = output_shape(inner, shape)
    return rows
