"""Samples of one unit of a wide layer, at positions of an image that are far from each other.

The units of a layer are samples of a Gaussian field over its positions; here the field has one
covariance for all pairs of positions.
"""

from fractions import Fraction

import numpy as np
import sympy as sp
from jaxtyping import Float

from theory.network import Shape, positions

PLACES = 64
"""Positions at which a unit is sampled, at most."""

ELEMENTS = 2**17
"""Samples of all positions together."""

EQUAL = 1e-9
"""Numbers that differ by less are equal."""


Samples = Float[np.ndarray, "kinds samples places"]
"""Of one unit; a concatenation has units of several kinds."""


def mean_product(x: Samples, y: Samples, of_kinds: np.ndarray) -> float:
    """E xy at the same position. The first positions count, if one has more than the other."""
    places = min(x.shape[2], y.shape[2])
    return float(of_kinds @ np.mean(x[..., :places] * y[..., :places], axis=(1, 2)))


def far_product(x: Samples, y: Samples, of_kinds: np.ndarray) -> float:
    """E xy at two positions."""
    places = min(x.shape[2], y.shape[2])
    sums = np.sum(x[..., :places], axis=2) * np.sum(y[..., :places], axis=2)
    total = float(of_kinds @ np.mean(sums, axis=1))
    return (total / places - mean_product(x, y, of_kinds)) / (places - 1)


def fraction(mean: float) -> sp.Expr:
    """A sampled mean as a fraction, exact if it is one of small numbers."""
    return sp.Rational(Fraction(mean).limit_denominator(10**6))


def places_of(shape: Shape) -> int:
    every = positions(shape)
    return min(every, PLACES) if isinstance(every, int) else PLACES


class Noise:
    """A source of independent Gaussian units, the same for every network; `samples` is even."""

    def __init__(self, samples: int) -> None:
        self._half = samples // 2
        self._generator = np.random.default_rng(0)

    def field(self, places: int, common: float) -> Samples:
        """Units of mean square 1, `common` to all positions; with z also −z is there."""
        own = self._generator.standard_normal((self._half, places))
        shared = self._generator.standard_normal((self._half, 1))
        z = np.sqrt(1 - common) * own + np.sqrt(common) * shared
        return np.stack([z, -z]).reshape(1, -1, places) / np.sqrt(np.mean(z**2))


def slopes(z: Samples, k: Samples, of_kinds: np.ndarray, is_shared: bool) -> tuple[float, float]:
    """E ∂k_p/∂z_p beyond the second, and the sum of E ∂k_p/∂z_p' over as many p' as sampled."""
    own, places = mean_product(z, k, of_kinds), min(z.shape[2], k.shape[2])
    if places == 1 or not is_shared:
        return own, 0.0
    one = np.ones(1)
    square, common, far = (
        mean_product(z, z, one),
        far_product(z, z, one),
        far_product(z, k, of_kinds),
    )
    if square - common < EQUAL:
        return own, 0.0
    at = (own - far) / (square - common)
    return at, (far - at * common) / (common + (square - common) / places)


def shared_means(a: Samples, places: int) -> Samples:
    """Means over the positions that one weight of a kernel reads, `places` of them."""
    kinds, samples, every = a.shape
    if every % places:
        return a.mean(axis=2, keepdims=True)
    return np.repeat(a.reshape(kinds, samples, -1, places).mean(axis=3), places, axis=2)
