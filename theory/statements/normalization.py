"""Normalizations divide the gradient by a standard deviation; a concatenation shares it out."""

from typing import Any

import sympy as sp

from theory.initializers import VarianceScaling
from theory.laws import wide
from theory.laws.energy import gain
from theory.network import BatchNorm, Concat, Conv, LayerNorm, ReLU, serial, walk
from theory.statements.derivation import Statement, compute, derive, eq

SOURCE = "derived here; layer norm after Ba et al. (2016), batch norm after Ioffe & Szegedy (2015)"

x = sp.symbols("x_1:4", real=True)
n, m, side, channels = sp.symbols("n m s_x C", positive=True, integer=True)
one, two = sp.symbols("C_1 C_2", positive=True, integer=True)
g, h, v, kappa = sp.symbols("g h v kappa", positive=True)
y = sp.symbols("y", real=True)
z = sp.Symbol("z", real=True)
square, energy, same = sp.symbols("S E_1 E_2", positive=True)

MEAN = sp.Add(*x) / 3
SPREAD = sp.sqrt(sp.Add(*((t - MEAN) ** 2 for t in x)) / 3)
DENSITY = sp.exp(-(z**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)


def _common() -> tuple[Any, ...]:
    outputs = [(t - MEAN) / SPREAD for t in x]
    return (
        derive(
            eq(
                sp.Derivative(outputs[0], x[1]),
                -(1 + outputs[0] * outputs[1]) / (3 * SPREAD),
            ),
            "y = (x − mean)/σ over n units has ∂y_i/∂x_j = (δ_ij − 1/n − y_i y_j/n)/σ: a "
            "projection, off the constant vector and off y, over σ (n = 3, i ≠ j)",
        ),
        derive(
            eq(sp.Sum(1 - 1 / n - square / n, (m, 1, n)).doit().subs(square, 1), n - 2),
            "whose trace is n − 2, since Σ y_i² = n: a gradient without a direction of its own "
            "keeps (n − 2)/n of its energy,",
        ),
        derive(
            eq(sp.Limit((n - 2) / (n * square), n, sp.oo), 1 / square),
            "for many units all of it: κ = 1/σ²",
        ),
    )


def layer_norm() -> Statement:
    """A layer norm divides energies by the variance over the channels of a position."""
    steps = (
        *_common(),
        derive(
            eq(kappa * g, 1),
            "Behind weights of scale g at inputs of mean square 1 σ² is g, for every g",
            meaning=lambda: {kappa: _gain(Conv(channels, _scale(g)), LayerNorm())},
        ),
        derive(
            eq(sp.Integral(z * DENSITY, (z, 0, sp.oo)) ** 2 / v, 1 / (2 * sp.pi)),
            "Behind a ReLU of N(0, v) units the mean square is v/2, and the mean √(v/2π)",
        ),
        derive(
            eq(kappa * g * (1 - 1 / sp.pi) / 2, 1),
            "so there σ² = (g/2)(1 − 1/π)",
            meaning=lambda: {kappa: _gain(Conv(channels, _scale(g)), ReLU(), LayerNorm())},
        ),
    )
    return Statement("layer-norm", "Layer normalization", SOURCE, steps)


def batch_norm() -> Statement:
    """A batch norm divides energies by the variance over inputs and positions of one channel."""
    steps = (
        *_common(),
        derive(
            eq(kappa * g, 1),
            "Behind weights of scale g at inputs without a common part σ² is g",
            meaning=lambda: {kappa: _gain(Conv(channels, _scale(g)), BatchNorm())},
        ),
        derive(
            eq(kappa * g * h * (1 - 1 / sp.pi) / 2, 1),
            "Behind a ReLU all inputs and positions share its mean, 1/π of the mean square, which "
            "weights of scale h carry on and the next batch norm takes away",
            meaning=lambda: {
                kappa: _gain(Conv(channels, _scale(g)), ReLU(), Conv(m, _scale(h)), BatchNorm())
            },
        ),
    )
    return Statement("batch-norm", "Batch normalization", SOURCE, steps)


def concatenation() -> Statement:
    """A concatenation hands each way the share of the energy that it has of the channels."""
    steps = (
        derive(
            eq(v * (one * energy + two * same) * (one + two) * g, g * (one * energy + two * same)),
            "Weights of variance v = 1/(C_1 + C_2) read both ways alike, so E S² = "
            "v(C_1 E_1 + C_2 E_2)",
            meaning=lambda: {v: 1 / (one + two)},
        ),
        derive(
            eq(kappa, (one * g + two * h) / (one + two)),
            "and backwards κ is the mean of the ways' gains, weighted by their channels",
            meaning=lambda: {kappa: gain(_both_ways(g, h), (side, side, channels))},
        ),
        derive(
            eq(kappa, (one * g + channels) / (one + channels)),
            "A shortcut that is the identity has the gain 1 and the channels of the input",
            meaning=lambda: {
                kappa: gain(Concat(Conv(one, _scale(g))), (side, side, channels)),
            },
        ),
        compute(
            eq(kappa, 1),
            "so ways of gain 1 conserve the energy, where their sum would double it",
            lambda: {"gain 1": {kappa: sp.simplify(gain(_both_ways(1, 1), (side, side, 3)))}},
        ),
    )
    return Statement("concatenation", "Concatenations", SOURCE, steps)


def _both_ways(first: Any, second: Any) -> Concat:
    return Concat(Conv(one, _scale(first)), Conv(two, _scale(second)))


def _scale(scale: Any) -> VarianceScaling:
    return VarianceScaling(scale)


def _gain(*layers: Any) -> sp.Expr:
    """The gain of the normalization that ends a chain, in the limit of large width."""
    body = wide.resolve(serial(*layers), (side, side, channels)).body
    (found,) = (layer.gain for layer in walk(body) if isinstance(layer, wide.ResolvedNorm))
    return found
