"""Simulations of one gradient step: signs that it flips, hidden layers that it moves, depth."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from sim.networks import layers
from sim.statements.networks import compiled
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import activations, architectures
from theory.laws import step
from theory.network import Network, Serial, SmoothActivation, Tanh

VARIANCE = 2.0
"""Of pre-activations that tanh flattens somewhat. A step moves them by about √(v/width) and √(v/d),
which must be small beside 1, the scale on which tanh bends."""
AT_ONCE = 200
"""Networks whose units are kept in memory together."""


def flips(
    network: Network, side: int, size: float, settings: Settings, steps: int = 1
) -> Bool[np.ndarray, " seeds"]:
    """Whether descent of |f| changes the sign of f, for each seed at its own Gaussian input.

    Args:
        network: Of one logit, whose weights are drawn anew for every seed.
        side: The side of the images.
        size: Length of the path in units of ‖x‖_2/√d.
        settings: How many seeds there are, and their key.
        steps: Into how many equal steps the path is divided.
    """
    shape = network.input_shape(side)

    def one(key: Key[Array, ""]) -> Array:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, shape)
        x = jax.random.normal(input_key, shape)
        length = size / steps * jnp.linalg.norm(x) / np.sqrt(x.size)

        def f(x: Array) -> Array:
            return layers.apply(network.body, weights, x)[0]

        first = f(x)

        def move(x: Array, _: None) -> tuple[Array, Array]:
            slope = jax.grad(f)(x)
            x = x - jnp.sign(first) * length * slope / jnp.linalg.norm(slope)
            return x, f(x) * first < 0

        return jnp.any(jax.lax.scan(move, x, length=steps)[1])

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    return np.asarray(compiled(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys))


def gradient_step(settings: Settings) -> Outcome:
    """The share of signs that one step of length ‖x‖/√d flips, at a d where kinks still matter."""
    network = architectures.mlp(512, 1, classes=1)
    what = "P(a step of ‖x‖/√d flips the sign), d = 48, one hidden layer of 512 units"
    return of_mean(what, step.flip_probability(1.0, 48), flips(network, 4, 1.0, settings))


def flips_of_one_layer(
    layer: SmoothActivation, variance: float, size: float, d: int, width: int, settings: Settings
) -> Bool[np.ndarray, " seeds"]:
    """Whether one step flips the sign of a network of one hidden layer; exact in law.

    The first layer W is drawn where it is used: W x first, then Wᵀu across x and W Wᵀu, given both.

    Args:
        layer: The activation.
        variance: Of the pre-activations, at an input of length √d.
        size: Length of the step in units of ‖x‖_2/√d.
        d: The input dimension.
        width: Units of the hidden layer.
        settings: How many seeds there are, and their key.
    """
    rng, found = np.random.default_rng(settings.seed), []
    value, slope = activations.numeric_function(layer), activations.numeric_slope(layer)
    for part in np.array_split(np.arange(settings.seeds), -(-settings.seeds // AT_ONCE)):
        shape = (len(part), width)
        z, head = np.sqrt(variance) * rng.standard_normal(shape), rng.standard_normal(shape)
        u = head * slope(z)
        squares, along = np.sum(u**2, axis=1), np.sum(z * u, axis=1)
        across = variance / d * squares * rng.chisquare(d - 1, len(part))
        noise = rng.standard_normal(shape)
        noise -= u * (np.sum(noise * u, axis=1) / squares)[:, None]
        moved = z * (along / d)[:, None] + u * (across / squares)[:, None]
        moved += np.sqrt(variance / d * across)[:, None] * noise
        f = np.sum(head * value(z), axis=1)
        lengths = np.sign(f) * size / np.sqrt(along**2 / d + across)
        after = np.sum(head * value(z - lengths[:, None] * moved), axis=1)
        found.append(f * after < 0)
    return np.concatenate(found)


def general_activations(settings: Settings) -> Outcome:
    """The same of tanh, whose gradients are larger than those of ReLUs with such outputs."""
    share = step.activation_flip_probability(1.0, Tanh(), VARIANCE)
    what = f"P(a step of ‖x‖/√d flips the sign), d = 3072, 4096 tanh of variance {VARIANCE:g}"
    return of_mean(what, share, flips_of_one_layer(Tanh(), VARIANCE, 1.0, 3072, 4096, settings))


def decreasing_widths(settings: Settings) -> Outcome:
    """The angle between the step in the hidden layer and the hidden layer's own gradient."""
    d, widths = 48, (16, 8)
    network = architectures.mlp(widths, classes=1)
    first, behind = network.body.layers[1], Serial(network.body.layers[2:])

    def one(key: Key[Array, ""]) -> Array:
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(network.body, weights_key, network.input_shape(4))
        x = jax.random.normal(input_key, (d,))
        hidden = layers.apply(first, weights[1], x)
        v = jax.grad(lambda z: layers.apply(behind, weights[2:], z)[0])(hidden)
        slope = weights[1] @ v
        moved = (slope - x * (slope @ x) / (x @ x)) @ weights[1]
        return (moved @ v) ** 2 / (moved @ moved) / (v @ v)

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    found = np.asarray(compiled(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys), float)
    what = "cos² between the first layer's move and its gradient, d = 48, widths 16, 8"
    return of_mean(what, (d - 1) / (d + widths[0] - 2), found[~np.isnan(found)])


def outputs_at_two_inputs(
    angle: float, depth: int, width: int, settings: Settings
) -> Float[np.ndarray, "seeds 2"]:
    """f at two inputs of equal length of a bias-free ReLU network with Gaussian weights.

    Given what a layer passes on, the pre-activations of the next are Gaussian pairs, one for each
    unit: exact in law without the weights.

    Args:
        angle: Between the inputs.
        depth: Hidden layers.
        width: Units of each.
        settings: How many networks, and their key.
    """
    rng, found = np.random.default_rng(settings.seed), []
    for part in np.array_split(np.arange(settings.seeds), -(-settings.seeds // AT_ONCE)):
        products = np.broadcast_to([[1, np.cos(angle)], [np.cos(angle), 1]], (len(part), 2, 2))
        for _ in range(depth):
            z = _pairs(products, rng.standard_normal((len(part), 2, width)))
            passed = np.maximum(z, 0)
            products = 2 / width * passed @ np.swapaxes(passed, 1, 2)
        found.append(_pairs(products, rng.standard_normal((len(part), 2, 1)))[..., 0])
    return np.concatenate(found)


def _pairs(
    products: Float[np.ndarray, "n 2 2"], noise: Float[np.ndarray, "n 2 units"]
) -> Float[np.ndarray, "n 2 units"]:
    """Gaussian pairs of these covariances."""
    own = np.sqrt(products[:, 0, 0])[:, None]
    along = products[:, 0, 1][:, None] / own
    across = np.sqrt(np.maximum(products[:, 1, 1][:, None] - along**2, 0))
    return np.stack([own * noise[:, 0], along * noise[:, 0] + across * noise[:, 1]], axis=1)


def deep_networks(settings: Settings) -> Outcome:
    """How often eight layers give orthogonal inputs different signs."""
    depth = 8
    f = outputs_at_two_inputs(np.pi / 2, depth, 1024, settings)
    what = f"P(different signs at orthogonal inputs), {depth} hidden layers of 1024 units"
    return of_mean(what, step.signs_differ(np.pi / 2, depth), f[:, 0] * f[:, 1] < 0)
