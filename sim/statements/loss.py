"""Simulations of the gradient of the loss: logits, Euler's identity and the √d law."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from sim.networks import layers
from sim.networks.gradients import loss_residual
from sim.statements.networks import (
    NETWORKS_OF_AN_IDENTITY,
    compiled,
    norms_of,
    relative_error,
    some_networks,
)
from sim.statements.outcome import Outcome, Settings, of_exponent, of_identity
from theory import architectures, predict
from theory.laws import norms


def loss_gradient(settings: Settings) -> Outcome:
    """∂_x L by automatic differentiation, against the sum over logits."""
    network, worst = architectures.cnn(width=4, depth=2), 0.0
    with jax.enable_x64(True):
        loss, drawn = some_networks(network, 4, settings)
        slope = compiled(jax.grad(loss, argnums=1))
        apply = partial(layers.apply, network.body)
        logits, slopes = compiled(apply), compiled(jax.jacrev(apply, argnums=1))
        for weights, x in drawn:
            r = loss_residual(logits(weights, x), jnp.array(0))
            expected = np.tensordot(r, slopes(weights, x), axes=1)
            worst = max(worst, relative_error(slope(weights, x), expected))
    what = "∂_x L against Σ (softmax − label)_k ∂_x f_k, cnn with two convolutions"
    return of_identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-9)


def euler_identity(settings: Settings) -> Outcome:
    """x · ∂_x L against the residual-weighted sum of the logits."""
    network, worst = architectures.cnn(width=4, depth=2), 0.0
    with jax.enable_x64(True):
        loss, drawn = some_networks(network, 4, settings)
        slope = compiled(jax.grad(loss, argnums=1))
        logits = compiled(partial(layers.apply, network.body))
        for weights, x in drawn:
            f = logits(weights, x)
            expected = np.dot(loss_residual(f, jnp.array(0)), f)
            worst = max(worst, relative_error(np.sum(x * slope(weights, x)), expected))
    what = "x·∂_x L against Σ (softmax − label)_k f_k, cnn with two convolutions"
    return of_identity(what, worst, NETWORKS_OF_AN_IDENTITY, 1e-9)


def sqrt_d_law(settings: Settings) -> Outcome:
    """The exponent of the first-order damage of ℓ_2 attacks."""
    # along x the gradient knows the logits (Euler's identity), which adds terms of order 1/d; and
    # narrow layers tie the size of the logits to that of their gradients: so all is large here
    network, sides = architectures.mlp(width=1024, depth=2), (16, 64)
    ds = [3 * side**2 for side in sides]
    values = [
        norms.attack_size(0.01, 2, float(x))
        * norms_of(network, side, settings, 2.0, "loss", "constant")
        for side, x in zip(sides, ds, strict=True)
    ]
    slope = predict(network, 2, "loss").slope(ds)
    assert slope is not None
    what = "exponent of E ε₂‖∂L‖₂ at ε₂ ∝ √d, mlp of width 1024, sides 16 and 64"
    return of_exponent(what, slope + 0.5, np.stack(values, axis=1), ds)
