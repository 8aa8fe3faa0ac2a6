"""What attacks do to one network at one input: increase of the loss, and of the 0–1 loss.

Sizes are ε_p = ε_∞ d^{1/p}, a change by ε_∞ per coordinate of the input. To first order the loss
grows by ε_p ‖∂_x L‖_q, 1/p + 1/q = 1; to second order by ½ ε² uᵀHu more along the unit attack u.
Where units are piecewise linear, H comes from the softmax alone and uᵀHu is the variance of ∂_u f_k
over classes k drawn from it, so it is never negative; units that switch on or off on the way add
terms that this expansion does not see.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from sim.attacks import PROJECTIONS, Objective, pgd, steepest
from sim.gradients import norm
from sim.layers import Weights, apply
from theory.network import Layer


@dataclass(frozen=True)
class Attacks:
    """Which attacks to make: every norm with every size."""

    norms: tuple[float, ...]
    """Orders p of the norms that bound an attack, in [1, ∞]."""
    eps: tuple[float, ...]
    """Sizes ε_∞ per coordinate."""
    steps: int = 10
    """Of projected gradient ascent."""
    restarts: int = 1
    """Random starting points of projected gradient ascent, besides the attack of one step."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Damage:
    """Results for one input, or means over several; the attacks are (single step, PGD)."""

    norm: Float[Array, "*n norms"]
    """‖∂_x L‖_q of the dual orders q."""
    curvature: Float[Array, "*n norms"]
    """uᵀHu along the steepest u with ‖u‖_p = 1."""
    damage: Float[Array, "*n attacks norms eps"]
    """L(x + δ) − L(x); NaN for PGD where no projection is known."""
    fooled: Float[Array, "*n attacks norms eps"]
    """Increase of the 0–1 loss: 1 if x is classified as its label and x + δ is not, else 0."""


def loss_increase(
    body: Layer,
    weights: Weights,
    x: Float[Array, "side side channels"],
    label: Int[Array, ""],
) -> Objective:
    """δ ↦ L(x + δ) − L(x), L the cross-entropy, without the cancellation of two losses.

    With s = softmax(f(x)) and m = f(x + δ) − f(x) it is log Σ_k s_k exp(m_k) − m_label. What is
    left is the rounding of m, some units in the last place of the logits.
    """
    logits = apply(body, weights, x)
    shares, log_shares = jax.nn.softmax(logits), jax.nn.log_softmax(logits)

    def increase(delta: Float[Array, "side side channels"]) -> Float[Array, ""]:
        moved = apply(body, weights, x + delta) - logits
        little = jnp.log1p(jnp.sum(shares * jnp.expm1(jnp.clip(moved, -1, 1))))
        much = jax.nn.logsumexp(log_shares + moved)
        return jnp.where(jnp.all(jnp.abs(moved) < 1), little, much) - moved[label]

    return increase


def attacked(
    body: Layer,
    weights: Weights,
    x: Float[Array, "side side channels"],
    label: Int[Array, ""],
    key: Key[Array, ""],
    attacks: Attacks,
) -> Damage:
    """What every attack does to the loss at x. The weights must be formed."""
    increase = loss_increase(body, weights, x, label)
    gradient_at = jax.grad(increase)
    gradient = gradient_at(jnp.zeros_like(x))
    right = jnp.argmax(apply(body, weights, x)) == label

    def harm(delta: Array) -> tuple[Array, Array]:
        wrong = jnp.argmax(apply(body, weights, x + delta)) != label
        return increase(delta), (right & wrong).astype(x.dtype)

    norms, curvatures, harms = [], [], []
    for p in attacks.norms:
        unit = steepest(gradient, p, 1.0)
        sizes = jnp.asarray(attacks.eps, x.dtype) * x.size ** (1 / p)
        single = sizes.reshape(-1, *(1,) * x.ndim) * unit
        harms.append([jax.vmap(harm)(single)])
        if p in PROJECTIONS:

            def best(start: Array, size: Array, p: float = p) -> tuple[Array, Array]:
                found = pgd(increase, start, key, p, size, attacks.steps, attacks.restarts)
                return harm(found)

            harms[-1].append(jax.vmap(best)(single, sizes))
        else:
            harms[-1].append(jax.tree.map(lambda done: jnp.full_like(done, jnp.nan), harms[-1][0]))
        norms.append(norm(gradient, dual(p)))
        curvatures.append(second_derivative(increase, unit))
    damage, fooled = (
        jnp.stack([jnp.stack([harm[which][i] for harm in harms]) for which in range(2)])
        for i in range(2)
    )
    return Damage(jnp.stack(norms), jnp.stack(curvatures), damage, fooled)


def dual(p: float) -> float:
    """The q with 1/p + 1/q = 1."""
    return float("inf") if p == 1 else 1.0 if p == float("inf") else p / (p - 1)


def second_derivative(objective: Objective, unit: Float[Array, "..."]) -> Float[Array, ""]:
    """uᵀHu at δ = 0. By reverse mode twice, as convolutions here have no forward mode."""

    def slope(delta: Array) -> Array:
        return jnp.vdot(jax.grad(objective)(delta), unit)

    return jnp.vdot(jax.grad(slope)(jnp.zeros_like(unit)), unit)
