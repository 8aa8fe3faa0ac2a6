"""Logits and gradients of dense networks together: the loss gradient, distances to the boundary."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.laws import distance
from theory.statements.derivation import Statement, compute, derive, eq, evaluate
from theory.statements.sums import expectation

SOURCE = "derived here"
LENGTH_SCALE = (
    "derived here; arXiv 2104.03863 and arXiv 2004.05923 prove the scale ‖x‖/√d for wide networks"
)

value, other, t, u, covariance = sp.symbols("M N t u C", real=True)
first, second, third, fourth = sp.symbols("w_1 w_2 v_1 v_2", real=True)
h1, h2, m, s, f, size, length, d = sp.symbols("h_1 h_2 m s f epsilon X d", positive=True)
NORMAL = sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)

WEIGHTS = (np.array([[1, 3], [2, 1]]), np.array([[2, 1], [1, 4]]), np.array([[1, 2]]))
POINT = np.array([1, 10])
STATISTICS: dict[str, tuple[int, int, int]] = {
    "f²": (2, 0, 0),
    "(∂_1 f)²": (0, 2, 0),
    "f ∂_1 f": (1, 1, 0),
    "f² (∂_2 f)²": (2, 0, 2),
    "f³ ∂_1 f": (3, 1, 0),
}


def joint_law() -> Statement:
    """(f, J) = (A Z x, A Z) in law, and the loss gradient from a few numbers of each layer."""
    square, length_squared = sp.sqrt(h1**2 + h2**2), h1**2 + h2**2
    shifts = (first * t + second * u) * (third * t + fourth * u)
    row = (f * h1 / length_squared - t * h2 / square, f * h2 / length_squared + t * h1 / square)
    steps = (
        compute(
            eq(value, other),
            "Rows of symmetric weights change their signs freely, and the columns of the next "
            "layer absorb them: masks are fair coins, independent of all weights, in the logit and "
            "its gradient together. A network 2-2-2-1, all signs of its weights against all masks",
            _signs_and_coins,
        ),
        derive(
            eq(
                sp.Integral(
                    sp.Integral(
                        (first * t + second * u) * (third * t + fourth * u) * NORMAL,
                        (t, -sp.oo, sp.oo),
                    )
                    * NORMAL.subs(t, u),
                    (u, -sp.oo, sp.oo),
                ),
                first * third + second * fourth,
            ),
            "Rows w, v of what is known times a Gaussian matrix G have the covariance w · v in "
            "every column, and 0 between columns: W G = A Z with A Aᵀ = W Wᵀ. Layer by layer, A Aᵀ "
            "is a product of Wishart factors of as many degrees of freedom as units are open",
        ),
        derive(
            eq(row[0] * h1 + row[1] * h2, f),
            "A Gaussian row that has given f = w · h is f h/‖h‖² and something across h",
        ),
        derive(
            eq(row[0] ** 2 + row[1] ** 2, f**2 / length_squared + t**2),
            "so its square is f²/‖h‖² plus a χ² of one degree less than there are open units",
        ),
        compute(
            eq(value, other),
            "The sign of a row may go with its bias, if that is symmetric, too: masks are fair "
            "coins of networks with biases as well. A network 1-2-2-1, all signs against all masks",
            _signs_with_biases,
        ),
        derive(
            eq(covariance, m**2 * (first * third + second * fourth)),
            "Gaussian biases b of deviation m add P b to the logits, P their derivatives: Gaussian "
            "with the covariance m² P Pᵀ given all weights (rows w, v of P). PyTorch's default "
            "draws uniform weights, whose products are not Gaussian: there it is a limit of width",
            meaning=lambda: {covariance: expectation(shifts, {t: (0, m**2), u: (0, m**2)})},
        ),
    )
    return Statement("joint-law", "Logits and gradients together", SOURCE, steps)


def boundary_distance() -> Statement:
    """(distance to the boundary)²/‖x‖² is Beta(1/2, (d − 1)/2), at every width and depth."""
    density = t ** (-sp.Rational(1, 2)) * (1 - t) ** ((d - 3) / 2)
    below = sp.erf(size * sp.sqrt(d) / (sp.sqrt(2) * length))
    turned = first * sp.cos(m) + second * sp.sin(m), second * sp.cos(m) - first * sp.sin(m)
    steps = (
        derive(
            eq(turned[0] ** 2 + turned[1] ** 2, first**2 + second**2),
            "Given A the gradient of f_k − f_l is a multiple of a Gaussian vector z, whose density "
            "knows only ‖z‖: no direction is preferred, and the angle with x is that of any vector",
        ),
        derive(
            eq(sp.Integral(density.subs(d, 3) / 2, (t, 0, s**2)), s),
            "cos²θ ~ Beta(1/2, (d − 1)/2). On the sphere, d = 3, |cos θ| is uniform (Archimedes)",
        ),
        derive(
            eq(
                sp.Derivative(2 / sp.pi * sp.asin(s), s),
                2 / sp.pi * density.subs(d, 2).subs(t, s**2) * s,
            ),
            "and on the circle, d = 2, its distribution function is (2/π) arcsin t",
            lambda: {"0 < t < 1": {s: 1 / (1 + h1)}},
        ),
        derive(
            eq(sp.Limit((1 - s**2 / d) ** ((d - 3) / 2), d, sp.oo), sp.exp(-(s**2) / 2)),
            "At large d the density of √d cos θ is that of a standard Gaussian variable",
        ),
        derive(
            eq(sp.Integral(2 * NORMAL, (t, 0, size * sp.sqrt(d) / length)), below),
            "so an ℓ_2 attack of size ε exchanges two classes with probability erf(ε√d/(√2‖x‖))",
        ),
        evaluate(
            eq(below.subs(size, value * length / sp.sqrt(d)), sp.Rational(1, 2)),
            "and half of the networks have a boundary within 0.674… ‖x‖/√d",
            lambda: {f"d = {k}": {value: distance.MEDIAN, d: k, length: 3} for k in (1, 64)},
        ),
        derive(
            eq(
                below.subs(size, h1 * length / sp.sqrt(d)),
                sp.Integral(2 * NORMAL, (t, 0, h1)),
            ),
            "Bubeck et al. 2021: one gradient step of length of order ‖x‖/√d changes the sign of a "
            "random two-layer network with high probability. To first order a step of h ‖x‖/√d "
            "does with probability erf(h/√2): 0.683, 0.954, 0.997 for h = 1, 2, 3, at every depth",
        ),
        derive(
            eq(sp.Integral(2 * t * NORMAL, (t, 0, sp.oo)), sp.sqrt(2 / sp.pi)),
            "De Palma, Kiani and Lloyd 2020: the ℓ_p distance is of order ‖x‖_p/√d. To first order "
            "it is |z·x|/‖z‖_q, and ‖z‖_q ≈ c_q d^(1/q), c_q^q = E|z_1|^q. If all |x_i| are equal, "
            "half lie within (0.674…/c_q) ‖x‖_p/√d: c_2 = 1 for p = 2, c_1 for p = ∞, which gives "
            "0.845…; for p = 1, c_∞ is √(2 log d)",
        ),
    )
    title = "The distance to the decision boundary"
    return Statement("boundary-distance", title, LENGTH_SCALE, steps)


def _passed(draw: list[np.ndarray], masks: Any) -> tuple[int, int, int]:
    """Logit and gradient of the network 2-2-2-1, with its own masks where `masks` is None."""
    slopes, h = np.eye(2, dtype=int), POINT
    for layer, weights in enumerate(draw[:2]):
        z = weights @ h
        mask = z > 0 if masks is None else np.array(masks[2 * layer : 2 * layer + 2])
        h, slopes = mask * z, mask[:, None] * (weights @ slopes)
    gradient = (draw[2] @ slopes)[0]
    return int((draw[2] @ h)[0]), int(gradient[0]), int(gradient[1])


@cache
def _signs_and_coins() -> dict[str, dict[sp.Symbol, Any]]:
    draws = []
    for signs in product((-1, 1), repeat=10):
        flat = np.array(signs)
        parts = (flat[:4].reshape(2, 2), flat[4:8].reshape(2, 2), flat[8:].reshape(1, 2))
        draws.append([w * sign for w, sign in zip(WEIGHTS, parts, strict=True)])
    own = [_passed(draw, None) for draw in draws]
    coins = [_passed(draw, x) for draw in draws for x in product((0, 1), repeat=4)]
    return {
        name: {value: _mean(own, powers), other: _mean(coins, powers)}
        for name, powers in STATISTICS.items()
    }


@cache
def _signs_with_biases() -> dict[str, dict[sp.Symbol, Any]]:
    """Rows of (weight, …, bias): two of the first layer, two of the second, one of the last."""
    sizes = np.array([[3, 1], [1, 2], [2, 1, 3], [1, 4, 2], [1, 2]], dtype=object)
    signs = np.array(list(product((-1, 1), repeat=sum(map(len, sizes)))))
    rows = np.split(signs, np.cumsum([len(x) for x in sizes])[:-1], axis=1)
    draws = [row * np.array(x) for row, x in zip(rows, sizes, strict=True)]
    own = _with_biases(draws, None)
    coins = [_with_biases(draws, masks) for masks in product((0, 1), repeat=4)]
    found = {}
    for name, (p, q, _) in STATISTICS.items():
        both = [(logit**p * slope**q).tolist() for logit, slope in (own, *coins)]
        if "∂_2" not in name:
            found[name] = {value: _average(both[:1]), other: _average(both[1:])}
    return found


def _with_biases(draws: list[np.ndarray], masks: Any) -> tuple[np.ndarray, np.ndarray]:
    """Logit and derivative of networks 1-2-2-1 with biases at x = 10, by draw."""
    h, slopes = [np.full(len(draws[0]), 10)], [np.ones(len(draws[0]), int)]
    for layer in range(2):
        rows = draws[2 * layer : 2 * layer + 2]
        z = [sum(w * x for w, x in zip(row.T, h, strict=False)) + row[:, -1] for row in rows]
        u = [sum(w * x for w, x in zip(row.T, slopes, strict=False)) for row in rows]
        opened = [x > 0 for x in z] if masks is None else masks[2 * layer : 2 * layer + 2]
        h = [mask * x for mask, x in zip(opened, z, strict=True)]
        slopes = [mask * x for mask, x in zip(opened, u, strict=True)]
    last = draws[4].T
    return last[0] * h[0] + last[1] * h[1], last[0] * slopes[0] + last[1] * slopes[1]


def _average(samples: list[list[int]]) -> sp.Expr:
    return sp.Rational(sum(map(sum, samples)), sum(map(len, samples)))


def _mean(found: list[tuple[int, int, int]], powers: tuple[int, int, int]) -> sp.Expr:
    terms = [x[0] ** powers[0] * x[1] ** powers[1] * x[2] ** powers[2] for x in found]
    return sp.Integer(sum(terms)) / len(found)
