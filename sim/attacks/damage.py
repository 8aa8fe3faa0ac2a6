"""What attacks do to one network at one input: increase of the loss, and of the 0–1 loss.

Sizes are ε_p = ε_∞ d^{1/p}, a change by ε_∞ per coordinate of the input. To first order the loss
grows by ε_p ‖∂_x L‖_q, 1/p + 1/q = 1; to second order by ½ ε² uᵀHu more along the unit attack u.
Where units are piecewise linear, H comes from the softmax alone and uᵀHu is the variance of ∂_u f_k
over classes k drawn from it, so it is never negative; units that switch on or off on the way add
terms that this expansion does not see.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from sim.attacks.ascent import PROJECTIONS, Objective, anywhere, ascended, climb, steepest
from sim.networks.gradients import norm
from sim.networks.layers import Weights, apply
from theory.laws.norms import dual
from theory.network import Layer

ATTACKS = ("step", "pgd")
"""The attacks by their names: the steepest single step, and projected gradient ascent from it."""


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
    """Results for one input, or means over several; the attacks are (single step, PGD).

    A pytree: leaves are arrays of JAX or NumPy, with more axes in front where it was mapped.
    """

    norm: Any
    """‖∂_x L‖_q of the dual orders q, by (norms)."""
    curvature: Any
    """uᵀHu along the steepest u with ‖u‖_p = 1, by (norms)."""
    damage: Any
    """L(x + δ) − L(x) by (attacks, norms, eps); NaN for PGD where no projection is known."""
    fooled: Any
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


def sizes(attacks: Attacks, x: Float[Array, "side side channels"]) -> Float[Array, "norms eps"]:
    """‖δ‖_p = ε_∞ d^{1/p} of every attack on an input."""
    eps = jnp.asarray(attacks.eps, x.dtype)
    return jnp.stack([eps * x.size ** (1 / p) for p in attacks.norms])


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
    gradient = jax.grad(increase)(jnp.zeros_like(x))
    units = jnp.stack([steepest(gradient, p, 1.0) for p in attacks.norms])
    lengths = sizes(attacks, x)
    single = lengths.reshape(*lengths.shape, *(1,) * x.ndim) * units[:, None]
    ascended_to = iterated(increase, single, lengths, key, attacks)
    right = jnp.argmax(apply(body, weights, x)) == label

    def harm(delta: Array) -> tuple[Array, Array]:
        wrong = jnp.argmax(apply(body, weights, x + delta)) != label
        return increase(delta), (right & wrong).astype(x.dtype)

    deltas = jnp.stack([single, ascended_to])
    harms = jax.vmap(harm)(deltas.reshape(-1, *x.shape))
    known = jnp.array([[True] * len(attacks.norms), [p in PROJECTIONS for p in attacks.norms]])
    damage, fooled = (
        jnp.where(known[..., None], values.reshape(deltas.shape[:3]), jnp.nan) for values in harms
    )
    norms = jnp.stack([norm(gradient, float(dual(p))) for p in attacks.norms])
    curvatures = jax.vmap(partial(second_derivative, increase))(units)
    return Damage(norms, curvatures, damage, fooled)


def iterated(
    increase: Objective,
    single: Float[Array, "norms eps side side channels"],
    sizes: Float[Array, "norms eps"],
    key: Key[Array, ""],
    attacks: Attacks,
) -> Float[Array, "norms eps side side channels"]:
    """The attacks of `sim.attacks.pgd`; those of other norms than 1, 2, ∞ are `single`.

    All climb at once, so that the network is compiled once, and restart at the same points. With
    neither steps nor restarts they are `single`.

    Args:
        increase: what the attacks want large, as a function of δ.
        single: the attacks of one step, where ascent starts.
        sizes: their sizes ε_p.
        key: of the random starting points.
        attacks: norms, steps and restarts.
    """
    known = [i for i, p in enumerate(attacks.norms) if p in PROJECTIONS]
    image, starts, radii = single.shape[2:], [], []
    for i in known:
        drawn = [anywhere(k, single[0, 0], attacks.norms[i]) for k in _split(key, attacks)]
        scaled = [sizes[i].reshape(-1, *(1,) * len(image)) * point for point in drawn]
        starts.append(jnp.stack([single[i], *scaled], axis=1).reshape(-1, *image))
        radii.append(jnp.repeat(sizes[i], 1 + attacks.restarts))

    def move(points: Array, gradients: Array) -> Array:
        moved = []
        for i, size, *both in zip(known, radii, *map(split, (points, gradients)), strict=True):
            step = partial(ascended, p=attacks.norms[i], steps=attacks.steps)
            moved.append(jax.vmap(step)(*both, size=size))
        return jnp.concatenate(moved)

    def split(points: Array) -> Array:
        return points.reshape(len(known), -1, *image)

    if not known or attacks.steps + attacks.restarts == 0:
        return single
    found, values = climb(increase, jnp.concatenate(starts), move, attacks.steps)
    most = values.reshape(len(known), sizes.shape[1], -1).argmax(axis=-1)[:, :, None]
    found = found.reshape(*most.shape[:2], -1, *image)
    chosen = jnp.take_along_axis(found, most.reshape(*most.shape, *(1,) * len(image)), axis=2)
    return single.at[jnp.array(known)].set(chosen[:, :, 0])


def _split(key: Key[Array, ""], attacks: Attacks) -> Key[Array, " restarts"]:
    return jax.random.split(key, attacks.restarts)


def second_derivative(objective: Objective, unit: Float[Array, "..."]) -> Float[Array, ""]:
    """uᵀHu at δ = 0. By reverse mode twice, as convolutions here have no forward mode."""

    def slope(delta: Array) -> Array:
        return jnp.vdot(jax.grad(objective)(delta), unit)

    return jnp.vdot(jax.grad(slope)(jnp.zeros_like(unit)), unit)
