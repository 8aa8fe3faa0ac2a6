"""Norms of a direction: ‖u‖_q for u uniform on the unit sphere of R^d.

A standard Gaussian vector z has length and direction independent of each other, so
‖z‖_q = ‖z‖_2 ‖u‖_q with independent factors, and moments divide: E‖u‖_q^r = E‖z‖_q^r / E‖z‖_2^r.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from theory.laws import gaussian_norm

COORDINATES = 2**22
"""Coordinates drawn for a sample of directions, of all of them together."""

MOST = 2**14
FEWEST = 2**9


def moment(q: float, d: int, r: float) -> float:
    """E‖u‖_q^r, relative error below 1e-9. Raises ValueError as `gaussian_norm.moment` does."""
    return gaussian_norm.moment(q, d, r) / gaussian_norm.moment(2, d, r)


@lru_cache(maxsize=32)
def sample(q: float, d: int) -> Float[np.ndarray, " draws"]:
    """A fixed sample of ‖u‖_q with the exact mean; a single 1 where it is constant.

    Raises ValueError unless q is in [1, 16] or ∞.
    """
    gaussian_norm.check_order(q)
    if q == 2 or d == 1:
        return np.ones(1)
    draws = int(np.clip(COORDINATES // d, FEWEST, MOST))
    rng = np.random.default_rng(0)
    found = np.empty(draws)
    for rows in np.array_split(np.arange(draws), -(-draws * d // COORDINATES)):
        z = rng.standard_normal((len(rows), d))
        found[rows] = np.linalg.norm(z, ord=q, axis=1) / np.linalg.norm(z, axis=1)
    found *= moment(q, d, 1) / found.mean()
    found.flags.writeable = False
    return found
