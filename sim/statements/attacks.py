"""Simulations of what small attacks do, and training with them."""

import jax
import jax.numpy as jnp
import numpy as np

from sim.statements.networks import NETWORKS_OF_AN_IDENTITY, compiled, relative_error, some_networks
from sim.statements.outcome import Outcome, Settings, of_identity
from theory import architectures
from theory.laws import norms


def lemma_2(settings: Settings) -> Outcome:
    """A small attack, built from the gradient, against ε_p ‖∂_x L‖_q."""
    size, worst = 1e-6, 0.0
    with jax.enable_x64(True):
        loss, drawn = some_networks(architectures.mlp(width=32, depth=2), 4, settings)
        value, slope = compiled(loss), compiled(jax.grad(loss, argnums=1))
        for weights, x in drawn:
            gradient = np.asarray(slope(weights, x))
            for p in (1, 2, "inf"):
                raised = value(weights, x + norms.attack(gradient, p, size)) - value(weights, x)
                worst = max(worst, relative_error(raised, norms.damage(gradient, p, size)))
    what = "L(x + δ) − L(x) against ε‖∂L‖_q, best attack of size 1e-6, p = 1, 2, ∞"
    return of_identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-3)


def proposition_3(settings: Settings) -> Outcome:
    """What augmentation with ℓ_2 attacks adds to the weights' gradient, against the penalty's."""
    size, worst = 1e-6, 0.0
    with jax.enable_x64(True):
        loss, drawn = some_networks(architectures.mlp(width=32, depth=2), 4, settings)
        slope, learn = compiled(jax.grad(loss, argnums=1)), compiled(jax.grad(loss))
        penalty = compiled(
            jax.grad(lambda weights, x: jnp.linalg.norm(jax.grad(loss, 1)(weights, x)))
        )
        for weights, x in drawn:
            moved = x + norms.attack(np.asarray(slope(weights, x)), 2, size)
            three = learn(weights, moved), learn(weights, x), penalty(weights, x)
            for attacked, clean, penalized in zip(*map(jax.tree.leaves, three), strict=True):
                # (L + L_attacked)/2 against L + ε/2 ‖∂L‖, the gradient of L taken off both
                worst = max(worst, relative_error((attacked - clean) / size, penalized))
    what = "∂_w of the mean of clean and attacked loss against ∂_w of L + ε/2 ‖∂_x L‖₂"
    return of_identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-3)
