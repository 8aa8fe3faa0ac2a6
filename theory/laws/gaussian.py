"""Norms of Gaussian vectors and of masked Gaussian vectors: expected values, exact.

Each quantity comes twice: as a SymPy expression to compute with, and as a number by quadrature.
Vectors have independent coordinates σ_i z_i, z_i ~ N(0, 1), given as groups: the distinct σ and
how many coordinates share each of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float
from scipy import integrate, interpolate, special

t, u = sp.symbols("t u", positive=True)

LARGE = 50
"""Orders from which on norms are nearly the largest coordinate."""

LARGEST = 25.0
"""Standard deviations that no coordinate reaches."""

STEP = 0.16
"""Of the trapezoidal rule: the integrand is analytic for |Im y| < π/2, its error e^{-π²/STEP}."""


@dataclass(frozen=True)
class Groups:
    """Standard deviations of Gaussian coordinates and the number of coordinates for each."""

    scales: Any
    counts: Any


def chi_mean(n: Any) -> sp.Expr:
    """E‖z‖_2 for z ~ N(0, I_n): √2 Γ((n+1)/2) / Γ(n/2)."""
    n = sp.sympify(n)
    return sp.sqrt(2) * sp.gamma((n + 1) / 2) / sp.gamma(n / 2)


def absolute_moment(q: Any) -> sp.Expr:
    """E|z|^q for z ~ N(0, 1): 2^{q/2} Γ((q+1)/2) / √π."""
    q = sp.sympify(q)
    return 2 ** (q / 2) * sp.gamma((q + 1) / 2) / sp.sqrt(sp.pi)


def moment_of_sum(moments: Sequence[Any], n: Any) -> sp.Expr:
    """E(X_1 + … + X_n)^k of independent copies of X from E X, E X², …, E X^k; n may be a symbol.

    k! times the coefficient of u^k in (E e^{uX})^n, by J. C. P. Miller's recurrence for a power of
    a series.
    """
    single = [m / sp.factorial(j) for j, m in enumerate(moments, start=1)]
    power: list[sp.Expr] = [sp.S.One]
    for m in range(1, len(single) + 1):
        terms = (((n + 1) * j - m) * single[j - 1] * power[m - j] for j in range(1, m + 1))
        power.append(sp.Add(*terms) / m)
    return sp.factorial(len(single)) * power[-1]


def norm_expression(q: Any, scales: Sequence[Any], shares: Sequence[Any], d: sp.Expr) -> sp.Expr:
    """E‖(σ_i z_i)‖_q as an expression in d, where the share s_j of the d coordinates has scale σ_j.

    q = 1: √(2/π) Σ σ_i. q = 2 with equal scales: E of a chi variable. q = ∞: ∫ 1 − P(max ≤ t) dt.
    Otherwise E S^{1/q} of S = Σ|σ_i z_i|^q through its Laplace transform φ:
    E S^a = a / Γ(1−a) ∫ (1 − φ(t)) t^{−1−a} dt for 0 < a < 1, left as an integral.
    """
    q = sp.sympify(q)
    if q == 1:
        total = sum((s * c for s, c in zip(scales, shares, strict=True)), sp.Integer(0))
        return sp.sqrt(2 / sp.pi) * total * d
    if q == 2 and len(scales) == 1:
        return scales[0] * chi_mean(d * shares[0])
    if q == sp.oo:
        below = sp.Mul(
            *(sp.erf(t / (sp.sqrt(2) * s)) ** (c * d) for s, c in zip(scales, shares, strict=True))
        )
        return sp.Integral(1 - below, (t, 0, sp.oo))
    transforms = [_laplace_expression(q, s) ** (c * d) for s, c in zip(scales, shares, strict=True)]
    a = 1 / q
    return sp.Integral(
        a / sp.gamma(1 - a) * (1 - sp.Mul(*transforms)) * t ** (-1 - a), (t, 0, sp.oo)
    )


def _laplace_expression(q: Any, scale: Any) -> sp.Expr:
    if q == 2:
        return 1 / sp.sqrt(1 + 2 * t * scale**2)
    density = sp.sqrt(2 / sp.pi) * sp.exp(-(u**2) / 2)
    return sp.Integral(sp.exp(-t * (scale * u) ** q) * density, (u, 0, sp.oo))


def norm_asymptote(q: Any, scales: Sequence[Any], shares: Sequence[Any], d: sp.Expr) -> sp.Expr:
    """The leading term of E‖(σ_i z_i)‖_q as d → ∞.

    q < ∞: (d · mean σ^q · E|z|^q)^{1/q}. q = ∞: σ_max √(2 log d), which is approached slowly.
    """
    q = sp.sympify(q)
    if q == sp.oo:
        largest = sp.Max(*scales)
        return largest * sp.sqrt(2 * sp.log(d))
    mean = sum((c * s**q for s, c in zip(scales, shares, strict=True)), sp.Integer(0))
    return (mean * absolute_moment(q)) ** (1 / q) * d ** (1 / q)


def norm_value(q: float, groups: Groups) -> float:
    """E‖(σ_i z_i)‖_q by quadrature, relative error below 1e-6; q in [1, ∞].

    Raises ValueError for q < 1.
    """
    scales, counts = np.asarray(groups.scales, float), np.asarray(groups.counts, float)
    return float(norm_values(q, Groups(scales[None], counts[None]))[0])


def norm_values(q: float, groups: Groups) -> Float[np.ndarray, " vectors"]:
    """`norm_value` of many vectors; scales and counts by (vector, group).

    Scales are brought to a common grid first, so that what depends on them is computed once and
    summed by a matrix product. Raises ValueError for q < 1.
    """
    if not q >= 1:
        raise ValueError(f"a norm needs q >= 1, not {q}.")
    scales, counts = np.asarray(groups.scales, float), np.asarray(groups.counts, float)
    if q == 1:
        return np.sqrt(2 / np.pi) * np.sum(scales * counts, axis=1)
    counts = np.where(scales > 0, counts, 0.0)
    several = _power_norms if q < LARGE else _large_norms
    units = np.where(counts > 0, scales, 0.0).max(axis=1)
    some = units > 0
    found = np.zeros(len(scales))
    if some.any():
        relative = scales[some] / units[some, None]
        found[some] = units[some] * several(q, *_on_grid(relative, counts[some], q))
    return found


def _on_grid(
    scales: np.ndarray, counts: np.ndarray, q: float
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, "grid vectors"]]:
    """Scales on a common logarithmic grid, and the counts there of each vector.

    A sum Σ_j n_j g(log σ_j) of any smooth g becomes one over the grid, with the weights of
    Lagrange's interpolation between six neighbours. A single scale stays as it is.
    """
    present = counts > 0
    distinct = np.unique(scales[present])
    if len(distinct) <= len(_LAGRANGE):
        return distinct, np.stack([np.where(scales == x, counts, 0).sum(axis=1) for x in distinct])
    # Gaussian tails bend log P(|σz| > x) by x²/σ² over log σ, a large q by no more
    step = max(0.1 / q, 0.01)
    places = np.log(np.where(present, scales, 1.0)) / step
    first = np.floor(places[present].min()) - 2
    below = np.where(present, np.floor(places), first + 2)
    between = places - below
    size = int(below.max() - first) + 4
    found, rows = np.zeros((size, len(scales))), np.arange(len(scales))[:, None]
    for node, others in _LAGRANGE.items():
        share = np.prod([(between - x) / (node - x) for x in others], axis=0)
        index = (below - first).astype(int) + node
        np.add.at(found, (index, rows), np.where(present, counts * share, 0.0))
    return np.exp(step * (first + np.arange(size))), found


_LAGRANGE = {x: [y for y in range(-2, 4) if y != x] for x in range(-2, 4)}
"""Six neighbours on a grid, and the others of each of them."""


def _large_norms(q: float, scales: np.ndarray, counts: np.ndarray) -> Any:
    """For large orders, by E‖x‖_q = ∫ (1 − E e^{−(‖x‖_q/t)^q}) dt / Γ(1 − 1/q).

    At q = ∞ the integrand is P(max|x_i| > t); at others it bends in the same places. It is
    integrated from 0 to where it vanishes.
    """
    most = counts.sum(axis=0).max()
    top = float(scales.max()) * float(6 - special.ndtri(min(0.25, 0.5 / most)))
    t = np.linspace(0, top, 1401)
    each = -np.exp(_log_surprise(q)(np.log(np.minimum(t[1:, None] / scales, LARGEST))))
    above = np.vstack([np.ones(counts.shape[1]), -np.expm1(each @ counts)])
    return integrate.simpson(above, x=t, axis=0) / special.gamma(1 - 1 / q)


@lru_cache(maxsize=32)
def _log_surprise(q: float) -> Callable[[np.ndarray], np.ndarray]:
    """log(−log E e^{−(|z|/r)^q}) as a spline in log r.

    (|z|/r)^q is below an exponential variable s with this probability, and P(|z| > r s^{1/q}) is
    averaged over y = log s.
    """
    log_r = np.linspace(-12, np.log(LARGEST), 4001)
    y = np.linspace(-45, 4, 300)
    weights = np.exp(y - np.exp(y)) * (y[1] - y[0])
    apart = np.exp(log_r[:, None] + y / q) / np.sqrt(2)
    missing, kept = special.erfc(apart) @ weights, special.erf(apart) @ weights
    surprise = np.where(missing < 0.5, -np.log1p(-missing), -np.log(kept))
    return interpolate.CubicSpline(log_r, np.log(surprise))


def _power_norms(q: float, scales: np.ndarray, counts: np.ndarray) -> np.ndarray:
    if q == 2 and len(scales) == 1:
        return scales[0] * np.array([chi_mean_value(float(n)) for n in counts[0]])
    return power_means(1 / q, lambda y: _log_laplace(q, y, scales) @ counts)


def _log_laplace(q: float, y: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """log E exp(−x |σ z|^q) at x = e^y, by (y, σ)."""
    shifted = y[:, None] + q * np.log(scales)
    if q == 2:
        return -0.5 * np.log1p(2 * np.exp(np.minimum(shifted, 700)))
    missing = np.exp(_log_missing(q)(np.clip(shifted, -700, 700)))
    with np.errstate(divide="ignore"):
        return np.log1p(-np.minimum(missing, 1))


@lru_cache(maxsize=32)
def _log_missing(q: float) -> Callable[[np.ndarray], np.ndarray]:
    """log(1 − E exp(−x|z|^q)) as a spline in y = log x, for y in [-700, 700]."""
    grid = np.linspace(-45.0, np.log(40.0), 6001)  # trapezoidal rule in log|z|
    z = np.exp(grid)
    weight = np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) * z * (grid[1] - grid[0])
    reach = min(10 + 8 * q, 699)
    y = np.concatenate([[-700], np.linspace(-reach, reach, 1500), [700]])
    powers = np.minimum(y[:, None] + q * grid, 700)
    missing = -np.expm1(-np.exp(powers)) @ weight
    return interpolate.PchipInterpolator(y, np.log(missing))


def chi_mean_value(n: float) -> float:
    """`chi_mean` as a number, also for large n."""
    return float(np.sqrt(2) * special.poch(n / 2, 0.5))


def power_mean(a: float, log_laplace: Callable[[np.ndarray], np.ndarray]) -> float:
    """E S^a of a variable S ≥ 0, for 0 < a < 1, from log E exp(−x S) as a function of y = log x."""
    return float(power_means(a, lambda y: log_laplace(y)[:, None])[0])


def power_means(
    a: float, log_laplace: Callable[[np.ndarray], np.ndarray]
) -> Float[np.ndarray, " variables"]:
    """`power_mean` of several variables, whose logarithms come by (y, variable).

    E S^a = a / Γ(1−a) ∫_0^∞ (1 − E e^{−xS}) x^{−1−a} dx, by the trapezoidal rule in y, which
    converges geometrically here. On the left 1 − E e^{−xS} is linear in x, on the right it is
    constant: both tails are added in closed form.
    """
    # where E e^{-xS} falls below 1/e, for the first and the last of the variables
    starts = np.arange(-690.0, 690.0)
    with np.errstate(invalid="ignore"):
        low = starts[(log_laplace(starts) > -1).sum(axis=0) - 1]
    # |z|^{1/a} has its moments far out: the linear regime begins that much further to the left
    left = max(low.min() - 24 - np.log1p(1 / a) / a, -700.0)
    right = min(low.max() + 1 + min(32 / a, 480), 700.0)
    y = np.linspace(left, right, int((right - left) / STEP))
    # e^{a(low − y)} instead of e^{−ay}, so that neither factor leaves the range of floats
    integrand = -np.expm1(log_laplace(y)) * np.exp(a * (low - y[:, None]))
    total = np.trapezoid(integrand, y, axis=0) + integrand[0] / (1 - a) + integrand[-1] / a
    return a / special.gamma(1 - a) * total * np.exp(-a * low)


def masked_chi_mean(n: int, slope: Any = 0) -> sp.Expr:
    """E √(Σ_{i≤n} D_i² z_i²) with D_i = 1 or `slope`, each with probability 1/2, z_i ~ N(0, 1).

    The norm of a Gaussian vector behind a (leaky) ReLU of n units; slope = 1 means no mask. As an
    integral: √(2/π) ∫_0^{π/2} (1 − φ(cos θ)^n) / sin²θ dθ with φ(c) = (c + c / √(c² + slope²(1 −
    c²))) / 2, the Laplace transform of one D²z² in the variable (1 + 2t)^{-1/2} = cos θ.
    """
    slope = sp.sympify(slope)
    if slope == 1:
        return chi_mean(n)
    theta = sp.Symbol("theta", positive=True)
    c = sp.cos(theta)
    other = 1 if slope == 0 else c / sp.sqrt(c**2 + slope**2 * sp.sin(theta) ** 2)
    transform = ((c + other) / 2) ** n
    integral = sp.Integral((1 - transform) / sp.sin(theta) ** 2, (theta, 0, sp.pi / 2))
    return sp.sqrt(2 / sp.pi) * integral


FARTHEST = 12
"""Standard deviations of a binomial variable beyond which nothing of it is added."""


def masked_chi_value(n: int, slope: float = 0.0) -> float:
    """`masked_chi_mean` as a number; for a ReLU the sum Σ_b P(B = b) E√χ²_b, B ~ Bin(n, 1/2)."""
    if slope == 1:
        return chi_mean_value(n)
    if slope == 0:
        reach = FARTHEST * np.sqrt(n) / 2
        b = np.arange(max(0, int(n / 2 - reach)), min(n, int(n / 2 + reach)) + 1)
        log_choose = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(n - b + 1)
        # all units asleep have length 0; weights are normalized, as gammaln of large n is rounded
        means = np.sqrt(2) * np.where(b == 0, 0, special.poch(np.maximum(b, 1) / 2, 0.5))
        weights = np.exp(log_choose - n * np.log(2))
        return float(weights @ means / weights.sum())

    def log_laplace(y: np.ndarray) -> np.ndarray:
        kept = -0.5 * np.logaddexp(0, np.log(2) + y)
        scaled = -0.5 * np.logaddexp(0, np.log(2 * slope**2) + y)
        return n * (np.logaddexp(kept, scaled) - np.log(2))

    return power_mean(0.5, log_laplace)
