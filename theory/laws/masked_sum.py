"""S = Σ_{i≤n} D_i² z_i²: the squared norm of a Gaussian vector behind a (leaky) ReLU of n units.

D_i is 1 or the activation's slope a, each with probability 1/2; z_i ~ N(0, 1). S is a mixture of
scaled chi-square variables W χ²_ν, from which all of its law follows:

    linear, a = 1     W = 1, ν = n
    ReLU, a = 0       W = 1, ν = B ~ Binomial(n, 1/2), the number of open units; 0 if none is open
    leaky             ν = n and W = U + a²(1 − U) with U ~ Beta(B/2, (n − B)/2), since a Gaussian
                      vector's direction is independent of its length
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Complex
from scipy import special

from theory.laws.gaussian import moment_of_sum


@dataclass(frozen=True)
class MaskedSum:
    """The law of S for `units` = n and `slope` = a ≥ 0, a SymPy number; 1 means no mask.

    Raises ValueError for less than one unit or a negative slope.
    """

    units: int
    slope: sp.Expr = sp.S.Zero

    def __post_init__(self) -> None:
        if self.units < 1 or not self.slope >= 0:
            raise ValueError(f"no layer has {self.units} units of slope {self.slope}.")

    @property
    def dead(self) -> sp.Expr:
        """P(S = 0): 2^{−n} for a ReLU, otherwise 0."""
        return sp.Rational(1, 2**self.units) if self.slope == 0 else sp.Integer(0)

    @property
    def least_order(self) -> sp.Expr:
        """E[S^s | S > 0] is finite for s > −least_order."""
        return sp.Rational(1, 2) if self.slope == 0 else sp.Rational(self.units, 2)

    def integer_moment(self, k: int) -> sp.Expr:
        """E S^k for k = 0, 1, 2, …, exact: a rational number if the slope is one.

        From the moments (1 + a^{2j})/2 · (2j − 1)!! of one term D²z².
        """
        orders = range(1, k + 1)
        single = [(1 + self.slope ** (2 * j)) / 2 * sp.factorial2(2 * j - 1) for j in orders]
        return moment_of_sum(single, self.units)

    def expression(self, s: Any) -> sp.Expr:
        """E S^s for s > 0 in closed form, a SymPy expression.

        2^s Γ(n/2 + s)/Γ(n/2) for a linear layer, the mean of 2^s Γ(B/2 + s)/Γ(B/2) over B for a
        ReLU; a leaky ReLU multiplies the first by the mean of ₂F₁(−s, (n − B)/2; n/2; 1 − a²).
        """
        s, n, a = sp.sympify(s), sp.Integer(self.units), self.slope
        half = sp.Rational(1, 2)
        if a == 1:
            return _chi_square(n, s)
        chances = [sp.binomial(n, b) * half**n for b in range(self.units + 1)]
        if a == 0:
            return sp.Add(*(chances[b] * _chi_square(b, s) for b in range(1, self.units + 1)))
        shapes = [
            sp.hyper((-s, (n - b) * half), (n * half,), 1 - a**2) for b in range(self.units + 1)
        ]
        mean = sp.Add(*(chance * shape for chance, shape in zip(chances, shapes, strict=True)))
        return _chi_square(n, s) * mean

    def moment(self, s: float) -> float:
        """E S^s for s ≥ 0, E[S^s | S > 0] for s < 0; relative error below 1e-11.

        Raises ValueError where it is infinite, s ≤ −`least_order`.
        """
        if s <= -self.least_order:
            raise ValueError(f"the moment of order {s} needs an order above {-self.least_order}.")
        alive = 1 - float(self.dead) if s > 0 else 1.0
        return alive * float(self.transform(np.array([complex(s)]))[0].real)

    def transform(self, s: Complex[np.ndarray, " points"]) -> Complex[np.ndarray, " points"]:
        """E[S^s | S > 0] for complex s with Re s > −`least_order`."""
        chance, degrees, logs = _mixture(self.units, float(self.slope))
        distinct, which = np.unique(degrees, return_inverse=True)
        half = distinct[:, None] / 2
        found = np.empty(s.shape, complex)
        for rows in np.array_split(np.arange(s.size), 1 + s.size * chance.size // 2**20):
            x = s[rows]
            powers = special.loggamma(half + x) - special.gammaln(half) + x * np.log(2)
            found[rows] = chance @ np.exp(powers[which] + np.outer(logs, x))
        return found

    def log_moments(self) -> tuple[float, float]:
        """Mean and variance of log S given S > 0; relative error of the variance below 1e-10."""
        chance, degrees, logs = _mixture(self.units, float(self.slope))
        means = special.digamma(degrees / 2) + np.log(2) + logs
        mean = float(chance @ means)
        inner = chance @ special.polygamma(1, degrees / 2)
        return mean, float(inner + chance @ (means - mean) ** 2)

    def log_variance(self) -> sp.Expr:
        """Var log S given S > 0, a SymPy expression; `log_moments` has it as a number.

        E ψ'(B/2) + Var ψ(B/2) given B > 0 for a ReLU; ψ'(n/2) without a mask; for a leaky ReLU
        ψ'(n/2) + Var log W, the latter through integrals over the angle θ with U = sin²θ.
        """
        n, a = self.units, self.slope
        if a == 1:
            return sp.polygamma(1, sp.Rational(n, 2))
        if a == 0:
            halves = [sp.Rational(b, 2) for b in range(1, n + 1)]
            chances = [sp.binomial(n, b) / sp.Integer(2**n - 1) for b in range(1, n + 1)]
            inner = _mean(chances, [sp.polygamma(1, half) for half in halves])
            return inner + _variance(chances, [sp.digamma(half) for half in halves])
        chances = [sp.binomial(n, b) / sp.Integer(2) ** n for b in range(n + 1)]
        first, second = ([self._log_shape(b, power) for b in range(n + 1)] for power in (1, 2))
        shape = _mean(chances, second) - _mean(chances, first) ** 2
        return sp.polygamma(1, sp.Rational(n, 2)) + shape

    def _log_shape(self, b: int, power: int) -> sp.Expr:
        """E log^power W of a leaky ReLU given that b units are open."""
        theta = sp.Symbol("theta", positive=True)
        n, sine, cosine = self.units, sp.sin(theta), sp.cos(theta)
        if b in (0, n):
            return (2 * sp.log(self.slope)) ** power if b == 0 else sp.S.Zero
        total = sp.gamma(sp.Rational(n, 2))
        total /= sp.gamma(sp.Rational(b, 2)) * sp.gamma(sp.Rational(n - b, 2))
        density = 2 * total * sine ** (b - 1) * cosine ** (n - b - 1)
        shape = sp.log(sine**2 + self.slope**2 * cosine**2) ** power
        return sp.Integral(density * shape, (theta, 0, sp.pi / 2))


def _mean(chances: list[sp.Expr], values: list[sp.Expr]) -> sp.Expr:
    return sp.Add(*(chance * x for chance, x in zip(chances, values, strict=True)))


def _variance(chances: list[sp.Expr], values: list[sp.Expr]) -> sp.Expr:
    return _mean(chances, [x**2 for x in values]) - _mean(chances, values) ** 2


def _chi_square(nu: Any, s: sp.Expr) -> sp.Expr:
    half = sp.sympify(nu) / 2
    return 2**s * sp.gamma(half + s) / sp.gamma(half)


@lru_cache(maxsize=256)
def _mixture(n: int, slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, degrees of freedom ν and log W of the chi-square variables that S mixes.

    Given S > 0. The Beta variables of a leaky ReLU are U = 1/(1 + e^{−2v}), with a trapezoidal
    rule in v, whose error decreases geometrically.
    """
    if slope == 1:
        return np.ones(1), np.full(1, float(n)), np.zeros(1)
    b = np.arange(n + 1.0)
    log_chance = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(n - b + 1)
    chance = np.exp(log_chance - n * np.log(2))
    if slope == 0:
        keep = chance > 1e-20
        keep[0] = False
        return chance[keep] / chance[keep].sum(), b[keep], np.zeros(int(keep.sum()))
    step = min(0.1, 0.4 / np.sqrt(n))
    v = np.arange(-45, 45, step)
    log_open, log_shut = -np.logaddexp(0, -2 * v), -np.logaddexp(0, 2 * v)
    weights = np.zeros(v.size)
    for count in np.flatnonzero(chance[1:-1] > 1e-20) + 1:
        log_density = count * log_open / 2 + (n - count) * log_shut / 2
        log_density -= special.betaln(count / 2, (n - count) / 2)
        weights += chance[count] * 2 * step * np.exp(log_density)
    logs = np.logaddexp(log_open, 2 * np.log(slope) + log_shut)
    keep = weights > 1e-20
    weights = np.concatenate([weights[keep], chance[[0, -1]]])
    logs = np.concatenate([logs[keep], [2 * np.log(slope), 0.0]])
    return weights / weights.sum(), np.full(weights.size, float(n)), logs
