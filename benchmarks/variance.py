"""What lowers the variance of an exponent, and what it costs: networks per interval.

The exponent is that of E‖∂_x L‖_1 (or of a logit's gradient) in d. Its variance over seeds, times
the seconds of a seed, is the time that a given interval takes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sim import gradients, layers, threefry
from sim.intervals import slope_weights
from theory import architectures
from theory.network import Dense, Network, Serial, weight_variance


@dataclass(frozen=True)
class Lever:
    """How one seed is used."""

    inputs: int = 1
    """Independent inputs."""
    reflected: bool = False
    """Each input x also as −x."""
    cotangents: int = 1
    """Labels of the loss, or logits."""
    quantity: str = "loss"
    integrated: bool = False
    """The expectation over the first matrix, given its product with the input, for a sample."""


LEVERS = {
    "one input, one label": Lever(),
    "independent sizes": Lever(),
    "all 10 labels": Lever(cotangents=10),
    "2 inputs": Lever(inputs=2),
    "4 inputs": Lever(inputs=4),
    "x and −x": Lever(reflected=True),
    "first matrix integrated out": Lever(integrated=True),
    "one logit": Lever(quantity="logit"),
    "all 10 logits": Lever(quantity="logit", cotangents=10),
}

CASES = {
    "mlp": (architectures.mlp(width=256), (8, 16, 32, 64), 1024),
    "cnn": (architectures.cnn(width=32), (16, 32, 64), 128),
}
"""Networks, sides and seeds."""


def expected_norm(
    x: Float[Array, " d"], y: Float[Array, " n"], v: Float[Array, " n"], variance: float
) -> Float[Array, ""]:
    """E‖W v‖_1 for Gaussian W (d × n) of that variance, given x W = y.

    The coordinates of W v are Gaussian, with mean x_i (y·v) / ‖x‖² and variance
    variance ‖v‖² (1 − x_i²/‖x‖²), so each has a folded normal law.
    """
    square = x @ x
    mean = x * (y @ v) / square
    std = jnp.sqrt(variance * (v @ v) * jnp.maximum(1 - x**2 / square, 0))
    ratio = mean / jnp.where(std > 0, std, 1)
    folded = std * np.sqrt(2 / np.pi) * jnp.exp(-(ratio**2) / 2)
    return jnp.sum(folded + mean * jax.lax.erf(ratio / np.sqrt(2)))


def sample(network: Network, side: int, lever: Lever, key: Key[Array, ""]) -> Float[Array, ""]:
    """One seed's norm at one side, averaged over its inputs and cotangents."""
    weights_key, input_key, label_key = jax.random.split(key, 3)
    shape = network.input_shape(side)
    is_dense = lever.integrated or not _has_images(network)
    weights = layers.init(network.body, weights_key, shape, is_dense)
    xs = threefry.draw(jax.random.normal, input_key, (lever.inputs, *shape))
    xs = jnp.concatenate([xs, -xs]) if lever.reflected else xs
    label = jax.random.randint(label_key, (), 0, 10)

    def cotangents(logits: Array) -> Array:
        residuals = jnp.eye(10) if lever.quantity == "logit" else jax.nn.softmax(logits)
        residuals = residuals - jnp.eye(10) if lever.quantity == "loss" else residuals
        return jnp.roll(residuals, -label, 0)[: lever.cotangents]

    def at(x: Array) -> Array:
        if lever.integrated:
            return _integrated(network.body, weights, x, cotangents)
        logits, pull_back = jax.vjp(lambda x: layers.apply(network.body, weights, x), x)
        (found,) = jax.vmap(pull_back)(cotangents(logits))
        return jax.vmap(lambda g: gradients.norm(g, 1.0))(found).mean()

    return jax.vmap(at)(xs).mean()


def _integrated(
    body: Any, weights: layers.Weights, x: Array, cotangents: Callable[[Array], Array]
) -> Array:
    flat, first = x.ravel(), body.layers[1]
    assert isinstance(first, Dense)
    y = flat @ weights[1]
    rest = Serial(body.layers[2:])
    logits, pull_back = jax.vjp(lambda y: layers.apply(rest, weights[2:], y), y)
    (vs,) = jax.vmap(pull_back)(cotangents(logits))
    variance = float(weight_variance(first, flat.shape))
    return jax.vmap(lambda v: expected_norm(flat, y, v, variance))(vs).mean()


def _has_images(network: Network) -> bool:
    return not isinstance(network.body.layers[1], Dense)


def compare(network: Network, sides: tuple[int, ...], seeds: int) -> list[dict[str, Any]]:
    """Variance of the exponent and seconds of a seed for each lever, relative to the first one."""
    ds = np.array([math.prod(network.input_shape(side)) for side in sides], float)
    keys = jax.random.split(jax.random.key(0), seeds)
    together = 1 if _has_images(network) else 32
    rows: list[dict[str, Any]] = []
    for name, lever in LEVERS.items():
        if lever.integrated and _has_images(network):
            continue
        norms, seconds = [], 0.0
        for side in sides:
            one = partial(sample, network, side, lever)
            mapped = jax.jit(partial(jax.lax.map, one, batch_size=together))
            mapped(keys)
            start = time.perf_counter()
            norms.append(np.asarray(mapped(keys), float))
            seconds += (time.perf_counter() - start) / seeds
        if name == "independent sizes":
            norms = [np.roll(of_size, i) for i, of_size in enumerate(norms)]
        relative = np.stack([of_size / of_size.mean() for of_size in norms], axis=1)
        variance = float(np.var(relative @ slope_weights(ds), ddof=1))
        base = next((row for row in rows if LEVERS[row["lever"]].quantity == lever.quantity), None)
        row = {"lever": name, "deviation": variance**0.5, "seconds": seconds}
        row["variance"] = variance / (base or row)["deviation"] ** 2
        row["time"] = seconds / (base or row)["seconds"]
        rows.append(row | {"gain": 1 / (row["variance"] * row["time"])})
    return rows
