"""The norm ‖z‖_q of a standard Gaussian vector z of d coordinates: its moments and its law.

For q < ∞ everything comes from T = ‖z‖_q^q = Σ|z_i|^q and one identity, the integral of the gamma
function: for any k > Re s,

    E T^s = k!/Γ(k − s) ∫ e^{−sy} P(Poisson(e^y T) = k) dy,

where P(Poisson(t T) = k) is the coefficient of u^k in (E exp(−t|z|^q (1 − u)))^d. Its integrand is
positive for real s, so nothing cancels. For q = ∞ the law of the largest coordinate is explicit.
All integrals are trapezoidal sums in logarithms, which converge geometrically here. q up to
`LARGEST_ORDER`, or ∞.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Complex
from scipy import special

from theory.laws.gaussian import absolute_moment, moment_of_sum, t

LARGEST_ORDER = 16
STEP = 0.1
TAIL = 40.0  # e^-40 of an integral is left out on either side

ORDER_LIMIT = f"moments and distributions need q in [1, {LARGEST_ORDER}] or q = inf"


def moment(q: float, d: int, r: float) -> float:
    """E‖z‖_q^r for real r > −d; relative error below 1e-10.

    Raises ValueError for q outside of [1, 16] other than ∞, and for r < 1 − d (r ≤ −d if q = 2
    or d = 1; the moment is infinite for r ≤ −d).
    """
    check_order(q)
    closed = q == 2 or d == 1
    if r <= -d or (r < 1 - d and not closed):
        raise ValueError(
            f"the moment E‖z‖_{q}^r needs r {'>' if closed else '>= 1'} - {d}, not {r}."
        )
    if closed:
        return float(
            np.exp(r / 2 * np.log(2) + special.gammaln((d + r) / 2) - special.gammaln(d / 2))
        )
    if q == np.inf:
        y, density = _log_maximum(d, r)
        return float(np.sum(np.exp(r * y) * density) * (y[1] - y[0]))
    s = r / q
    k = max(int(np.floor(s)) + 2, 0)
    y = _grid(q, d, r, k)
    terms = np.exp(_log_poisson(q, d, k, y) - s * y)
    return float(np.sum(terms) * STEP * np.exp(special.gammaln(k + 1) - special.gammaln(k - s)))


def log_moments(q: float, d: int) -> tuple[float, float]:
    """Mean and variance of log‖z‖_q, absolute error of the mean and of q² · variance below 1e-11.

    With an independent exponential variable X, X/T exceeds t with probability E e^{−tT}; so
    E log T = −γ − E log(X/T) and Var log T = Var log(X/T) − π²/6.
    """
    check_order(q)
    if q == 2 or d == 1:
        return (
            float((special.digamma(d / 2) + np.log(2)) / 2),
            float(special.polygamma(1, d / 2) / 4),
        )
    if q == np.inf:
        y, density = _log_maximum(d, 0)
        weights = density * (y[1] - y[0])
        mean = float(weights @ y)
        return mean, float(weights @ (y - mean) ** 2)
    y = _grid(q, d, 0, 1)
    weights = np.exp(_log_poisson(q, d, 1, y)) * STEP
    mean = float(weights @ y)
    variance = float(weights @ (y - mean) ** 2) - np.pi**2 / 6
    return (-np.euler_gamma - mean) / q, variance / q**2


def characteristic(
    q: float, d: int, period: float, points: int
) -> Complex[np.ndarray, " frequencies"]:
    """E‖z‖_q^{iτ} at τ = 2πj / period for j = 0 … points/2, absolute error about 1e-12.

    `period` must be at least 80 (the integrands' support) and π · points / period beyond the
    frequencies where the result is not negligible. For q < ∞ the identity above with k = 1, on
    the line y − iπ/2, where its integrand decreases with τ as fast as E‖z‖_q^{iτ} itself.
    """
    check_order(q)
    tau = 2 * np.pi * np.arange(points // 2 + 1) / period
    if q == 2 or d == 1:
        half = d / 2 + 0.5j * tau
        return np.exp(0.5j * tau * np.log(2) + special.loggamma(half) - special.gammaln(d / 2))
    step = period / points
    if q == np.inf:
        y = step * np.arange(-int(0.8 * points), points - int(0.8 * points))
        spectrum = np.fft.rfft(_maximum_density(d, y))
        return np.conj(spectrum * np.exp(-1j * tau * y[0]) * step)
    step, tau = q * step, tau / q
    y = -TAIL - _log_power_mean(q, d, 1) + step * np.arange(points)
    integral = np.fft.fft(_rotated(q, d, y))[: tau.size] * np.exp(-1j * tau * y[0]) * step
    return np.exp(-np.pi * tau / 2 - special.loggamma(1 - 1j * tau)) * integral


def moment_expression(q: Any, d: Any, r: Any) -> sp.Expr | None:
    """E‖z‖_q^r in closed form, or as an integral for q = ∞; None where there is none.

    q = 2: 2^{r/2} Γ((d + r)/2) / Γ(d/2) for every r. q < ∞ and r = kq with an integer k: a
    polynomial in d, k! times the coefficient of u^k in (Σ_j E|z|^{jq} u^j / j!)^d. q = ∞:
    r ∫ t^{r−1} P(max|z_i| > t) dt. d may be a symbol.
    """
    q, d, r = sp.sympify(q), sp.sympify(d), sp.sympify(r)
    if r == 0:
        return sp.Integer(1)
    if q == 2:
        return 2 ** (r / 2) * sp.gamma((d + r) / 2) / sp.gamma(d / 2)
    if q == sp.oo:
        above = 1 - sp.erf(t / sp.sqrt(2)) ** d
        return sp.Integral(r * t ** (r - 1) * above, (t, 0, sp.oo))
    k = r / q
    if not (k.is_integer and k.is_positive):
        return None
    single = [absolute_moment(j * q) for j in range(1, int(k) + 1)]
    return sp.expand(moment_of_sum(single, d))


def largest_coordinate(d: Any) -> sp.Expr:
    """E max|z_i| for d → ∞, error O((log log d)² / (log d)^{3/2}), an expression in d.

    √(2 log d) − (log log d + log π) / (2√(2 log d)) + γ / √(2 log d): the location of Gumbel's
    law for |z_i| and its mean, Euler's γ (Fisher & Tippett 1928).
    """
    root = sp.sqrt(2 * sp.log(d))
    return root - (sp.log(sp.log(d)) + sp.log(sp.pi)) / (2 * root) + sp.EulerGamma / root


def check_order(q: float) -> None:
    """Raise ValueError unless q is in [1, LARGEST_ORDER] or ∞."""
    if not (1 <= q <= LARGEST_ORDER or q == np.inf):
        raise ValueError(f"{ORDER_LIMIT}, not {q}.")


def _log_power_mean(q: float, d: int, k: int) -> float:
    """An upper bound of log (E T^k)^{1/k}: log d + log (E|z|^{qk})^{1/k}."""
    single = q * k / 2 * np.log(2) + special.gammaln((q * k + 1) / 2) - np.log(np.pi) / 2
    return float(np.log(d) + single / k)


def _grid(q: float, d: int, r: float, k: int) -> np.ndarray:
    # on the left the terms decrease like e^{(k − s) y}, on the right like e^{−(d + r) y / q}
    left = -TAIL - 10 - _log_power_mean(q, d, max(k, 1))
    return np.arange(left, 10 + TAIL * q / min(d + r, d), STEP)


@lru_cache(maxsize=8)
def _coordinate(q: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes v = log|z| and weights for the mean over one coordinate z ~ N(0, 1)."""
    v = np.arange(-45, 3, min(0.05, 0.25 / q))
    return v, np.sqrt(2 / np.pi) * np.exp(v - np.exp(2 * v) / 2) * (v[1] - v[0])


def _log_poisson(q: float, d: int, k: int, y: np.ndarray) -> np.ndarray:
    """log P(Poisson(e^y T) = k)."""
    v, weights = _coordinate(q)
    exponents = np.minimum(y[:, None] + q * v, 700)
    rates = np.exp(exponents)
    none = np.log(np.exp(-rates) @ weights)
    some = np.minimum(-np.expm1(-rates) @ weights, 0.5)
    none = np.where(none < -0.5, none, np.log1p(-some))
    single = [np.ones_like(y)]
    for j in range(1, k + 1):
        log_chance = j * exponents - rates - special.gammaln(j + 1)
        single.append(np.exp(log_chance) @ weights / np.exp(none))
    power = _series_power(np.array(single), d)[k]
    with np.errstate(divide="ignore"):  # underflow, where the integrand is negligible
        return d * none + np.log(power)


def _series_power(series: np.ndarray, d: int) -> np.ndarray:
    """The d-th power of power series, coefficients along the first axis, to the same order."""

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([np.sum(a[: m + 1] * b[m::-1], axis=0) for m in range(len(a))])

    result, factor = np.zeros_like(series), series
    result[0] = 1
    while d:
        if d % 2:
            result = product(result, factor)
        d //= 2
        factor = product(factor, factor) if d else factor
    return result


def _rotated(q: float, d: int, y: np.ndarray) -> np.ndarray:
    """E[−iρT e^{iρT}] at ρ = e^y.

    The coordinate z is taken along a ray of the complex plane on which e^{iρ|z|^q} decreases.
    """
    angle = np.pi / (2 * (q + 2))
    v = np.arange(-45, 3.5, min(0.05, 0.25 / q)) + 1j * angle
    weights = np.sqrt(2 / np.pi) * np.exp(v - np.exp(2 * v) / 2) * (v[1] - v[0])
    found = np.zeros(y.size, complex)
    for rows in np.array_split(np.arange(y.size), max(16, y.size * v.size // 2**20)):
        exponents = y[rows, None] + q * v
        phases = 1j * np.exp(np.minimum(exponents.real, 300) + 1j * exponents.imag)
        with np.errstate(under="ignore"):
            missing = np.expm1(phases) @ weights
            slope = (-phases * np.exp(phases)) @ weights
        found[rows] = d * slope * np.exp((d - 1) * np.log1p(missing))
        if y[rows[0]] > 0 and np.max(np.abs(found[rows])) < 1e-20:
            break
    return found


def _maximum_density(d: int, y: np.ndarray) -> np.ndarray:
    """The density of log max|z_i| at y."""
    x = np.exp(np.clip(y, -700, 5))
    with np.errstate(divide="ignore"):
        below = np.log(special.erf(x / np.sqrt(2)))
    return d * np.sqrt(2 / np.pi) * np.exp(y - x**2 / 2 + ((d - 1) * below if d > 1 else 0))


def _log_maximum(d: int, r: float) -> tuple[np.ndarray, np.ndarray]:
    # the left tail is e^{(d + r) y}; the width of the maximum is about 1 / (2 log d)
    y = np.arange(-TAIL / min(d + r, d) - 2, 5, 0.05 / (1 + np.log(d)))
    return y, _maximum_density(d, y)
