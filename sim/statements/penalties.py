"""Simulations of the cross-Lipschitz penalty, and of attacks in proportion to the input's norm."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from sim.networks import layers
from sim.statements.networks import compiled, of_gradients
from sim.statements.outcome import Outcome, Settings, of_exponent, of_mean
from theory import architectures, predict
from theory.laws.energy import gain
from theory.laws.norms import norm


def cross_lipschitz(settings: Settings) -> Outcome:
    """The penalty of a narrow network at its initialization."""
    classes = 5
    network = architectures.mlp((32, 32), classes=classes)

    def one(key: Key[Array, ""]) -> Array:
        of_weights, of_input = jax.random.split(key)
        shape = network.input_shape(2)
        weights = layers.init(network.body, of_weights, shape, lazy=False)
        x = jax.random.normal(of_input, shape)
        slopes = jax.jacrev(lambda x: layers.apply(network.body, weights, x))(x)
        return jnp.sum((slopes[:, None] - slopes) ** 2)

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    found = np.asarray(compiled(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys), float)
    what = "Σ ‖∂f_k − ∂f_l‖² of 5 logits, d = 12, mlp of widths 32, 32"
    return of_mean(
        what, 2 * classes * (classes - 1) * float(gain(network.body, network.input_shape(2))), found
    )


def constant_signal_to_noise(settings: Settings) -> Outcome:
    """The exponent of ρ‖x‖_p ‖∂f‖_q at an image and at the same with all pixels copied."""
    network, sides, p = architectures.mlp(width=64, depth=1), (4, 16), 1.5
    small = np.random.default_rng(settings.seed).standard_normal((4, 4, 3))
    values, ds = [], [3 * side**2 for side in sides]
    for side in sides:
        image = small.repeat(side // 4, axis=0).repeat(side // 4, axis=1)
        norms = of_gradients(
            lambda g: jnp.linalg.norm(g.ravel(), 3), network, side, settings, image
        )
        values.append(norm(image, p) * norms)
    slope = predict(network, 3).slope(ds)
    assert slope is not None
    what = "exponent of ‖x‖_p‖∂f‖_q, p = 3/2, pixels copied from side 4 to 16, mlp of width 64"
    return of_exponent(what, slope + 1 / p, np.stack(values, axis=1), ds)
