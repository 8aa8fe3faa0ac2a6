"""The law of ‖∂_x f_k‖_q in bias-free dense networks with Gaussian weights, exact at every width.

Backwards through Gaussian weights a vector v becomes ‖v‖_2 times a standard Gaussian vector, and
the masks of (leaky) ReLUs are independent fair coins. So, in law and for every q at once,

    ‖∂_x f_k‖_q = c ‖z‖_q √S_1 ⋯ √S_L,   z ~ N(0, I_d),   all factors independent,

with c² the product of the weight variances of all layers and S_l = Σ_i D_i² z_i² the squared norm
behind the mask of hidden layer l. Moments multiply, logarithms add, and the distribution follows
from the characteristic function of log‖∂_x f_k‖_q. Source: derived in the statements
`finite-width`, `moments` and `distribution`; for the products of chi-square variables see Hanin &
Nica (arXiv 1812.05994).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Complex, Float
from scipy import interpolate, special

from theory.laws import gaussian_norm
from theory.laws.masked_sum import MaskedSum

PERIOD = 80.0
"""Length of the interval of log‖∂_x f_k‖_q on which the distribution is tabulated."""

MOST_POINTS = 2**20
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class DenseLaw:
    """The exact law of the norms of one logit's input gradient.

    `d` is the input dimension, `hidden` has one `MaskedSum` for each hidden layer, `scale_squared`
    is c², the product of the weight variances of all layers, the last one included. Every method
    takes q in [1, 16] or ∞ and raises ValueError for others. Distributions and logarithms are
    those given that the gradient is not zero; moments of positive order count the zeros.
    """

    d: int
    hidden: tuple[MaskedSum, ...]
    scale_squared: sp.Expr

    @classmethod
    def of(cls, d: int, hidden: Sequence[tuple[int, Any]], second_moment: Any) -> "DenseLaw":
        """From the (width, activation slope) of every hidden layer and E‖∂_x f_k‖_2².

        Slope 0 is a ReLU, 1 no activation. Raises ValueError unless d is a positive integer.
        """
        if not (sp.sympify(d).is_Integer and d > 0):
            raise ValueError(f"an input dimension is a positive integer, not {d}.")
        sums = tuple(MaskedSum(units, sp.sympify(slope)) for units, slope in hidden)
        chi_squares = sp.Mul(*(layer.integer_moment(1) for layer in sums))
        return cls(int(d), sums, sp.sympify(second_moment) / (int(d) * chi_squares))

    @property
    def dead(self) -> sp.Expr:
        """P(∂_x f_k = 0): some hidden layer of ReLUs has no open unit. 1 − Π(1 − 2^{−n_l})."""
        return 1 - sp.Mul(*(1 - layer.dead for layer in self.hidden))

    @property
    def fourth_moment_ratio(self) -> sp.Expr:
        """E‖∂_x f_k‖_2⁴ / (E‖∂_x f_k‖_2²)², exact.

        (1 + 2/d) Π_l (1 + (6(1 + a⁴)/(1 + a²)² − 1)/n_l); 5/n_l for ReLUs: depth over width.
        """
        return self.second_norm_moment(2) / self.second_norm_moment(1) ** 2

    def second_norm_moment(self, k: int) -> sp.Expr:
        """E(‖∂_x f_k‖_2²)^k for k = 0, 1, 2, …, exact: rational for rational variances."""
        first = MaskedSum(self.d, sp.Integer(1)).integer_moment(k)
        inner = sp.Mul(*(layer.integer_moment(k) for layer in self.hidden))
        return self.scale_squared**k * first * inner

    def moment_expression(self, q: Any, r: Any) -> sp.Expr | None:
        """E‖∂_x f_k‖_q^r for r > 0 as a SymPy expression; None where no closed form is known.

        Closed for q = 2 and every r, and for r = q, 2q, 3q, …; a one-dimensional integral for
        q = ∞. `moment` has the others as numbers.
        """
        r = sp.sympify(r)
        first = gaussian_norm.moment_expression(q, self.d, r)
        if first is None:
            return None
        inner = (layer.expression(r / 2) for layer in self.hidden)
        return self.scale_squared ** (r / 2) * first * sp.Mul(*inner)

    def moment(self, q: float, r: float) -> float:
        """E‖∂_x f_k‖_q^r for real r ≥ 0, relative error below 1e-9 for d up to 10⁵.

        For r < 0 it is E[‖∂_x f_k‖_q^r | not zero], finite for r > −1 with ReLUs, for r > −n_l
        and r > −d otherwise. Raises ValueError where it is infinite, and for q other than 2 and
        d > 1 if r < 1 − d.
        """
        gaussian_norm.check_order(q)
        if r == 0:
            return 1.0
        scale = np.exp(r / 2 * self._log_scale)
        inner = float(np.prod([layer.moment(r / 2) for layer in self.hidden]))
        return scale * gaussian_norm.moment(q, self.d, r) * inner

    def relative_variance(self, q: float = 2) -> float:
        """Var‖∂_x f_k‖_q / (E‖∂_x f_k‖_q)², zeros counted."""
        return self.moment(q, 2) / self.moment(q, 1) ** 2 - 1

    def log_mean(self, q: float = 2) -> float:
        """E log‖∂_x f_k‖_q given that it is not zero."""
        inner = sum(layer.log_moments()[0] for layer in self.hidden)
        first = gaussian_norm.log_moments(q, self.d)[0]
        return float(self._log_scale / 2 + first + inner / 2)

    def log_variance(self, q: float = 2) -> float:
        """Var log‖∂_x f_k‖_q given that it is not zero."""
        inner = sum(layer.log_moments()[1] for layer in self.hidden)
        return gaussian_norm.log_moments(q, self.d)[1] + inner / 4

    def seeds_needed(
        self, half_width: float, level: float = 0.95, q: float = 2, logarithm: bool = False
    ) -> int:
        """Draws of the weights after which the mean's interval is ± half_width, relative to it.

        With `logarithm` the mean of log‖∂_x f_k‖_q and an absolute half width. `level` is the
        coverage of a normal interval. Raises ValueError unless 0 < level < 1 and half_width > 0.
        """
        if not (0 < level < 1 and half_width > 0):
            raise ValueError("an interval needs a level between 0 and 1 and a positive half width.")
        variance = self.log_variance(q) if logarithm else self.relative_variance(q)
        return seeds_needed(variance, half_width, float(special.ndtri((1 + level) / 2)))

    def characteristic(self, tau: Float[np.ndarray, " points"]) -> Complex[np.ndarray, " points"]:
        """E[‖∂_x f_k‖_2^{iτ} | not zero], the characteristic function of log‖∂_x f_k‖_2."""
        powers = 0.5j * np.asarray(tau, float)
        first = MaskedSum(self.d, sp.Integer(1)).transform(powers)
        return first * self.inner(powers)

    def density(self, x: Float[np.ndarray, " points"], q: float = 2) -> np.ndarray:
        """The density of ‖∂_x f_k‖_q at x > 0 given that it is not zero.

        Absolute error of x · density, the density of the logarithm, below 1e-7.
        """
        spline, x = _table(self, float(q)), np.asarray(x, float)
        positive = np.maximum(x, np.finfo(float).tiny)
        return np.where(x > 0, spline.derivative()(_logs(positive, spline)) / positive, 0.0)

    def distribution_function(self, x: Float[np.ndarray, " points"], q: float = 2) -> np.ndarray:
        """P(‖∂_x f_k‖_q ≤ x | not zero), absolute error below 1e-8.

        From the characteristic function of the logarithm by Fourier series over an interval of
        length `PERIOD`; P(‖∂_x f_k‖_q ≤ x) is dead + (1 − dead) times this.
        """
        spline, x = _table(self, float(q)), np.asarray(x, float)
        positive = np.maximum(x, np.finfo(float).tiny)
        return np.where(x > 0, np.clip(spline(_logs(positive, spline)), 0, 1), 0.0)

    @property
    def _log_scale(self) -> float:
        """log c², which may lie beyond the range of floats itself."""
        return float(sp.log(self.scale_squared))

    def inner(self, powers: Complex[np.ndarray, " points"]) -> Complex[np.ndarray, " points"]:
        """c^{2s} Π E[S_l^s | S_l > 0] at the complex powers s."""
        found = np.exp(powers * self._log_scale)
        for layer in self.hidden:
            # beyond the frequencies where the product is negligible it needs no more factors
            needed = np.abs(found) > 1e-18
            found[needed] *= layer.transform(powers[needed])
        return found


def seeds_needed(relative_variance: Any, half_width: Any, quantile: Any) -> int:
    """Seeds for a mean whose interval is ± half_width · mean: ⌈quantile² V / half_width²⌉.

    V is Var / mean² of one seed; `quantile` is 1.96 for 95 % confidence. For the mean of
    logarithms V is their variance and half_width is absolute.
    """
    return int(sp.ceiling(quantile**2 * relative_variance / sp.sympify(half_width) ** 2))


def _logs(x: np.ndarray, spline: interpolate.CubicHermiteSpline) -> np.ndarray:
    return np.clip(np.log(x), spline.x[0], spline.x[-1])


@lru_cache(maxsize=16)
def _table(law: DenseLaw, q: float) -> interpolate.CubicHermiteSpline:
    """The distribution function of log‖∂_x f_k‖_q, with its derivative exact at the nodes."""
    gaussian_norm.check_order(q)
    deviation = np.sqrt(gaussian_norm.log_moments(q, law.d)[1])
    points = 2 ** int(np.ceil(np.log2(PERIOD / np.pi * max(8 / deviation, 60))))
    while True:
        first = gaussian_norm.characteristic(q, law.d, PERIOD, points)
        tau = 2 * np.pi * np.arange(points // 2 + 1) / PERIOD
        if np.abs(first[-1]) < NEGLIGIBLE or points >= MOST_POINTS:
            break
        points *= 2
    spectrum = first * law.inner(0.5j * tau)
    # the tail on the left is the longer one; a finer grid makes the interpolation exact enough
    low, fine = law.log_mean(q) - 0.75 * PERIOD, 8 * points
    shifted = np.zeros(fine // 2 + 1, complex)
    shifted[: tau.size] = np.conj(spectrum * np.exp(-1j * tau * low))
    integral = np.zeros_like(shifted)
    integral[1 : tau.size] = shifted[1 : tau.size] / (1j * tau[1:])
    y = low + PERIOD / fine * np.arange(fine)
    density = np.fft.irfft(shifted, fine) * fine / PERIOD
    below = np.fft.irfft(integral, fine) * fine / PERIOD + (y - low) / PERIOD
    return interpolate.CubicHermiteSpline(y, below - below[0], density)
