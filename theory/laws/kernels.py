"""What an activation makes of two correlated Gaussians, of variances v, w and covariance c.

Of a ReLU these are the arc-cosine kernels of order 1 and 0 (Cho & Saul 2009): with ρ = c/√(vw),

    E relu(z) relu(z') = √(vw) (√(1 − ρ²) + ρ (π − arccos ρ)) / 2π,
    P(z > 0, z' > 0)   = (π − arccos ρ) / 2π,

and those of a leaky ReLU follow, since it is az + (1 − a) relu(z). A smooth function is expanded
in Hermite polynomials: E f(z) f(z') = Σ a_n² ρ^n.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from jaxtyping import Float

from theory import activations
from theory.network import Activation, SmoothActivation

Covariances = Float[np.ndarray, "..."]

DEGREE = 60
"""Hermite polynomials of a smooth function."""


def values(layer: Activation, v: Covariances, w: Covariances, c: Covariances) -> Covariances:
    """E φ(z) φ(z'); arrays of one shape, as everywhere here."""
    if isinstance(layer, SmoothActivation):
        return _expanded(activations.numeric_function(layer), v, w, c)
    a, size = float(activations.negative_slope(layer)), np.sqrt(v * w)
    rho = _correlation(v, w, c)
    first = np.sqrt(1 - rho**2) + rho * (np.pi - np.arccos(rho))
    return a * c + (1 - a) ** 2 * size * first / (2 * np.pi)


def slopes(
    layer: Activation, v: Covariances, w: Covariances, c: Covariances, power: int = 1
) -> Covariances:
    """E φ'(z)^power φ'(z')^power: 1 is what a product of two gradients keeps, 2 of two squares."""
    if isinstance(layer, SmoothActivation):
        slope = activations.numeric_slope(layer)
        return _expanded(lambda z: slope(z) ** power, v, w, c)
    a = float(activations.negative_slope(layer)) ** power
    rho = _correlation(v, w, c)
    return a + (1 - a) ** 2 * (np.pi - np.arccos(rho)) / (2 * np.pi)


def _correlation(v: Covariances, w: Covariances, c: Covariances) -> Covariances:
    size = np.sqrt(v * w)
    return np.clip(np.divide(c, size, out=np.zeros_like(size), where=size > 0), -1, 1)


def _expanded(
    f: Callable[[np.ndarray], np.ndarray], v: Covariances, w: Covariances, c: Covariances
) -> Covariances:
    z, weight = _nodes()
    value = f(np.sqrt(np.mean(v)) * z) * weight / np.sqrt(2 * np.pi)
    before, polynomial, squares = np.zeros_like(z), np.ones_like(z), []
    for n in range(DEGREE):  # normalized: E He_n(Z)² = 1
        squares.append(float(value @ polynomial) ** 2)
        following = (z * polynomial - np.sqrt(n) * before) / np.sqrt(n + 1)
        before, polynomial = polynomial, following
    return np.polynomial.polynomial.polyval(_correlation(v, w, c), squares)


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes and weights, which take longer to find than what is done with them."""
    return np.polynomial.hermite_e.hermegauss(2 * DEGREE)
