"""From attacks to gradients: Lemma 2 with attack sizes, and Proposition 3."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.laws import norms
from theory.statements.derivation import Statement, compute, derive, eq, evaluate

SOURCE = "Simon-Gabriel et al. (ICML 2019)"

a, b, q, size, c, t = sp.symbols("a b q epsilon c t", positive=True)
p = q / (q - 1)
g = sp.symbols("g_1:4", positive=True)
inner, attack_norm, dual_norm = sp.symbols("inner attack_norm dual_norm", real=True)
best = sp.Symbol("best", real=True)
d = sp.Symbol("d", positive=True, integer=True)
curvature, value, slope, second, third, mix = sp.symbols("h L_0 L_1 L_2 L_3 alpha", real=True)
margin = sp.Symbol("m", real=True)

GRADIENTS = {
    "one sign each": (3, -4, 12),
    "with a zero": (0, -2, 1, 2),
    "fractions": (sp.Rational(2, 7), sp.Rational(-3, 7), sp.Rational(6, 7)),
}


def lemma_2() -> Statement:
    """The best first-order attack of size ε_p raises the loss by ε_p ‖∂_x L‖_q."""
    young = a**p / p + b**q / q - a * b
    length = sp.Add(*(x**q for x in g)) ** (1 / q)
    attack = [size * x ** (q - 1) / length ** (q - 1) for x in g]
    steps = (
        derive(
            eq(sp.Subs(sp.Derivative(young, a), a, b ** (q - 1)), 0),
            "With 1/p + 1/q = 1, a^p/p + b^q/q − ab is stationary in a at a = b^(q−1)",
        ),
        derive(
            eq(sp.Subs(young, a, b ** (q - 1)), 0),
            "where it is 0",
        ),
        derive(
            eq(sp.Derivative(young, (a, 2)), a ** (p - 2) / (q - 1)),
            "and it is convex, so ab ≤ a^p/p + b^q/q (Young), with equality just there",
        ),
        derive(
            eq((q - 1) / q + 1 / q, 1),
            "Summed over a_i = |δ_i|/‖δ‖_p and b_i = |g_i|/‖g‖_q the right side of Young is "
            "1/p + 1/q = 1, so g·δ ≤ ‖g‖_q ‖δ‖_p (Hölder)",
        ),
        derive(
            eq(sp.Add(*(x**p for x in attack)), size**p),
            "δ_i = ε sign(g_i) |g_i|^(q−1) / ‖g‖_q^(q−1) has ‖δ‖_p = ε (three coordinates, any q)",
        ),
        derive(
            eq(sp.Add(*(x * y for x, y in zip(g, attack, strict=True))), size * length),
            "and reaches the bound: g·δ = ε ‖g‖_q",
        ),
        compute(
            eq(inner, size * dual_norm),
            "The same with signs and zeros for p = 1, 2, ∞, where the attack is ε on the largest "
            "coordinate, ε g/‖g‖_2 and ε sign(g)",
            lambda: _attacks(("1", "2", "inf")),
        ),
        compute(
            eq(attack_norm, size),
            "and those attacks have size ε",
            lambda: _attacks(("1", "2", "inf")),
        ),
        compute(
            eq(best, size * dual_norm),
            "For p = 1 and p = ∞ the unit ball is a polytope: no vertex of it does better",
            _vertices,
        ),
        evaluate(
            eq(inner, size * dual_norm),
            "Other exponents, with signs: p = 3/2, 3 and 7",
            lambda: _attacks(("3/2", "3", "7")),
        ),
        evaluate(
            eq(attack_norm, size),
            "whose attacks have size ε as well",
            lambda: _attacks(("3/2", "3", "7")),
        ),
        derive(
            eq(sp.Limit((3**t + 4**t) ** (1 / t), t, sp.oo), sp.Max(3, 4)),
            "‖g‖_q tends to the largest coordinate as q → ∞ (p = 1)",
        ),
        derive(
            eq(
                sp.Limit(
                    (
                        sp.Add(*(x * size * x / _euclid(g) for x in g))
                        + curvature / 2 * sp.Add(*((size * x / _euclid(g)) ** 2 for x in g))
                    )
                    / size,
                    size,
                    0,
                ),
                _euclid(g),
            ),
            "Curvature changes the damage in second order only: L(x) = g·x + h‖x‖²/2 attacked in "
            "ℓ_2, damage / ε → ‖g‖_2",
        ),
        derive(
            eq(sp.Sum(c**p, (sp.Symbol("i", integer=True), 1, d)), (c * d ** (1 / p)) ** p),
            "A change by ε_∞ = c in each of d pixels has size ε_p = c d^(1/p)",
        ),
    )
    return Statement("lemma-2", "The best attack and the dual norm", f"{SOURCE}, Lemma 2", steps)


def proposition_3() -> Statement:
    """Training on attacked inputs is, to first order, training with a gradient penalty."""
    attacked = value + slope * size + second * size**2 / 2 + third * size**3 / 6
    dual_length = sp.Symbol("n", positive=True)
    loss = sp.log(1 + sp.exp(margin))
    attacked_loss = sp.log(1 + sp.exp(margin + size * dual_length))
    rate = 1 / (1 + sp.exp(-margin))
    augmented = (loss + attacked_loss) / 2
    penalized = loss + size / 2 * dual_length * rate
    coordinates = sp.symbols("x_1:4", real=True)
    logistic = sp.log(1 + sp.exp(sp.Add(*(w * x for w, x in zip(g, coordinates, strict=True)))))
    squares = sp.Add(*(sp.diff(logistic, x) ** 2 for x in coordinates))
    score = sp.Add(*(w * x for w, x in zip(g, coordinates, strict=True)))
    clean, attacked_value, gradient_norm, remainder = sp.symbols("L L_attacked G R", real=True)
    steps = (
        derive(
            eq(sp.Subs(sp.Derivative((value + attacked) / 2, size), size, 0), slope / 2),
            "Let L(x + δ*) = L_0 + L_1 ε + L_2 ε²/2 + … along the best attack δ* = ε u: the "
            "average of clean and attacked loss is L_0 + (ε/2) L_1 to first order",
        ),
        derive(
            eq(
                ((1 - mix) * value + mix * attacked) - (value + mix * size * slope),
                mix * (second * size**2 / 2 + third * size**3 / 6),
            ),
            "With a share α of attacked examples the penalty is α ε L_1",
        ),
        derive(
            eq(sp.Add(*(x * x ** (q - 1) / _length(g) ** (q - 1) for x in g)), _length(g)),
            "and L_1 = g·u = ‖g‖_q by Lemma 2: an ℓ_p attack is an ℓ_q penalty of strength ε/2",
        ),
        derive(
            eq(squares, sp.Add(*(w**2 for w in g)) / (1 + sp.exp(-score)) ** 2),
            "Logistic loss log(1 + exp(w·x)): the gradient is w/(1 + exp(−w·x))",
        ),
        derive(
            eq(sp.Subs(sp.Derivative(attacked_loss, size), size, 0), dual_length * rate),
            "Attacked, with margin m = w·x and n = ‖w‖_q, it is log(1 + exp(m + εn)), of slope "
            "‖∂L‖_q in ε",
        ),
        derive(
            eq(sp.Limit((augmented - penalized) / size, size, 0), 0),
            "so augmented and penalized loss agree to first order",
        ),
        derive(
            eq(
                sp.Limit((augmented - penalized) / size**2, size, 0),
                dual_length**2 * rate * (1 - rate) / 4,
            ),
            "and differ in second order, by a quarter of the curvature along the attack",
        ),
        compute(
            eq((clean + attacked_value) / 2 - (clean + size / 2 * gradient_norm), remainder),
            "Quadratic losses ½xᵀAx attacked in ℓ_1, ℓ_2, ℓ_∞: the difference is ¼δᵀAδ exactly",
            lambda: _quadratics(clean, attacked_value, gradient_norm, remainder),
        ),
    )
    title = "Augmentation with attacks is a gradient penalty"
    return Statement("proposition-3", title, f"{SOURCE}, Proposition 3", steps)


def _euclid(vector: Any) -> sp.Expr:
    return sp.sqrt(sp.Add(*(x**2 for x in vector)))


def _length(vector: Any) -> sp.Expr:
    return sp.Add(*(x**q for x in vector)) ** (1 / q)


def _array(*entries: Any) -> np.ndarray:
    return np.array([sp.sympify(x) for x in entries], dtype=object)


@cache
def _attacks(exponents: tuple[str, ...]) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for (name, gradient), exponent in product(GRADIENTS.items(), exponents):
        order = exponent if exponent == "inf" else sp.Rational(exponent)
        vector, radius = _array(*gradient), sp.Rational(3, 5)
        delta = norms.attack(vector, order, radius)
        found[f"{name}, p = {exponent}"] = {
            inner: vector @ delta,
            attack_norm: norms.norm(delta, order),
            dual_norm: norms.norm(vector, norms.dual(order)),
            size: radius,
        }
    return found


@cache
def _vertices() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, gradient in GRADIENTS.items():
        vector, radius = _array(*gradient), sp.Rational(3, 5)
        corners = product((-radius, radius), repeat=len(vector))
        found[f"{name}, p = inf"] = {
            best: max(vector @ _array(*corner) for corner in corners),
            dual_norm: sp.Add(*(abs(x) for x in vector)),
            size: radius,
        }
        found[f"{name}, p = 1"] = {
            best: max(sign * radius * x for x in vector for sign in (-1, 1)),
            dual_norm: max(abs(x) for x in vector),
            size: radius,
        }
    return found


def _quadratics(clean: Any, attacked: Any, gradient_norm: Any, remainder: Any) -> dict[str, Any]:
    matrix = np.array([[2, -1, 0], [-1, 3, 1], [0, 1, -1]], dtype=object)
    matrix = np.vectorize(sp.Integer, otypes=[object])(matrix)
    gradient = _array(1, -2, 2)
    point = np.array(sp.Matrix(matrix).LUsolve(sp.Matrix(gradient))).ravel()
    radius, found = sp.Rational(1, 9), {}
    for order in ("1", "2", "inf"):
        delta = norms.attack(gradient, order, radius)
        moved = point + delta
        found[f"p = {order}"] = {
            clean: point @ matrix @ point / 2,
            attacked: moved @ matrix @ moved / 2,
            gradient_norm: norms.norm(gradient, norms.dual(order)),
            remainder: delta @ matrix @ delta / 4,
            size: radius,
        }
    return found
