"""Attacks of a given size on one input: the best one to first order, and projected ascent.

An attack δ has ‖δ‖_p ≤ size, with p in [1, ∞] and ∞ written `float("inf")`. Everything here is for
one input; many inputs, sizes and seeds come from `jax.vmap`. An attack differentiates a network at
several points, so its weights must be formed: `layers.init(..., lazy=False)`.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key
from optax import projections

from sim.networks.gradients import norm

Objective = Callable[[Float[Array, "..."]], Float[Array, ""]]
"""What an attack wants large, as a function of δ: the loss at x + δ, or how much it grew."""

Move = Callable[[Float[Array, "n ..."], Float[Array, "n ..."]], Float[Array, "n ..."]]
"""From attacks and the gradients there to the next attacks."""

PROJECTIONS: dict[float, Callable[..., Array]] = {
    1.0: projections.projection_l1_ball,
    2.0: projections.projection_l2_ball,
    float("inf"): projections.projection_linf_ball,
}
"""The p whose balls have a projection in closed form."""


def steepest(
    gradient: Float[Array, "..."], p: float, size: float | Float[Array, ""]
) -> Float[Array, "..."]:
    """The δ with ‖δ‖_p ≤ size for which gradient · δ is largest: size · ‖gradient‖_q.

    `theory.laws.norms.attack` for arrays of JAX: for p = 1 all of it on the first largest
    coordinate, for p = ∞ size · sign(gradient), zero for a zero gradient. Lemma 2 of Simon-Gabriel
    et al. (ICML 2019).
    """
    if p == 1:
        largest = jnp.argmax(jnp.abs(gradient))
        chosen = jnp.arange(gradient.size).reshape(gradient.shape) == largest
        return size * jnp.where(chosen, jnp.sign(gradient), 0)
    if p == float("inf"):
        return size * jnp.sign(gradient)
    q = p / (p - 1)
    length = norm(gradient, q)
    relative = jnp.abs(gradient) / jnp.where(length > 0, length, 1)
    return size * jnp.sign(gradient) * relative ** (q - 1)


def project(
    delta: Float[Array, "..."], p: float, size: float | Float[Array, ""]
) -> Float[Array, "..."]:
    """The nearest attack of at most that size, for p = 1, 2, ∞. Raises ValueError for other p."""
    if p not in PROJECTIONS:
        raise ValueError(f"projections are known for p = 1, 2 and inf, not for {p:g}.")
    return PROJECTIONS[p](delta, size)


def anywhere(key: Key[Array, ""], like: Float[Array, "..."], p: float) -> Float[Array, "..."]:
    """A point drawn uniformly from the unit ball of ℓ_p, of the shape of `like`."""
    if p == float("inf"):
        return jax.random.uniform(key, like.shape, like.dtype, -1, 1)
    return jax.random.ball(key, like.size, p, (), like.dtype).reshape(like.shape)


def pgd(
    objective: Objective,
    start: Float[Array, "..."],
    key: Key[Array, ""],
    p: float,
    size: float | Float[Array, ""],
    steps: int,
    restarts: int,
) -> Float[Array, "..."]:
    """The best attack of at most that size that projected gradient ascent meets, p = 1, 2, ∞.

    Ascent goes from `start`, which must be such an attack, and from as many points drawn uniformly
    from the ball as `restarts` says. Each of its `steps` goes 2.5 size / steps (Madry et al., ICLR
    2018) along the steepest direction for p and back into the ball. As points on the way count,
    the result is never worse than `start`. Raises ValueError for other p.
    """
    drawn = [size * anywhere(k, start, p) for k in jax.random.split(key, restarts)]
    move = jax.vmap(partial(ascended, p=p, size=size, steps=steps))
    found, values = climb(objective, jnp.stack([start, *drawn]), move, steps)
    return found[jnp.argmax(values)]


def ascended(
    delta: Float[Array, "..."],
    gradient: Float[Array, "..."],
    p: float,
    size: float | Float[Array, ""],
    steps: int,
    reach: float = 2.5,
) -> Float[Array, "..."]:
    """The attack after one of so many steps of `pgd`, given the gradient at the attack before.

    All steps together go `reach` times the size.
    """
    length = reach * size / max(1, steps)
    return project(delta + steepest(gradient, p, length), p, size)


def climb(
    objective: Objective, starts: Float[Array, "n ..."], move: Move, steps: int
) -> tuple[Float[Array, "n ..."], Float[Array, " n"]]:
    """The best point on each of n paths of so many steps, and the objective there."""
    ascend = jax.vmap(jax.value_and_grad(objective))
    per_point = (-1, *(1,) * (starts.ndim - 1))

    # the gradient at the last points is not needed; compiling the network once more takes longer
    def step(state: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        points, best, most = state
        values, gradients = ascend(points)
        best = jnp.where((values > most).reshape(per_point), points, best)
        return (move(points, gradients), best, jnp.maximum(values, most)), None

    first = (starts, starts, jnp.full(len(starts), -jnp.inf, starts.dtype))
    (_, best, most), _ = jax.lax.scan(step, first, length=steps + 1)
    return best, most
