"""Norms of the input gradients of one network at one input."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sim.layers import Weights, apply
from theory.network import Layer

BLOCK = 4096


def norm(g: Float[Array, "..."], q: float) -> Float[Array, ""]:
    """The ℓ_q norm of all coordinates of g, q in [1, ∞].

    Scaled by the largest coordinate, so that no power over- or underflows, and summed in blocks,
    so that float32 is good for 10⁷ coordinates. 0 for g = 0; not finite if g is not.
    """
    a = jnp.abs(g).ravel()
    largest = jnp.max(a)
    if q == float("inf"):
        return largest
    unit = jnp.where(largest > 0, largest, 1)
    powers = (a / unit) ** q
    blocks = jnp.pad(powers, (0, -powers.size % BLOCK)).reshape(-1, BLOCK)
    return unit * jnp.sum(jnp.sum(blocks, axis=1)) ** (1 / q)


def loss_residual(
    logits: Float[Array, " classes"], label: Int[Array, ""]
) -> Float[Array, " classes"]:
    """The derivative of the cross-entropy with respect to the logits: softmax − onehot(label)."""
    return jax.nn.softmax(logits) - jax.nn.one_hot(label, logits.shape[0])


def gradient_norms(
    body: Layer,
    weights: Weights,
    x: Float[Array, "side side channels"],
    label: Int[Array, ""],
    quantities: Sequence[str],
    qs: Sequence[float],
) -> Float[Array, "quantities qs"]:
    """‖∂_x L‖_q (quantity "loss", cross-entropy with `label`) and ‖∂_x f_0‖_q ("logit").

    By exchangeability of the logits, f_0 stands for all of them.
    """
    logits, pull_back = jax.vjp(lambda image: apply(body, weights, image), x)
    cotangents = {
        "loss": loss_residual(logits, label),
        "logit": jax.nn.one_hot(0, logits.shape[0], dtype=logits.dtype),
    }
    # all cotangents in one backward pass, as matrices that are never formed need it
    (gradients,) = jax.vmap(pull_back)(jnp.stack([cotangents[name] for name in quantities]))
    return jnp.stack([jnp.stack([norm(g, q) for q in qs]) for g in gradients])
