"""One gradient step in a wide ReLU network: the joint law of f(x), ∂f(x) and f(x − r ∂f/‖∂f‖).

In the limit of large width a network of L hidden layers of ReLUs is a Gaussian process with the
covariance ‖x‖‖x'‖ k(θ)/d, θ the angle between two inputs (k = 1 at θ = 0). Its gradient at x is
N(0, I/d), and given that gradient f(x') is Gaussian, with k along x and k' across x as regression
coefficients. So the share of networks whose sign one step flips is an integral over two numbers:
the angle between x and ∂f, and ‖∂f‖. Source: derived in the statement `gradient-step`; the idea to
condition on the gradient instead of proving that f is almost linear is that of Montanari and Wu
(arXiv 2203.17209).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import special

from theory.laws import kernels
from theory.network import Activation, ReLU

COSINES = 4096
"""Quantiles of the cosine between x and ∂f over which a probability is averaged."""

LENGTHS = 64
"""Quantiles of ‖∂f‖."""

Angles = Float[np.ndarray, "..."]


class Kernel(NamedTuple):
    """k(θ) and k'(θ) of a wide network."""

    value: Angles
    slope: Angles


def kernel(angle: Angles, depth: int) -> Kernel:
    """The correlation k of a wide ReLU network at two inputs, and its derivative in the angle.

    Args:
        angle: Between the inputs, in radians, from 0 to π.
        depth: Hidden layers L, at least 0 (a linear function: k = cos θ).

    Returns:
        Both, in the shape of the angles.
    """
    angle = np.asarray(angle, float)
    value, slope, one = np.cos(angle), -np.sin(angle), np.ones_like(angle)
    for _ in range(depth):
        slope = 2 * kernels.slopes(ReLU(), one, one, value) * slope
        value = 2 * kernels.values(ReLU(), one, one, value)
    return Kernel(value, slope)


def flip_probability(step: float, d: int, depth: int = 1) -> float:
    """P(f(x') and f(x) have different signs), x' one step against ± ∂f of length step · ‖x‖/√d.

    Args:
        step: Length h of the step in units of ‖x‖_2/√d, positive.
        d: Input dimension, at least 2.
        depth: Hidden layers of ReLUs; 0 gives the first-order law, a Beta distribution function.

    Returns:
        The probability over wide networks, error below 1e-3. It tends to erf(h/√2) for large d.

    Raises:
        ValueError: For d < 2 or a step that is not positive.
    """
    if d < 2 or not step > 0:
        raise ValueError(f"a step needs d ≥ 2 and a positive length, not d = {d}, h = {step:g}.")
    chances = (np.arange(COSINES) + 0.5) / COSINES
    cosine = np.sqrt(special.betaincinv(0.5, (d - 1) / 2, chances))[:, None]
    sine = np.sqrt(1 - cosine**2)
    along, across = 1 - step / np.sqrt(d) * cosine, step / np.sqrt(d) * sine
    k = kernel(np.arctan2(across, along), depth)
    left = np.maximum(1 - k.value**2 - k.slope**2, 0)
    mean = k.value * cosine + k.slope * sine
    if depth == 0:
        return float(np.mean(mean < 0))
    length = np.sqrt(2 * special.gammaincinv(d / 2, (np.arange(LENGTHS) + 0.5) / LENGTHS))
    return float(np.mean(special.ndtr(-length * mean / np.sqrt(left))))


def signs_differ(angle: float, depth: int) -> float:
    """P(two inputs at this angle get different signs), arccos(k)/π, in wide ReLU networks.

    Args:
        angle: Between the inputs, in radians.
        depth: Hidden layers.
    """
    return float(np.arccos(kernel(np.array(angle), depth).value) / np.pi)


def activation_ratio(layer: Activation, variance: float) -> float:
    """v E φ'(√v Z)² / E φ(√v Z)², Z ~ N(0, 1): the square of ‖x‖‖∂f‖/(√d · deviation of f).

    For a wide network of one hidden layer whose pre-activations have variance v. It is 1 for
    (leaky) ReLUs and linear functions, and at least 1 for functions of mean 0 (Poincaré).

    Args:
        layer: The activation φ.
        variance: Of the pre-activations, v.
    """
    one = np.full(1, variance)
    energy = float(kernels.slopes(layer, one, one, one)[0])
    return variance * energy / float(kernels.values(layer, one, one, one)[0])


def activation_flip_probability(step: float, layer: Activation, variance: float) -> float:
    """erf(h √(ρ/2)), ρ the `activation_ratio`: what a step of h‖x‖/√d flips, d and width large."""
    return float(special.erf(step * np.sqrt(activation_ratio(layer, variance) / 2)))
