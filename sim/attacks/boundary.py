"""How far one network's input must be moved until two classes have changed places.

To first order classes k and l change places at the ℓ_p distance |f_k − f_l| / ‖∂(f_k − f_l)‖_q,
1/p + 1/q = 1, in the direction in which the difference falls most steeply. Two attacks measure how
far it really is: a search along that direction, and the smallest ball in which projected ascent
finds a place where the other class wins. Both give upper bounds of the distance.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sim.attacks.ascent import PROJECTIONS, Objective, steepest
from sim.attacks.damage import Attacks, iterated
from sim.networks.gradients import norm
from sim.networks.layers import Weights, apply
from theory.laws.norms import dual
from theory.network import Layer

FARTHEST = 16.0
"""Attacks go as far as so many first-order distances."""

GRID = np.geomspace(1 / FARTHEST, FARTHEST, 65)
"""First-order distances at which the line is looked at before its first crossing is halved in."""

LINE_HALVINGS = 14
"""Of the line: by then 1e-5 of the distance are left."""

HALVINGS = 8
"""Of the radius of projected ascent: by then 1/256 of the distance along the line is left."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Boundary:
    """The distances from one input to where classes 0 and 1 have equal logits."""

    distance: Any
    """By (norms, ways): to first order, along the line, by projected ascent. Infinite where an
    attack found nothing; NaN where the gradient of the difference is zero, and for projected ascent
    without a projection."""
    length: Any
    """‖x‖_2."""


def minimal(
    body: Layer,
    weights: Weights,
    x: Float[Array, "side side channels"],
    key: Key[Array, ""],
    attacks: Attacks,
) -> Boundary:
    """The least perturbations found that exchange classes 0 and 1 of the network at x.

    Args:
        body: the network, with two classes at least.
        weights: its weights, which must be formed.
        x: the input.
        key: of the random starting points of projected ascent.
        attacks: norms, steps and restarts; its sizes are of no importance.
    """

    def difference(delta: Array) -> Array:
        logits = apply(body, weights, x + delta)
        return logits[0] - logits[1]

    start, slope = jax.value_and_grad(difference)(jnp.zeros_like(x))
    side = jnp.where(start > 0, 1, -1)

    def gap(delta: Array) -> Array:
        """Negative where the two are in their order, positive where they have changed places."""
        return -side * difference(delta)

    lengths = jnp.stack([norm(slope, float(dual(p))) for p in attacks.norms])
    alive = lengths > 0
    first = jnp.where(alive, jnp.abs(start) / jnp.where(alive, lengths, 1), jnp.nan)
    units = jnp.stack([steepest(-side * slope, p, 1.0) for p in attacks.norms])
    line = along(gap, units, first)
    found = _ascended(gap, units, first, line, key, attacks)
    known = jnp.array([p in PROJECTIONS for p in attacks.norms])
    ways = jnp.stack([first, line, jnp.where(known, found, jnp.nan)], axis=1)
    return Boundary(ways, norm(x, 2.0))


def along(
    gap: Objective, units: Float[Array, "norms ..."], first: Float[Array, " norms"]
) -> Float[Array, " norms"]:
    """The first t with gap(t · unit) ≥ 0, by the values on `GRID` and by halving; else infinite."""
    multiples = jnp.concatenate([jnp.zeros(1), jnp.asarray(GRID)]).astype(first.dtype)

    def value(unit: Array, t: Array) -> Array:
        return gap(t * unit)

    values = jax.vmap(jax.vmap(value, (None, 0)))(units, first[:, None] * multiples[1:])
    crossed = jnp.argmax(values >= 0, axis=1)
    low, high = first * multiples[crossed], first * multiples[crossed + 1]

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        beyond = jax.vmap(value)(units, middle) >= 0
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    _, high = jax.lax.fori_loop(0, LINE_HALVINGS, halve, (low, high))
    found = jnp.where(jnp.any(values >= 0, axis=1), high, jnp.inf)
    return jnp.where(jnp.isnan(first), jnp.nan, found)


def _ascended(
    gap: Objective,
    units: Float[Array, "norms side side channels"],
    first: Float[Array, " norms"],
    line: Float[Array, " norms"],
    key: Key[Array, ""],
    attacks: Attacks,
) -> Float[Array, " norms"]:
    """The least radius, up to `HALVINGS`, within which projected ascent makes the gap positive."""
    image = (1,) * (units.ndim - 1)

    def halve(_: Any, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, high, any_found = state
        middle = (low + high) / 2
        single = (middle.reshape(-1, *image) * units)[:, None]
        best = iterated(gap, single, middle[:, None], key, attacks)[:, 0]
        beyond = jax.vmap(gap)(best) >= 0
        ends = jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)
        return *ends, any_found | beyond

    high = jnp.where(jnp.isfinite(line), line, FARTHEST * first)
    state = jnp.zeros_like(first), high, jnp.isfinite(line)
    _, high, any_found = jax.lax.fori_loop(0, HALVINGS, halve, state)
    return jnp.where(jnp.isnan(first), jnp.nan, jnp.where(any_found, high, jnp.inf))
