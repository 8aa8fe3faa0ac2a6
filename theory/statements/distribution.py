"""Dense networks with Gaussian weights: moments of every order, and the whole distribution."""

from functools import cache
from itertools import product
from typing import Any

import sympy as sp
from scipy import special

from theory.laws import gaussian_norm
from theory.laws.dense import DenseLaw
from theory.laws.masked_sum import MaskedSum
from theory.statements.derivation import Statement, compute, derive, eq, evaluate, number
from theory.statements.finite_width import CHI, WIDTHS, n, r

SOURCE = "derived here; largest coordinate after Fisher & Tippett (1928)"

d, k, b, j, m = sp.symbols("d k b j m", positive=True, integer=True)
s, w, t, x, a, q = sp.symbols("s w t x a q", positive=True)
theta, tau, log_d = sp.symbols("theta tau L", positive=True)
u, value, chance = sp.symbols("u M P", real=True)
width, confidence, seeds, variance = sp.symbols("h z_c N V", positive=True)

HALF = sp.Rational(1, 2)
FIFTH = sp.Rational(1, 5)


def moments() -> Statement:
    """E‖∂_x f_k‖_q^r: closed forms, one-dimensional integrals, and the limit of large d."""
    transform = (HALF * (1 + (1 + 2 * t) ** -HALF)) ** n
    relu = sp.binomial(n, b) / 2**n * 2**k * sp.rf(b / 2, k)
    leaky = sp.binomial(n, b) * sp.binomial(k, j) * a ** (2 * j)
    leaky *= sp.rf(b / 2, k - j) * sp.rf((n - b) / 2, j) * 2**k / 2**n
    shape = (1 + a) / 4 + sp.elliptic_e(1 - a**2) / sp.pi
    plane = sp.Integral((sp.cos(theta) ** q + sp.sin(theta) ** q) ** k, (theta, 0, sp.pi / 2))
    below = sp.erf(t / sp.sqrt(2))
    root = sp.sqrt(2 * log_d)
    logs = sp.log(log_d) + sp.log(sp.pi)
    location = root - logs / (2 * root)
    steps = (
        derive(
            eq(
                sp.Integral(r**s * CHI, (r, 0, sp.oo)),
                2 ** (s / 2) * sp.gamma((n + s) / 2) / sp.gamma(n / 2),
            ),
            "Moments of independent factors multiply. E‖z‖_2^s for a standard Gaussian vector of "
            "n coordinates and every s",
        ),
        derive(
            eq(
                -sp.Subs(sp.Derivative(transform, (t, 3)), t, 0),
                n * (n + 4) * (n + 11) / 8,
            ),
            "Behind n ReLUs the squared norm S has E S³ = n(n + 4)(n + 11)/8, from its Laplace "
            "transform",
        ),
        compute(
            eq(value, sp.Sum(relu, (b, 0, n))),
            "and E S^k is the mean of 2^k (B/2)(B/2 + 1)⋯(B/2 + k − 1) over the number B of open "
            "units; from the moments of one term, n = 1 … 5 and k = 1 … 5",
            _relu_moments,
        ),
        derive(
            eq(
                sp.Integral(2 / sp.pi / (1 + 2 * t * a**2 + (1 + 2 * t) * x**2), (x, 0, sp.oo)),
                1 / sp.sqrt((1 + 2 * t) * (1 + 2 * a**2 * t)),
            ),
            "Leaky ReLU: length and direction of a Gaussian vector are independent, so S = χ²_n W "
            "with W = sin²θ + a²cos²θ. Laplace transforms, for one open unit of two (x = tan θ)",
        ),
        compute(
            eq(value, sp.Sum(sp.Sum(leaky, (j, 0, k)), (b, 0, n))),
            "sin²θ ~ Beta(B/2, (n − B)/2): E S^k as a double sum, rational for a rational slope. "
            "From the moments of one term, n = 1, 2, 4, k = 1 … 4, a = 1/5",
            _leaky_moments,
        ),
        evaluate(
            eq(value, sp.sqrt(2) * sp.gamma(3 * HALF) * shape),
            "Orders that are not integers: ₂F₁ functions in 1 − a². E√S of two leaky units by "
            "integration over the angle, an elliptic integral: a = 1/5, 1/2",
            _two_leaky_units,
        ),
        derive(
            eq(gaussian_norm.moment_expression(1, d, 2), d + d * (d - 1) * 2 / sp.pi),
            "E‖z‖_1² has d terms E z² and d(d − 1) terms (E|z|)²",
        ),
        evaluate(
            eq(value, 2 / sp.pi * 2 ** (q * k / 2) * sp.gamma(1 + q * k / 2) * plane),
            "E‖z‖_q^{kq} is a polynomial in d for every q. In the plane, by polar coordinates",
            _plane_moments,
        ),
        derive(
            eq(
                sp.Subs(sp.Derivative(sp.exp(-t * x * (1 - u)), (u, 3)), u, 0) / 6,
                (t * x) ** 3 * sp.exp(-t * x) / 6,
            ),
            "Other orders of T = Σ|z_i|^q: P(Poisson(tT) = k) is a coefficient of "
            "(E e^{−t|z|^q (1 − u)})^d, here k = 3,",
        ),
        derive(
            eq(
                sp.Integral(t ** (w - 1) * x ** (s + w) * sp.exp(-t * x), (t, 0, sp.oo)),
                x**s * sp.gamma(w),
            ),
            "and E T^s = k!/Γ(k − s) ∫ t^{−s−1} P(Poisson(tT) = k) dt for k = s + w, w > 0",
        ),
        derive(
            eq(
                sp.Derivative(t**s * (1 - below**d), t),
                s * t ** (s - 1) * (1 - below**d)
                - t**s * d * below ** (d - 1) * sp.sqrt(2 / sp.pi) * sp.exp(-(t**2) / 2),
            ),
            "The largest coordinate, by parts: E max|z_i|^s = s∫ t^{s−1} P(max > t) dt, since "
            "t^s P(max > t) is 0 at both ends and P(max ≤ t) = erf(t/√2)^d",
        ),
        derive(
            eq(8 / sp.pi * sp.Integral(sp.cos(theta) ** 2, (theta, 0, sp.pi / 4)), 1 + 2 / sp.pi),
            "d = 2: the larger of z_1², z_2² has mean 1 + 2/π, by polar coordinates",
        ),
        derive(
            eq(location**2 / 2, log_d - logs / 2 + logs**2 / (16 * log_d)),
            "Large d, L = log d: at c = √(2L) − (log L + log π)/(2√(2L)) the exponent c²/2 is "
            "L − log(πL)/2 up to what vanishes",
        ),
        derive(
            eq(sp.log(sp.sqrt(2 / sp.pi) / root), -logs / 2),
            "and in P(|z| > c), about √(2/π) e^{−c²/2}/c, the factor √(2/π)/c is about "
            "e^{−log(πL)/2}: the product is e^{−L} = 1/d, and the largest coordinate lies near c",
        ),
        derive(
            eq((location + x / location) ** 2 / 2 - location**2 / 2, x + (x / location) ** 2 / 2),
            "At c + x/c it is e^{−x}/d: c(max − c) tends to Gumbel's law P(≤ x) = exp(−e^{−x})",
        ),
        derive(
            eq(-sp.Integral(sp.log(t) * sp.exp(-t), (t, 0, sp.oo)), sp.EulerGamma),
            "whose mean is Euler's γ (t = e^{−x}): E max|z_i| is c + γ/√(2 log d) up to smaller "
            "terms",
        ),
    )
    return Statement("moments", "Moments of every order", SOURCE, steps)


def distribution() -> Statement:
    """The law of log‖∂_x f_k‖_q: zeros, characteristic function, mean and variance, seeds."""
    log_square = sp.log(a) ** 2 + 2 * sp.log((1 + a) / 2) ** 2
    log_square += sp.polylog(2, ((1 - a) / (1 + a)) ** 2)
    log_mean = sp.log(a) / 2 + sp.log((1 + a) / 2)
    steps = (
        compute(
            eq(chance, 1 - (1 - HALF**n) * (1 - HALF**m)),
            "The gradient is zero if all ReLUs of a layer are closed: 1 − Π(1 − 2^{−n_l}). All "
            "masks of two layers enumerated",
            _dead_masks,
        ),
        derive(
            eq(
                sp.Integral(r ** (sp.I * tau) * CHI, (r, 0, sp.oo)),
                2 ** (sp.I * tau / 2) * sp.gamma((n + sp.I * tau) / 2) / sp.gamma(n / 2),
            ),
            "Moments of imaginary order are the characteristic function of the logarithm: log‖z‖_2",
        ),
        derive(
            eq(
                sp.Integral(sp.log(t) ** 2 * sp.exp(-t), (t, 0, sp.oo)) - sp.EulerGamma**2,
                sp.pi**2 / 6,
            ),
            "For X exponential with mean 1, log X has mean −γ and variance π²/6. "
            "P(X/T > t) = E e^{−tT}, so the law of log(X/T) gives mean and variance of log T",
        ),
        evaluate(
            eq(value, sp.log(2) - sp.EulerGamma + log_mean),
            "Two leaky units: E log S = ψ(1) + log 2 + E log W with E log W = (log a)/2 + "
            "log((1 + a)/2), against the Laplace transform",
            _two_leaky_mean,
        ),
        evaluate(
            eq(value, sp.pi**2 / 6 + log_square - log_mean**2),
            "and Var log S = ψ'(1) + Var log W with E log² W = log²a + 2 log²((1 + a)/2) + "
            "Li₂(((1 − a)/(1 + a))²), from the Fourier series of log(sin²θ + a²cos²θ)",
            _two_leaky_variance,
        ),
        compute(
            eq(seeds, sp.ceiling(confidence**2 * variance / width**2)),
            "Seeds for an interval of half width h: ⌈z² V/h²⌉ with V = E‖·‖²/(E‖·‖)² − 1; ReLU, "
            "leaky and linear networks of widths (20, 30, 10) at d = 64",
            _seeds,
        ),
        compute(
            eq(seeds, sp.ceiling(confidence**2 * variance / width**2)),
            "and for the mean of logarithms with their variance "
            "V = ψ'(d/2)/4 + Σ Var(log S_l)/4, for ReLU and linear networks",
            _log_seeds,
        ),
    )
    title = "The distribution of the gradient norm"
    return Statement("distribution", title, SOURCE, steps)


@cache
def _relu_moments() -> dict[str, dict[sp.Symbol, Any]]:
    return {
        f"n = {units}, k = {order}": {
            n: units,
            k: order,
            value: MaskedSum(units).integer_moment(order),
        }
        for units, order in product(range(1, 6), repeat=2)
    }


@cache
def _leaky_moments() -> dict[str, dict[sp.Symbol, Any]]:
    return {
        f"n = {units}, k = {order}": {
            n: units,
            k: order,
            a: FIFTH,
            value: MaskedSum(units, FIFTH).integer_moment(order),
        }
        for units, order in product((1, 2, 4), range(1, 5))
    }


@cache
def _two_leaky_units() -> dict[str, dict[sp.Symbol, Any]]:
    return {
        f"a = {slope}": {a: slope, value: number(MaskedSum(2, slope).expression(HALF))}
        for slope in (FIFTH, HALF)
    }


@cache
def _plane_moments() -> dict[str, dict[sp.Symbol, Any]]:
    return {
        f"q = {y}, k = {order}": {
            q: y,
            k: order,
            value: number(gaussian_norm.moment_expression(y, 2, y * order)),
        }
        for y, order in ((sp.Integer(1), 3), (sp.Integer(3), 2), (sp.Rational(5, 2), 4))
    }


@cache
def _dead_masks() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for sizes in product(range(1, 4), repeat=2):
        masks = [list(product((False, True), repeat=units)) for units in sizes]
        both = [any(first) and any(second) for first, second in product(*masks)]
        found[f"widths {sizes}"] = {
            n: sizes[0],
            m: sizes[1],
            chance: sp.Rational(both.count(False), len(both)),
        }
    return found


@cache
def _log_ratio_moment(power: int) -> sp.Expr:
    """E log^power(X/S) behind two leaky ReLUs, X exponential: P(X/S > t) = E e^{−tS}."""
    single = ((1 + 2 * t) ** -HALF + (1 + 2 * FIFTH**2 * t) ** -HALF) / 2
    return number(sp.Integral(-(sp.log(t) ** power) * sp.diff(single**2, t), (t, 0, sp.oo)))


def _two_leaky_mean() -> dict[str, dict[sp.Symbol, Any]]:
    return {"a = 1/5": {a: FIFTH, value: number(-sp.EulerGamma - _log_ratio_moment(1))}}


def _two_leaky_variance() -> dict[str, dict[sp.Symbol, Any]]:
    found = _log_ratio_moment(2) - _log_ratio_moment(1) ** 2 - sp.pi**2 / 6
    return {"a = 1/5": {a: FIFTH, value: number(found)}}


def _law(slope: sp.Expr) -> DenseLaw:
    return DenseLaw.of(64, [(units, slope) for units in WIDTHS], 1)


@cache
def _seeds() -> dict[str, dict[sp.Symbol, Any]]:
    quantile = sp.Rational(float(special.ndtri(0.975)))
    found = {}
    for slope in (sp.Integer(0), FIFTH, sp.Integer(1)):
        law = _law(slope)
        mean = number(law.moment_expression(2, 1))
        found[f"slope {slope}"] = {
            seeds: law.seeds_needed(0.01),
            variance: sp.Rational(1 / mean**2 - 1),
            confidence: quantile,
            width: sp.Rational(1, 100),
        }
    return found


@cache
def _log_seeds() -> dict[str, dict[sp.Symbol, Any]]:
    quantile = sp.Rational(float(special.ndtri(0.975)))
    found = {}
    for slope in (sp.Integer(0), sp.Integer(1)):
        law = _law(slope)
        terms = [layer.log_variance() for layer in law.hidden]
        exact = number(sp.Add(sp.polygamma(1, sp.Integer(law.d) / 2), *terms) / 4)
        found[f"slope {slope}"] = {
            seeds: law.seeds_needed(0.01, logarithm=True),
            variance: sp.Rational(exact),
            confidence: quantile,
            width: sp.Rational(1, 100),
        }
    return found
