"""Norms of input gradients with the first matrix integrated out (Rao–Blackwell).

A network that begins with a Gaussian matrix W sees its input x through y = x W alone, and its input
gradient is W v, where v is the gradient with respect to y. Given y the matrix is still random where
it is orthogonal to x, and v does not depend on that part. So the coordinates of W v are Gaussian
given x, y and v, and the expectation of its norm has a closed form for q = 1 and 2. It has the mean
of the norm itself, and a variance without what the d coordinates add to it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sim.networks.gradients import total
from sim.networks.layers import Weights
from theory.fans import weight_variance
from theory.network import Dense, Layer, Serial

NODES = 16
"""Of the quadrature of E‖·‖_2."""

NormOf = Callable[[Float[Array, " n"], float], Float[Array, ""]]


def after_first(
    body: Layer, weights: Weights, x: Float[Array, "..."]
) -> tuple[Serial, Weights, Float[Array, " n"], NormOf]:
    """The layers behind the first matrix, their weights, their input y, and `expected_norm`.

    The last one is a function of the gradient with respect to y and of q.
    """
    assert isinstance(body, Serial)
    first = body.layers[1]
    assert isinstance(first, Dense)
    flat = x.ravel()
    y = flat @ weights[1]
    variance = float(weight_variance(first, flat.shape))

    def norm_of(v: Array, q: float) -> Array:
        return expected_norm(flat, y, v, variance, q)

    return Serial(body.layers[2:]), weights[2:], y, norm_of


def expected_norm(
    x: Float[Array, " d"],
    y: Float[Array, " n"],
    v: Float[Array, " n"],
    variance: float,
    q: float,
) -> Float[Array, ""]:
    """E‖W v‖_q, q = 1 or 2, for Gaussian W (d × n) of that variance, given x W = y.

    The coordinates of W v are Gaussian with means x_i (y·v) / ‖x‖² and covariance
    variance ‖v‖² (I − x xᵀ/‖x‖²). For q = 1 each adds the mean of a folded normal law; for q = 2
    ‖W v‖² is (y·v)² / ‖x‖² plus variance ‖v‖² times χ² with d − 1 degrees of freedom. x is not
    zero, and d at least `closed_forms.LEAST`.
    """
    length, size = jnp.linalg.norm(x), jnp.linalg.norm(v)
    std = variance**0.5 * size
    along = jnp.where(size > 0, y @ (v / jnp.where(size > 0, size, 1)), 0) * size / length
    if q == 1:
        means = along * (x / length)
        stds = std * jnp.sqrt(jnp.maximum(1 - (x / length) ** 2, 0))
        ratios = means / jnp.where(stds > 0, stds, 1)
        folded = np.sqrt(2 / np.pi) * stds * jnp.exp(-(ratios**2) / 2)
        return total(jnp.where(stds > 0, folded + means * jax.lax.erf(ratios / 2**0.5), abs(means)))
    squares, probabilities = chi_square(len(x) - 1)
    return jnp.sum(probabilities * jnp.hypot(along, std * jnp.sqrt(squares)))


def chi_square(degrees: int) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes and weights of the Gauss quadrature of a χ² law.

    Half of χ² has a Gamma law, whose orthogonal polynomials are the generalized Laguerre ones
    (Golub & Welsch 1969).
    """
    order, alpha = np.arange(NODES), degrees / 2 - 1
    beside = np.sqrt(order[1:] * (order[1:] + alpha))
    nodes, vectors = np.linalg.eigh(
        np.diag(2 * order + alpha + 1) + np.diag(beside, 1) + np.diag(beside, -1)
    )
    return jnp.asarray(2 * nodes), jnp.asarray(vectors[0] ** 2)
