"""From logits to the loss: its gradient, Euler's identity, and the √d law for every attack norm."""

from functools import cache
from itertools import product
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from theory.laws import gaussian, norms
from theory.laws.softmax import residual_expression
from theory.statements.derivation import (
    DIGITS,
    Statement,
    compute,
    derive,
    eq,
    evaluate,
    number,
)
from theory.statements.exponents import exponent, exponents, q
from theory.statements.sums import expectation

SOURCE = "Simon-Gabriel et al. (ICML 2019)"

point, logit, labelled, slope, partial = sp.symbols("x f f_y g S", real=True)
others, before = sp.symbols("A Q", positive=True)
k = sp.Symbol("k", positive=True, integer=True)
logits: Any = sp.Function("f", real=True)
label: Any = sp.Function("f_y", real=True)
total_of: Any = sp.Sum
d, classes, i = sp.symbols("d K i", positive=True, integer=True)
c, size, scale, z = sp.symbols("c epsilon a z", positive=True)
residual, square, euler, output, bias = sp.symbols("r E D F B", real=True)
mean_square, dual_norm, attack_size = sp.symbols("v n epsilon_p", real=True)
expected = sp.Symbol("M", real=True)


def loss_gradient() -> Statement:
    """∂_x L = Σ_k (softmax_k − label_k) ∂_x f_k for the cross-entropy loss, for every K."""
    partition = others + sp.exp(logit)
    terms = total_of(sp.exp(logits(k, point)), (k, 1, classes))
    weighted = sp.exp(logits(k, point)) * sp.Derivative(logits(k, point), point)
    one_more = expectation((partial + residual * slope) ** 2, {slope: (0, mean_square)})
    steps = (
        derive(
            eq(sp.Derivative(sp.log(partition) - logit, logit), sp.exp(logit) / partition - 1),
            "L = log Σ_j exp f_j − f_y with the label y. In the labelled logit, A the sum of the "
            "K − 1 other terms, its derivative is softmax_y − 1",
        ),
        derive(
            eq(sp.Derivative(sp.log(partition) - labelled, logit), sp.exp(logit) / partition),
            "and in any other logit softmax_k, for every number of the others",
        ),
        derive(
            eq(sp.exp(logit) / partition - 1 + others / partition, 0),
            "These residuals r_k = softmax_k − label_k sum to zero: the K − 1 others make A/Z",
        ),
        derive(
            eq(
                sp.Derivative(sp.log(terms) - label(point), point),
                total_of(weighted, (k, 1, classes)) / terms - sp.Derivative(label(point), point),
            ),
            "Chain rule, for all K and all differentiable logits of an input coordinate x: "
            "∂_x L = Σ_k softmax_k ∂_x f_k − ∂_x f_y = Σ_k r_k ∂_x f_k",
        ),
        derive(
            eq(square, mean_square * (before + residual**2)),
            "Logit gradients of mean 0 that are uncorrelated, of mean square v, and residuals that "
            "do not depend on them: E(Σ r_k ∂f_k)² = v ‖r‖_2², by induction over k: one more term "
            "is uncorrelated with the sum S so far, so E(S + r ∂f)² = E S² + v r²",
            meaning=lambda: {square: one_more.subs({partial**2: mean_square * before, partial: 0})},
        ),
        derive(
            eq((1 - 1 / classes) ** 2 + (classes - 1) / classes**2, 1 - 1 / classes),
            "Small logits: softmax = 1/K, and ‖r‖_2² = 1 − 1/K",
        ),
        derive(
            eq(residual, 1 - 1 / classes),
            "which is what `theory.laws.softmax` uses at logits of variance 0",
            meaning=lambda: {residual: residual_expression(0, classes, power=2)},
        ),
        derive(
            eq(residual, 2 * (1 - 1 / classes)),
            "Large logits: softmax is the one-hot guess. Independent of the label it is right with "
            "probability 1/K; else r has a 1 and a −1",
            meaning=lambda: {residual: (1 - 1 / classes) * ((1 - 0) ** 2 + (0 - 1) ** 2)},
        ),
    )
    title = "The gradient of the loss from those of the logits"
    return Statement("loss-gradient", title, f"{SOURCE}, section 3", steps)


def euler_identity() -> Statement:
    """Without biases, x · ∂_x f_k = f_k and x · ∂_x L = Σ_k (softmax_k − label_k) f_k."""
    signed = sp.Symbol("y", real=True)
    moving = sp.Symbol("t", real=True)
    relu = sp.Max(signed, 0)
    signs = {"open": {signed: z}, "closed": {signed: -z}}
    steps = (
        derive(
            eq(sp.Max(scale * signed, 0), scale * relu),
            "A ReLU is positively homogeneous: relu(ay) = a relu(y) for a > 0",
            lambda: signs,
        ),
        derive(
            eq(sp.Subs(signed * sp.Derivative(sp.Max(moving, 0), moving), moving, signed), relu),
            "so y relu'(y) = relu(y), on both sides of the kink",
            lambda: signs,
        ),
        derive(
            eq(sp.Subs(sp.Derivative(scale * output, scale), scale, 1), output),
            "A composition of homogeneous maps is homogeneous, f(ax) = a f(x); its derivative in "
            "a at a = 1 is x · ∂_x f = f (Euler)",
        ),
        compute(
            eq(euler, output),
            "Explicit bias-free networks in rational arithmetic, gradient by backpropagation: "
            "dense ReLU, dense leaky ReLU, and one with a skip connection",
            lambda: _networks(with_bias=False),
        ),
        evaluate(
            eq(euler, output),
            "x · ∂_x L = Σ_k r_k f_k: d/da L(ax) at a = 1 by numerical differentiation",
            _loss_derivative,
        ),
        compute(
            eq(output - euler, bias),
            "With biases it fails, by what the biases alone contribute along the open paths",
            lambda: _networks(with_bias=True),
        ),
    )
    return Statement("euler-identity", "Euler's identity for bias-free networks", SOURCE, steps)


def sqrt_d_law() -> Statement:
    """ε_p ‖∂_x L‖_q grows like √d for every attack norm p."""
    conjugate = q / (q - 1)
    y = sp.Symbol("d", positive=True)
    damage = size * d ** (1 / conjugate) * c * d ** (1 / q)
    bound = sp.sqrt(2 * sp.log(2 * y))
    density = sp.exp(-(z**2) / 2) * sp.sqrt(2 / sp.pi)
    steps = (
        derive(
            eq(sp.Sum(c**q, (i, 1, d)), (c * d ** (1 / q)) ** q),
            "d coordinates of size c have ‖∂_x L‖_q = c d^(1/q)",
        ),
        derive(
            eq(damage, size * c * d),
            "times ε_p = ε_∞ d^(1/p), with 1/p + 1/q = 1: the damage is ε_∞ c d for every p",
        ),
        compute(
            eq(attack_size * dual_norm, size * c * d),
            "p = 1, 2, ∞ with `theory.laws.norms`, d = 4, 9, 36",
            _constant_gradients,
        ),
        derive(
            eq(damage.subs(c, c / sp.sqrt(d)), size * c * sp.sqrt(d)),
            "Coordinates of size c/√d (Theorems 4 and 5): ε_∞ c √d",
        ),
        derive(
            eq(damage.subs(c, c / d), size * c),
            "Only coordinates of size c/d would be as robust in high dimension as in low",
        ),
        derive(
            eq(sp.Integral(z**q * density, (z, 0, sp.oo)), gaussian.absolute_moment(q)),
            "Gaussian coordinates c z_i/√d: by the law of large numbers ‖·‖_q tends to "
            "c d^(1/q − 1/2) (E|z|^q)^(1/q)",
        ),
        compute(
            eq(exponent, 1 / q - sp.Rational(1, 2)),
            "and `predict` gives the gradient of the loss this exponent, for mlp and cnn",
            lambda: exponents(("mlp", "cnn"), (1, 2, 5), "loss"),
        ),
        evaluate(
            eq(expected, 2 / sp.sqrt(sp.pi)),
            "q = ∞ (p = 1): the mean of the largest |z_i| is an integral; for two coordinates it "
            "is 2/√π, since max(|y|, |z|) = (|y + z| + |y − z|)/2",
            _largest_of_two,
        ),
        derive(
            eq(sp.Subs(sp.log(2 * y) / z + z / 2, z, bound), bound),
            "exp(t E max|z_i|) ≤ Σ E exp(t|z_i|) ≤ 2d exp(t²/2), so the mean is at most "
            "log(2d)/t + t/2, which at t = √(2 log 2d) is √(2 log 2d)",
        ),
        derive(
            eq(sp.Limit(bound / y ** sp.Rational(1, 100), y, sp.oo), 0),
            "and grows slower than any power of d: the exponent is 1/2 for p = 1 as well",
        ),
    )
    title = "The √d law for every attack norm"
    return Statement("sqrt-d-law", title, f"{SOURCE}, section 2", steps)


def _rational(rows: Any) -> np.ndarray:
    return np.vectorize(sp.Rational, otypes=[object])(np.array(rows, dtype=object))


FIRST = _rational([[1, -2, "1/2"], ["3/4", 1, -1], [-1, "1/3", 2], [2, -1, -1]])
SECOND = _rational([[1, "-1/2", 2, 1], ["2/3", 1, -1, "1/4"], [-1, 3, "1/2", -2]])
LAST = _rational([[1, -1, 2], ["1/2", 3, -1]])
POINT = _rational(["2/3", "-1/2", "5/7"])
BIASES = (_rational(["1/3", -1, "1/2", "1/5"]), _rational([1, "-1/4", "2/3"]), _rational([-1, 2]))


SKIP = _rational([["1/2", 1, -1], [0, -1, 1], [2, "1/3", 0]])


def _forward(
    slope: Any, skip: bool, with_bias: bool, factor: Any = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits at factor · POINT, their gradients (one row each), and the biases' part of them.

    `slope` is that of the activation for negative inputs; `skip` adds a connection from the input
    to the second hidden layer.
    """
    point = factor * POINT
    value, slopes, part = point, _rational(np.eye(3, dtype=int)), 0 * point
    weights, extras = (FIRST, SECOND), (0 * FIRST, SKIP if skip else 0 * SKIP)
    shifts = BIASES if with_bias else [0 * b for b in BIASES]
    for weight, extra, shift in zip(weights, extras, shifts[:2], strict=True):
        value = weight @ value + extra @ point + shift
        slopes, part = weight @ slopes + extra, weight @ part + shift
        passed = np.array([sp.Integer(1) if v > 0 else sp.sympify(slope) for v in value])
        value, slopes, part = passed * value, passed[:, None] * slopes, passed * part
    return LAST @ value + shifts[2], LAST @ slopes, LAST @ part + shifts[2]


@cache
def _networks(with_bias: bool) -> dict[str, dict[sp.Symbol, Any]]:
    kinds = {
        "dense ReLU": (0, False),
        "dense leaky ReLU, slope 1/5": (sp.Rational(1, 5), False),
        "ReLU with a skip connection": (0, True),
    }
    found = {}
    for name, (slope, skip) in kinds.items():
        values, slopes, part = _forward(slope, skip, with_bias)
        for k in range(2):
            found[f"{name}, logit {k + 1}"] = {
                output: values[k],
                euler: slopes[k] @ POINT,
                bias: part[k],
            }
    return found


@cache
def _loss_derivative() -> dict[str, dict[sp.Symbol, Any]]:
    step = sp.Rational(1, 10**20)  # the error of a central difference is of order step²

    def loss(a: Any) -> Any:
        values = [_number(v) for v in _forward(0, skip=True, with_bias=False, factor=a)[0]]
        return mpmath.log(mpmath.fsum(mpmath.exp(v) for v in values)) - values[0]

    with mpmath.workdps(3 * DIGITS):
        logits = [_number(v) for v in _forward(0, skip=True, with_bias=False)[0]]
        partition = mpmath.fsum(mpmath.exp(v) for v in logits)
        shares = [mpmath.exp(v) / partition for v in logits]
        right = (shares[0] - 1) * logits[0] + shares[1] * logits[1]
        left = (loss(1 + step) - loss(1 - step)) / (2 * _number(step))
        digits = {euler: sp.Float(left, DIGITS), output: sp.Float(right, DIGITS)}
    return {"ReLU with a skip connection, label 1": digits}


def _number(value: sp.Expr) -> Any:
    return mpmath.mpf(int(value.p)) / int(value.q)  # type: ignore[attr-defined]


def _constant_gradients() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for order, side in product((1, 2, "inf"), (2, 3, 6)):
        gradient = np.full(side**2, sp.Rational(2, 7), dtype=object)
        epsilon = sp.Rational(1, 100)
        found[f"p = {order}, d = {side**2}"] = {
            attack_size: norms.attack_size(epsilon, order, side**2),
            dual_norm: norms.norm(gradient, norms.dual(order)),
            size: epsilon,
            c: sp.Rational(2, 7),
            d: side**2,
        }
    return found


@cache
def _largest_of_two() -> dict[str, dict[sp.Symbol, Any]]:
    one = sp.Integer(1)
    return {"d = 2": {expected: number(gaussian.norm_expression(sp.oo, [one], [one], 2 * one))}}
