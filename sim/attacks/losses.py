"""Losses of one network at one input that training can use: clean, attacked, penalized.

Attacks are one step of steepest ascent. By the envelope theorem neither an attack nor the steepest
direction need be differentiated: where δ* is best, the derivative of the attacked loss in the
weights is that at a fixed δ*, and ‖g‖_q = u·g with u, ‖u‖_p = 1, the maximizer of Lemma 2.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sim.attacks.ascent import steepest
from sim.networks.layers import Weights, apply
from theory.network import Layer

Image = Float[Array, "side side channels"]


def cross_entropy(
    body: Layer, weights: Weights, x: Image, label: Int[Array, ""]
) -> Float[Array, ""]:
    """−log softmax(f(x))_label."""
    return -jax.nn.log_softmax(apply(body, weights, x))[label]


def augmented(
    body: Layer, weights: Weights, x: Image, label: Int[Array, ""], p: float, size: Array | float
) -> Float[Array, ""]:
    """½ (L(x) + L(x + δ*)), δ* the attack of one step with ‖δ*‖_p = size."""
    gradient = jax.grad(cross_entropy, argnums=2)(body, weights, x, label)
    delta = jax.lax.stop_gradient(steepest(gradient, p, size))
    clean = cross_entropy(body, weights, x, label)
    return (clean + cross_entropy(body, weights, x + delta, label)) / 2


def penalized(
    body: Layer, weights: Weights, x: Image, label: Int[Array, ""], p: float, size: Array | float
) -> Float[Array, ""]:
    """L(x) + ½ size ‖∂_x L‖_q, 1/p + 1/q = 1 (double backpropagation).

    Equal to `augmented` up to O(size²): Proposition 3 of Simon-Gabriel et al. (ICML 2019).
    """
    clean, gradient = jax.value_and_grad(cross_entropy, argnums=2)(body, weights, x, label)
    unit = jax.lax.stop_gradient(steepest(gradient, p, 1.0))
    return clean + size / 2 * jnp.vdot(unit, gradient)
