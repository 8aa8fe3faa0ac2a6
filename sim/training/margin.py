"""The margin of a label, which the loss and its gradient are made of.

m = f_y − log Σ_{k≠y} e^{f_k}. The cross-entropy is L = log(1 + e^{−m}), so that ∂_x L is
−(1 − p_y) ∂_x m, p the softmax: how wrong the network is, times how steep it is.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sim.networks.layers import Weights, apply
from theory.network import Layer


def margin(
    body: Layer, weights: Weights, x: Float[Array, "side side channels"], label: Int[Array, ""]
) -> Float[Array, ""]:
    """The margin m of the label: positive where it is more likely than all others together."""
    logits = apply(body, weights, x)
    others = jnp.where(jnp.arange(logits.size) == label, -jnp.inf, logits)
    return logits[label] - jax.nn.logsumexp(others)


def loss(margin: Float[Array, "..."]) -> Float[Array, "..."]:
    """The cross-entropy of a margin."""
    return jax.nn.softplus(-margin)


def residual(margin: Float[Array, "..."]) -> Float[Array, "..."]:
    """1 − p_y, the share of the other classes."""
    return jax.nn.sigmoid(-margin)


def linear_damage(
    margin: Float[Array, ""], norm: Float[Array, "norms"], sizes: Float[Array, "norms eps"]
) -> Float[Array, "norms eps"]:
    """What an attack does to the loss if the margin, not the loss, is linear in the input.

    Args:
        margin: At the clean input.
        norm: ‖∂_x m‖_q of the dual orders q.
        sizes: ‖δ‖_p of the attacks.
    """
    return loss(margin - sizes * norm[:, None]) - loss(margin)
