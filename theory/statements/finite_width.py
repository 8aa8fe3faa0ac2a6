"""Dense networks with Gaussian weights: the exact law at every width, and its spread."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory import architectures
from theory.initializers import Scheme
from theory.laws import gaussian
from theory.laws.dense import seeds_needed
from theory.laws.masked_sum import MaskedSum
from theory.laws.parts import d as input_dimension
from theory.laws.prediction import predict
from theory.statements.derivation import Statement, compute, derive, eq, evaluate, number

SOURCE = "derived here; spread after Hanin & Nica (arXiv 1812.05994)"

n, d, b = sp.symbols("n d b", positive=True, integer=True)
r, s, t, q, slope = sp.symbols("r s t q a", positive=True)
z, u = sp.symbols("z u", real=True)
theta, order = sp.symbols("theta k", positive=True)
chance, value, moment = sp.symbols("P M M_2", real=True)
width, confidence, seeds, variance = sp.symbols("h z_c N V", positive=True)

WIDTHS = (20, 30, 10)
DIMENSION = sp.Integer(64)
MEAN_L1 = sp.Float("5.661206276912299547427856967017733848686", 40)
MEAN_L2 = sp.Float("0.8834511435565506712833676827412360759537", 40)
FIRST, LAST = np.array([[1, 2, 3], [2, 1, 1]]), np.array([1, 2])
NORMAL = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
CHI = r ** (n - 1) * sp.exp(-(r**2) / 2) / (2 ** (n / 2 - 1) * sp.gamma(n / 2))


def masked_sum(units: Any) -> Any:
    """E√χ²_B, B ~ Binomial(units, 1/2): the mean norm of Gaussians behind `units` ReLUs."""
    return sp.Sum(sp.binomial(units, b) / 2**units * gaussian.chi_mean(b), (b, 1, units))


def mean_l1(dimension: Any, widths: tuple[int, ...], last_variance: Any) -> sp.Expr:
    """E‖∂f_k/∂x‖_1 of a bias-free dense ReLU network with Gaussian He weights, exact.

    √d (2/√π) s Π_l E√χ²_{B_l} Π_{l<L} √(2/n_l) with s² the variance of the last layer's weights.
    """
    return 2 / sp.sqrt(sp.pi) * sp.sqrt(dimension) * _hidden(widths, last_variance)


def mean_l2(dimension: Any, widths: tuple[int, ...], last_variance: Any) -> sp.Expr:
    """E‖∂f_k/∂x‖_2 of the same network: √(2/d) E√χ²_d in the place of √d (2/√π)."""
    first = sp.sqrt(2 / sp.sympify(dimension)) * gaussian.chi_mean(dimension)
    return first * _hidden(widths, last_variance)


def fourth_moment_ratio(dimension: Any, widths: tuple[int, ...]) -> sp.Expr:
    """E‖∂f_k‖_2⁴ / (E‖∂f_k‖_2²)² = (1 + 2/d) Π_l (1 + 5/n_l) for the same network."""
    factors = [1 + sp.Rational(5, units) for units in widths]
    return (1 + 2 / sp.sympify(dimension)) * sp.Mul(*factors)


def finite_width() -> Statement:
    """‖∂_x f_k‖_q = ‖z‖_q √(2/d) s Π √χ²_{B_l} Π √(2/n_l) in law, at every width."""
    tangent = sp.tan(theta) ** 2 / 2
    steps = (
        compute(
            eq(chance, sp.Rational(1, 2) ** n),
            "Weights of symmetric law: the masks of n ReLUs are independent fair coins (all signs "
            "of given absolute weights; every pattern of open units)",
            _mask_patterns,
        ),
        compute(
            eq(moment, chance * value),
            "and independent of the absolute weights: E of ‖∂f‖_2² given a pattern is the sum "
            "over the open units of w_last² Σ_i w_i²",
            _given_patterns,
        ),
        derive(
            eq(sp.Integral(r * CHI, (r, 0, sp.oo)), gaussian.chi_mean(n)),
            "Backwards through Gaussian weights a vector v becomes ‖v‖ times a standard Gaussian "
            "vector, whose norm is a chi variable with mean √2 Γ((n + 1)/2)/Γ(n/2)",
        ),
        derive(
            eq(2 * sp.Integral(z * NORMAL, (z, 0, sp.oo)), sp.sqrt(2 / sp.pi)),
            "Each of the d coordinates of z contributes E|z_i| = √(2/π) to E‖z‖_1",
        ),
        derive(
            eq(sp.Sum(sp.sqrt(2 / d) * sp.sqrt(2 / sp.pi), (b, 1, d)), 2 * sp.sqrt(d / sp.pi)),
            "so with first-layer variance 2/d the ℓ_1 norm is exactly proportional to √d",
        ),
        derive(
            eq(
                sp.Integral(sp.exp(-t * s) / sp.sqrt(t), (t, 0, sp.oo)) / (2 * sp.sqrt(sp.pi)),
                sp.Derivative(sp.sqrt(s), s),
            ),
            "A square root through Laplace transforms: √s = ∫ (1 − e^(−ts)) t^(−3/2) dt / (2√π), "
            "being 0 at s = 0 and having this derivative",
        ),
        derive(
            eq(
                sp.Integral(sp.exp(-t * slope**2 * z**2) * NORMAL, (z, -sp.oo, sp.oo)),
                1 / sp.sqrt(1 + 2 * t * slope**2),
            ),
            "The Laplace transform of a²z²; behind a leaky ReLU it is taken with a or 1, each "
            "with probability 1/2",
        ),
        derive(
            eq(
                sp.Derivative(tangent, theta) * tangent ** sp.Rational(-3, 2),
                2 * sp.sqrt(2) / sp.sin(theta) ** 2,
            ),
            "With 2t = tan²θ the measure t^(−3/2) dt becomes 2√2 dθ / sin²θ",
            lambda: {"0 < θ < π/2": {theta: sp.atan(s)}},
        ),
        evaluate(
            eq(value, masked_sum(n)),
            "so E√χ²_B, B ~ Binomial(n, 1/2), is an integral over θ, and equal to the binomial "
            "sum over the number of open units: n = 1, 3, 10, 30",
            _masked_means,
        ),
        evaluate(
            eq(value, sp.sqrt(2 / sp.pi) * sp.Rational(1, 4) * _two_leaky_units()),
            "For two leaky units the integral is an elliptic one: a = 1/5, 1/2",
            _two_units,
        ),
        derive(
            eq(mean_l1(1, (1,), slope**2), _one_path()),
            "One input, one unit: E|w_2 w_1| over the half plane w_1 > 0 by direct integration",
        ),
        evaluate(
            eq(value, MEAN_L1),
            "The integrals for d = 64, widths (20, 30, 10), last variance 1/10, as `predict` has "
            "them: E‖∂f‖_1 = 5.661206…",
            lambda: {"d = 64": _predicted(1)["d = 64"]},
        ),
        evaluate(
            eq(value, MEAN_L2),
            "and E‖∂f‖_2 = 0.883451…",
            lambda: {"d = 64": _predicted(2)["d = 64"]},
        ),
        evaluate(
            eq(value, mean_l1(d, WIDTHS, sp.Rational(1, 10))),
            "The binomial sums give the same ℓ_1 norm, d = 4 and 64",
            lambda: _predicted(1),
        ),
        evaluate(
            eq(value, mean_l2(d, WIDTHS, sp.Rational(1, 10))),
            "and in its ℓ_2 norm",
            lambda: _predicted(2),
        ),
    )
    title = "The exact law of dense networks with Gaussian weights"
    return Statement("finite-width", title, SOURCE, steps)


def spread() -> Statement:
    """How much ‖∂_x f_k‖ varies between draws of the weights, and how many draws are needed."""
    transform = (sp.Rational(1, 2) * (1 + (1 + 2 * t) ** sp.Rational(-1, 2))) ** n
    moments = 2 ** (order / 2) * sp.gamma((n + order) / 2) / sp.gamma(n / 2)
    needed = confidence**2 * variance / width**2
    squares = (1 + slope**4) * 3 / 2, ((1 + slope**2) / 2) ** 2
    steps = (
        derive(
            eq(sp.Integral(r**4 * CHI, (r, 0, sp.oo)), n * (n + 2)),
            "E‖z‖_2⁴ = n(n + 2) for a standard Gaussian vector of n coordinates",
        ),
        derive(
            eq(-sp.Subs(sp.Derivative(transform, t), t, 0), n / 2),
            "Behind n ReLUs the squared norm S has E S = n/2, from its Laplace transform",
        ),
        derive(
            eq(sp.Subs(sp.Derivative(transform, (t, 2)), t, 0), n * (n + 5) / 4),
            "and E S² = n(n + 5)/4, so E S²/(E S)² = 1 + 5/n",
        ),
        compute(
            eq(value, n * (n + 5) / 4),
            "The binomial sum over open units, Σ_b P(B = b) b(b + 2): n = 1 … 12",
            lambda: {
                f"n = {k}": {
                    n: k,
                    value: sum(
                        sp.binomial(k, j) * sp.Integer(j * (j + 2)) / 2**k for j in range(k + 1)
                    ),
                }
                for k in range(1, 13)
            },
        ),
        compute(
            eq(value, sp.rf(n / 2, order) * 2**order),
            "All moments of χ²_n: 2^k (n/2)(n/2 + 1)⋯(n/2 + k − 1), here from derivatives of its "
            "Laplace transform, n = 1 … 4 and k = 1 … 4",
            _chi_moments,
        ),
        derive(
            eq(
                (n * squares[0] + n * (n - 1) * squares[1]) / (n**2 * squares[1]),
                1 + (6 * (1 + slope**4) / (1 + slope**2) ** 2 - 1) / n,
            ),
            "Leaky ReLU of slope a: 1 + (6(1 + a⁴)/(1 + a²)² − 1)/n, that is 1 + 5/n for a = 0 "
            "and 1 + 2/n for a linear network",
        ),
        compute(
            eq(value, (1 + 2 / d) * sp.Rational(5, 4) * sp.Rational(7, 6) * sp.Rational(3, 2)),
            "The factors are independent: E‖∂f‖_2⁴/(E‖∂f‖_2²)² = (1 + 2/d) Π(1 + 5/n_l), here "
            "for widths (20, 30, 10)",
            lambda: {
                f"d = {k}": {d: k, value: fourth_moment_ratio(k, WIDTHS)} for k in (1, 64, 3072)
            },
        ),
        derive(
            eq(
                sp.Subs(sp.Derivative(sp.log(moments), (order, 2)), order, 0),
                sp.polygamma(1, n / 2) / 4,
            ),
            "Var log ‖z‖_2 is the second derivative of log E‖z‖_2^k at k = 0: ψ'(n/2)/4",
        ),
        evaluate(
            eq(value, moment),
            "Behind ReLUs, unless all are dead: E[ψ'(B/2)]/4 + Var[ψ(B/2)]/4 is the second "
            "derivative for the mixture over B: n = 1, 3, 10, 30",
            _log_variances,
        ),
        derive(
            eq(sp.Subs(confidence * sp.sqrt(variance / seeds), seeds, needed), width),
            "A mean of N draws has an interval of half width z √(V/N); N = z² V/h² makes it h",
        ),
        evaluate(
            eq(seeds, 10805),
            "d = 64, widths (20, 30, 10): seeds for E‖∂f‖_2 within 1 % at 95 % confidence, from "
            "V = 1/(E‖∂f‖_2)² − 1",
            _seeds,
        ),
    )
    title = "The spread between seeds"
    return Statement("spread", title, SOURCE, steps)


def _hidden(widths: tuple[int, ...], last_variance: Any) -> sp.Expr:
    norms = sp.Mul(*(masked_sum(units) for units in widths))
    inner = sp.Mul(*(sp.sqrt(sp.Rational(2, units)) for units in widths[:-1]))
    return sp.sqrt(last_variance) * norms * inner


@cache
def _open_units() -> list[tuple[tuple[bool, ...], int]]:
    """Pattern of open units and ‖∂f‖² of the network 3-2-1 for all signs of its weights."""
    found = []
    for draw in product((-1, 1), repeat=8):
        first, last = FIRST * np.reshape(draw[:6], (2, 3)), LAST * np.array(draw[6:])
        passed = first @ np.array([1, 10, 100]) > 0
        found.append((tuple(passed.tolist()), int(np.sum(((passed * last) @ first) ** 2))))
    return found


def _mask_patterns() -> dict[str, dict[sp.Symbol, Any]]:
    patterns = [pattern for pattern, _ in _open_units()]
    return {
        f"pattern {x}": {chance: sp.Rational(patterns.count(x), len(patterns)), n: 2}
        for x in product((False, True), repeat=2)
    }


def _given_patterns() -> dict[str, dict[sp.Symbol, Any]]:
    # given absolute weights, each open unit contributes w_last² Σ_i w_i²
    squares_of = LAST**2 * np.sum(FIRST**2, axis=1)
    draws, found = _open_units(), {}
    for x in product((False, True), repeat=2):
        squares = [square for pattern, square in draws if pattern == x]
        found[f"pattern {x}"] = {
            moment: sp.Rational(sum(squares), len(draws)),
            chance: sp.Rational(1, 4),
            value: int(squares_of @ np.array(x)),
        }
    return found


@cache
def _masked_means() -> dict[str, dict[sp.Symbol, Any]]:
    return {f"n = {k}": {n: k, value: number(gaussian.masked_chi_mean(k))} for k in (1, 3, 10, 30)}


def _two_leaky_units() -> sp.Expr:
    # both open or both closed: π/2 times 1 or a; one of each: an ellipse
    return sp.pi / 2 * (1 + slope) + 2 * sp.elliptic_e(1 - slope**2)


@cache
def _two_units() -> dict[str, dict[sp.Symbol, Any]]:
    slopes = (sp.Rational(1, 5), sp.Rational(1, 2))
    return {f"a = {x}": {slope: x, value: number(gaussian.masked_chi_mean(2, x))} for x in slopes}


def _one_path() -> sp.Expr:
    first = sp.Integral(sp.sqrt(2) * z * NORMAL, (z, 0, sp.oo))
    last = sp.Integral(slope * u * NORMAL.subs(z, u), (u, 0, sp.oo))
    return first * 2 * last


@cache
def _predicted(exponent: int) -> dict[str, dict[sp.Symbol, Any]]:
    network = architectures.mlp(WIDTHS, channels=1, init=Scheme("he"))
    norm: Any = predict(network, exponent).norm
    norm = norm.xreplace({x: _integral(x) for x in norm.atoms(sp.Integral)})
    return {f"d = {k}": {d: k, value: number(norm.subs(input_dimension, k))} for k in (4, 64)}


@cache
def _integral(integral: sp.Integral) -> sp.Expr:
    # the integrals of both norms are the same, and none depends on d
    return number(integral)


def _chi_moments() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for units, k in product(range(1, 5), repeat=2):
        transform = (1 + 2 * t) ** sp.Rational(-units, 2)
        derivative = (-1) ** k * sp.diff(transform, t, k).subs(t, 0)
        found[f"n = {units}, k = {k}"] = {n: units, order: k, value: derivative}
    return found


@cache
def _log_variances() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for units in (1, 3, 10, 30):
        terms = [
            sp.binomial(units, k)
            / sp.Integer(2**units - 1)
            * 2 ** (order / 2)
            * sp.gamma((k + order) / 2)
            / sp.gamma(sp.Rational(k, 2))
            for k in range(1, units + 1)
        ]
        second = sp.diff(sp.log(sp.Add(*terms)), order, 2).subs(order, 0)
        found[f"n = {units}"] = {
            value: number(MaskedSum(units).log_variance() / 4),
            moment: number(second),
        }
    return found


@cache
def _seeds() -> dict[str, dict[sp.Symbol, Any]]:
    mean = number(mean_l2(DIMENSION, WIDTHS, sp.Rational(1, 10)))
    needed = seeds_needed(1 / mean**2 - 1, sp.Rational(1, 100), sp.Rational(196, 100))
    return {"1 %": {seeds: needed}}
