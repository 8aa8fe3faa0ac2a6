"""Exponents without Gaussian coordinates: E‖∂f‖_q between bounds from second and fourth moments."""

from functools import cache
from typing import Any

import sympy as sp

from theory.initializers import Constant, VarianceScaling
from theory.laws import bounds
from theory.laws.energy import gain
from theory.network import Conv, Dense, Flatten, Layer, Network, ReLU, serial
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.enumeration import (
    Convolution,
    Example,
    Unit,
    Units,
    convolutional,
    fourth_moments,
    second_moments,
)
from theory.statements.sums import expectation, slope, slope_of

SOURCE = "derived here; fourth moments of dense networks after Hanin & Nica (2018)"

t, s, second, fourth = sp.symbols("t s M_2 M_4", positive=True)
v, k, mask, channels, alike, other = sp.symbols("v k r_4 C H K", positive=True)
sums, powers, sums_two, mixed, both = sp.symbols("Q F Q_2 R G", positive=True)
u, u_two, w, total, total_two = sp.symbols("u u_2 w S S_2", real=True)
y = sp.Symbol("z", real=True, nonzero=True)
n_1, n_2, classes, d, side, i = sp.symbols("n_1 n_2 K_f d s_x i", positive=True, integer=True)
flat, growth, moment = sp.symbols("Phi g M", positive=True)
measured, bound = sp.symbols("A B", positive=True)
pair = sp.symbols("a b c e", real=True)

HE = VarianceScaling(2)
FOUR_VALUES = (-3, -1, 1, 3)


def norm_bounds() -> Statement:
    """√(E g²)/√F ≤ E|g| ≤ √(E g²) with a flatness F that does not depend on d."""
    best = sp.sqrt(fourth / second)
    a, b, c, e = pair
    steps = (
        derive(
            eq(
                t - 3 * t**2 / (2 * s) + t**4 / (2 * s**3),
                t * (t - s) ** 2 * (t + 2 * s) / (2 * s**3),
            ),
            "t ≥ 3t²/(2s) − t⁴/(2s³) for t, s > 0, since the difference is not negative. So "
            "E|g| ≥ 3 E g²/(2s) − E g⁴/(2s³) for every s",
        ),
        derive(
            eq(
                sp.Subs(3 * second / (2 * s) - fourth / (2 * s**3), s, best),
                second ** sp.Rational(3, 2) / sp.sqrt(fourth),
            ),
            "and with s² = E g⁴/E g²: E|g| ≥ (E g²)^(3/2)/(E g⁴)^(1/2); above, E|g| ≤ √(E g²)",
        ),
        derive(
            eq(slope_of(y) ** 4 + slope_of(-y) ** 4, 1 + slope**4),
            "The change of sign of `true-masks` gives E[u⁴] = r_4 E[S⁴], r_4 = (1 + α⁴)/2",
        ),
        derive(
            eq(moment, v**2 * (3 * (sums + u**2) ** 2 + (k - 3) * (powers + u**4))),
            "E S⁴ = v²(3 (Σu_a²)² + (k − 3) Σu_a⁴) for independent weights of kurtosis k and every "
            "number of terms, by induction",
            meaning=lambda: {moment: _one_more_fourth()},
        ),
        derive(
            eq(
                flat,
                3 * (1 + 5 / n_1) * (1 + 5 / n_2),
            ),
            "Two units of a dense layer have independent rows. So E(Σu²)² and E Σu⁴ follow from "
            "those of the layer before: E g⁴/(E g²)² of a dense ReLU network with Gaussian weights",
            meaning=lambda: {flat: _flatness(_dense(HE))},
        ),
        derive(
            eq(flat, 3 + sp.Rational(87, 25) / n_1),
            "and of one with uniform weights, k = 9/5, and one hidden layer",
            meaning=lambda: {
                flat: _flatness(_dense(VarianceScaling(2, distribution="uniform"), 1))
            },
        ),
        compute(
            eq(measured, bound),
            "All draws of dense networks with biases, weights of two and of four values, ReLUs and "
            "leaky ReLUs: E g⁴ is that of the recursion",
            _dense_enumerated,
        ),
        derive(
            eq(
                moment,
                v**2
                * (
                    (sums + u**2) * (sums_two + u_two**2)
                    + 2 * (mixed + u * u_two) ** 2
                    + (k - 3) * (both + u**2 * u_two**2)
                ),
            ),
            "Convolutions: at two positions the same kernel makes S and S'. E S²S'² is "
            "v²(Q Q' + 2R² + (k − 3) G) with Q = Σu², Q' = Σu'², R = Σuu', G = Σu²u'², by "
            "induction",
            meaning=lambda: {moment: _one_more_pair()},
        ),
        derive(
            eq(a**2 * e**2 + c**2 * b**2 - 2 * a * b * c * e, (a * e - b * c) ** 2),
            "R² ≤ Q Q', for every pair of terms adds a square to the difference, and G ≤ Q Q': so "
            "E S²S'² ≤ max(3, k) v² Q Q'",
        ),
        derive(
            eq(
                (slope_of(y) ** 2 + slope_of(-y) ** 2) ** 2
                - 4 * slope_of(y) ** 2 * slope_of(-y) ** 2,
                (1 - slope**2) ** 2,
            ),
            "The masks of both change together: φ'²φ''² is on average (1 + α⁴)/2 if z and z' have "
            "the same sign and α² if not, which is not more, as (1 − α²)² ≥ 0",
        ),
        derive(
            eq(
                channels * alike + channels * (channels - 1) * other,
                channels**2 * other * (1 + (alike / other - 1) / channels),
            ),
            "Of C² pairs of channels C share their kernel, where E u²u'² = H, and the others are "
            "independent given what they read, E u²u'² = K: a layer multiplies the flatness by at "
            "most 1 + (H/K − 1)/C",
        ),
        derive(
            eq(flat, 3 * (1 + 5 / n_1) * (1 + 5 / n_2)),
            "ReLU and Gaussian weights: H/K ≤ 6, so a convolutional network has at most the "
            "flatness of a dense one with as many units as it has channels",
            meaning=lambda: {flat: _flatness(_convolutional())},
        ),
        compute(
            sp.Le(measured, bound, evaluate=False),
            "All draws of convolutional networks with shared kernels: E g⁴ ≤ F (E g²)²",
            _convolutional_enumerated,
        ),
        derive(
            eq(sp.Sum(sp.sqrt(growth / d) / sp.sqrt(flat), (i, 1, d)), sp.sqrt(d * growth / flat)),
            "F knows the widths only. So both bounds of E‖∂f‖_1 grow like √(d E‖∂f‖_2²): where "
            "E‖∂f‖_2² is bounded, the exponent is 1/2 at every fixed width,",
        ),
        derive(
            eq(growth, 1),
            "as it is for dense networks and convolutions with He's variance, of any side",
            meaning=lambda: {growth: _energy()},
        ),
    )
    return Statement(
        "norm-bounds",
        "The exponent without Gaussian coordinates",
        SOURCE,
        steps,
    )


def _one_more_fourth() -> sp.Expr:
    grown = expectation((total + w * u) ** 4, {w: (0, v, 0, k * v**2)})
    known = expectation(grown, {total: (0, v * sums, 0, v**2 * (3 * sums**2 + (k - 3) * powers))})
    return sp.factor(known)


def _one_more_pair() -> sp.Expr:
    grown = expectation(((total + w * u) * (total_two + w * u_two)) ** 2, {w: (0, v, 0, k * v**2)})
    at_two = v**2 * (sums * sums_two + 2 * mixed**2 + (k - 3) * both)
    known = {
        total**2 * total_two**2: at_two,
        total * total_two: v * mixed,
        total**2: v * sums,
        total_two**2: v * sums_two,
    }
    polynomial = sp.Poly(grown, total, total_two)
    return sp.Add(
        *(
            factor * known.get(total**x * total_two**y, sp.Integer(x == y == 0))
            for (x, y), factor in polynomial.terms()
        )
    )


def _dense(init: Any, hidden: int = 2) -> Network:
    layers: list[Layer] = [Flatten()]
    for width in (n_1, n_2)[:hidden]:
        layers += [Dense(width, init), ReLU()]
    return Network("dense", serial(*layers, Dense(classes, init)), channels=1)


def _convolutional() -> Network:
    stages = (Conv(n_1, HE), ReLU(), Conv(n_2, HE, stride=2), ReLU())
    return Network("convolutional", serial(*stages, Flatten(), Dense(classes, HE)), channels=1)


def _flatness(network: Network) -> sp.Expr:
    found = bounds.flatness(network)
    assert found is not None
    return found


def _energy() -> sp.Expr:
    body = serial(Conv(n_1, HE), ReLU(), Flatten(), Dense(n_2, HE), ReLU())
    last = Dense(classes, VarianceScaling(1))
    return gain(serial(*body.layers, last), (side, side, sp.Integer(3)))


def _dense_units(inputs: int, widths: tuple[int, ...], with_bias: bool) -> Units:
    units: dict[Any, Unit] = {(0, i): Unit() for i in range(inputs)}
    before = inputs
    for level, width in enumerate((*widths, 1), start=1):
        for i in range(width):
            reads = tuple(((level - 1, j), (level, i, j)) for j in range(before))
            has_bias = with_bias and level <= len(widths)
            units[level, i] = Unit(reads, (level, i, "bias") if has_bias else None)
        before = width
    return units


@cache
def _dense_enumerated() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for widths, values, negative, biased in (
        ((2, 2), (-1, 1), 0, True),
        ((3, 2), (-1, 1), 0, False),
        ((3,), FOUR_VALUES, 0, False),
        ((2, 2), (-1, 1), sp.Rational(1, 4), True),
    ):
        example = Example(_dense_units(2, widths, biased), values, negative)
        flatness = _flat_of(values, [Dense(x, Constant(1)) for x in widths], negative)
        squares, fourths = second_moments(example), fourth_moments(example)
        for node, square in squares.items():
            found[f"{widths}, {values}, slope {negative}, input {node}"] = {
                measured: fourths[node],
                bound: flatness * square**2,
            }
    return found


@cache
def _convolutional_enumerated() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for layers, values, negative in (
        ((Convolution(2, 2), Convolution(1, 2)), (-1, 1), 0),
        ((Convolution(2, 3, 2, with_bias=True),), (-1, 1), 0),
        ((Convolution(1, 2), Convolution(1, 3)), FOUR_VALUES, sp.Rational(1, 4)),
    ):
        example = Example(convolutional(4, layers), values, negative)
        chain: list[Layer] = [Conv(x.channels, Constant(1), x.kernel, x.stride) for x in layers]
        flatness = _flat_of(values, chain, negative)
        squares, fourths = second_moments(example), fourth_moments(example)
        for node, square in squares.items():
            found[f"{layers}, {values}, input {node}"] = {
                measured: fourths[node],
                bound: flatness * square**2,
            }
    return found


def _flat_of(values: tuple[int, ...], layers: list[Any], negative: Any) -> sp.Expr:
    """The flatness of a chain whose weights take the given values equally often."""
    own = sp.Rational(sum(x**4 for x in values) * len(values), sum(x**2 for x in values) ** 2)
    widths = [getattr(layer, "features", None) or layer.channels for layer in layers]
    chain = tuple(bounds.Stage(x, sp.sympify(negative), own) for x in widths)
    last = bounds.Stage(1, sp.Integer(1), own)
    dense = all(isinstance(layer, Dense) for layer in layers)
    return bounds.of_stages((*chain, last), dense)
