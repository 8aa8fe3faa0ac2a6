"""Penalties of gradients beside the cross-Lipschitz penalty, and perturbations by their size."""

from typing import Any

import numpy as np
import sympy as sp

from theory.laws import norms
from theory.statements.derivation import Statement, compute, derive, eq

HEIN = "Hein & Andriushchenko (NIPS 2017), as section 4 of Simon-Gabriel et al. compares it"
PAPER = "after section 2 of Simon-Gabriel et al. (ICML 2019)"

K = sp.Symbol("K", positive=True, integer=True)
i, j = sp.symbols("i j", positive=True, integer=True)
first = sp.symbols("g_1:4", real=True)
second = sp.symbols("h_1:4", real=True)
s = sp.symbols("s_1:3", positive=True)
pairs, squares, total = sp.symbols("P Q S", real=True)
energy = sp.Symbol("E", positive=True)

q, rho, pixel, slope, size, d, copies = sp.symbols("q rho x s epsilon d k", positive=True)
t = sp.Symbol("t", positive=True)
pixels = sp.symbols("x_1:4", positive=True)
p = q / (q - 1)
ratio, expected = sp.symbols("R c", positive=True)


def cross_lipschitz() -> Statement:
    """Σ ‖∂f_k − ∂f_l‖² is a gradient penalty: of the loss, averaged over labels."""
    shares = (*s, 1 - s[0] - s[1])
    uniform = (sp.Rational(1, 3),) * 3
    between, lengths = _pairs((1, 1, 1)), sum(x**2 for x in (*first, *second))
    every: Any = sp.Sum(sp.Sum(2 * energy, (i, 1, K)), (j, 1, K))
    steps = (
        derive(
            eq(between, 6 * lengths - 2 * (sum(first) ** 2 + sum(second) ** 2)),
            "Three logits in two inputs, ∂f_k = (g_k, h_k): Σ ‖∂f_k − ∂f_l‖² over ordered pairs "
            "is 2K Σ‖∂f_k‖² − 2‖Σ ∂f_k‖², blind to what all logits share, as the softmax is",
        ),
        compute(
            eq(pairs, 2 * K * squares - 2 * total),
            "The same for other numbers K of logits",
            lambda: {f"K = {k}": _instance(k) for k in (2, 5, 10)},
        ),
        derive(
            eq(_mean_over_labels(uniform), between / (2 * 3**2)),
            "At small logits ∂L = Σ_k ∂f_k/K − ∂f_y, and over the labels y the mean of ‖∂L‖_2² is "
            "the penalty over 2K²: at initialization the two are one penalty",
        ),
        derive(
            eq(_mean_over_labels(shares), _pairs(shares) / 2),
            "For any softmax s and labels drawn from it the mean of ‖∂L‖_2² is ½ Σ s_k s_l "
            "‖∂f_k − ∂f_l‖²: the loss weighs each pair by how likely both of its classes are",
        ),
        derive(
            eq(
                (s[0] * first[0] + (1 - s[0]) * first[1] - first[0]) ** 2,
                (1 - s[0]) ** 2 * (first[0] - first[1]) ** 2,
            ),
            "With two classes ‖∂L‖ is the probability of the wrong one times ‖∂f_1 − ∂f_2‖, for "
            "every norm: the same vector, which the loss stops to penalize where it is sure",
        ),
        derive(
            eq(((first[0] - first[1]) ** 2 + (first[0] + first[1]) ** 2) / 2,
               first[0] ** 2 + first[1] ** 2),
            "At initialization the weights of one logit change their sign freely: E‖∂f_k − ∂f_l‖² "
            "= E‖∂f_k‖² + E‖∂f_l‖²",
        ),
        derive(
            eq(
                every - sp.Sum(2 * energy, (i, 1, K)),
                2 * K * (K - 1) * energy,
            ),
            "so the penalty has the mean 2K(K − 1) E‖∂f_k‖_2², which d does not enter (Theorem 5)",
        ),
    )  # fmt: skip
    return Statement("cross-lipschitz", "The cross-Lipschitz penalty", HEIN, steps)


def constant_signal_to_noise() -> Statement:
    """An attack in proportion to the input's norm is a constant change per pixel, for every p."""
    normal = sp.sqrt(2 / sp.pi) * sp.exp(-(t**2) / 2)
    steps = (
        compute(
            eq(ratio, expected),
            "ε_p = c d^(1/p) over ‖x‖_p of an image whose d pixels are ±1 is c, for p = 1, 2, 7, ∞ "
            "and every d (`theory.laws.norms`)",
            _ratios,
        ),
        derive(
            eq((copies * sum(x**p for x in pixels)) ** (1 / p),
               copies ** (1 / p) * sum(x**p for x in pixels) ** (1 / p)),
            "Copying each pixel k times multiplies ‖x‖_p by k^(1/p), as it does ε_p: the ratio of "
            "signal to noise stays what it is, for every image and every p",
        ),
        derive(
            eq(sp.Integral(t**q * normal, (t, 0, sp.oo)),
               2 ** (q / 2) * sp.gamma((q + 1) / 2) / sp.sqrt(sp.pi)),
            "Of other images ‖x‖_p is m d^(1/p), m^p the mean of |x_i|^p, and ε_p = ρ‖x‖_p is the "
            "change ρ m per pixel (the moment of order q of Gaussian pixels)",
        ),
        derive(
            eq(rho * pixel * d ** (1 / p) * slope * d ** (1 / q - sp.Rational(1, 2)),
               rho * pixel * slope * sp.sqrt(d)),
            "With pixels of size x and ‖∂L‖_q = s d^(1/q − 1/2) the damage of ε_p = ρ‖x‖_p is "
            "ρ x s √d: for every p",
        ),
        derive(
            eq(
                sp.Subs(sp.erf(size * sp.sqrt(d) / (sp.sqrt(2) * pixel)), size, rho * pixel),
                sp.Integral(normal, (t, 0, rho * sp.sqrt(d))),
            ),
            "An ℓ_2 attack of ρ‖x‖ exchanges two classes with probability erf(ρ√(d/2)) "
            "(`boundary-distance`), whatever ‖x‖ is: the same noise flips more networks as d grows",
        ),
    )  # fmt: skip
    title = "A constant ratio of signal to noise"
    return Statement("constant-signal-to-noise", title, PAPER, steps)


def _pairs(weights: tuple[Any, ...]) -> sp.Expr:
    """Σ_kl w_k w_l ‖∂f_k − ∂f_l‖² of three logits."""
    every = range(3)
    return sp.Add(*(weights[k] * weights[m] * _square(k, m) for k in every for m in every))


def _square(k: int, m: int) -> sp.Expr:
    return (first[k] - first[m]) ** 2 + (second[k] - second[m]) ** 2


def _mean_over_labels(shares: tuple[Any, ...]) -> sp.Expr:
    """The mean of ‖Σ_k s_k ∂f_k − ∂f_y‖² over labels y drawn from the shares."""
    means = [sum(x * y for x, y in zip(shares, row, strict=True)) for row in (first, second)]
    return sp.Add(
        *(
            share * ((means[0] - first[y]) ** 2 + (means[1] - second[y]) ** 2)
            for y, share in enumerate(shares)
        )
    )


def _instance(k: int) -> dict[sp.Symbol, Any]:
    gradients = [np.array([(3 * n * n + n) % 7 - 3, (5 * n) % 11 - 4, n % 3]) for n in range(k)]
    between = sum(int(((a - b) ** 2).sum()) for a in gradients for b in gradients)
    lengths = sum(int((a**2).sum()) for a in gradients)
    return {
        K: k,
        pairs: between,
        squares: lengths,
        total: int((np.sum(gradients, axis=0) ** 2).sum()),
    }


def _ratios() -> dict[str, dict[sp.Symbol, Any]]:
    found, change = {}, sp.Rational(2, 9)
    for number in (4, 9):
        image = np.array([sp.Integer((-1) ** n) for n in range(number)], dtype=object)
        for order in (1, 2, 7, sp.oo):
            against = norms.attack_size(change, order, sp.Integer(number)) / norms.norm(
                image, order
            )
            found[f"p = {order}, d = {number}"] = {ratio: sp.nsimplify(against), expected: change}
    return found
