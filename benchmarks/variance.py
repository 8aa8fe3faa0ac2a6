"""What lowers the variance of an exponent, and what it costs: networks per interval.

The exponent is that of E‖∂_x L‖_1 (or of a logit's gradient) in d. Its variance over seeds, times
the seconds of a seed, is the time that a given interval takes.
"""

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sim.networks import conditional, gradients, layers, random_bits
from sim.statistics.intervals import slope_weights
from theory import architectures
from theory.network import Dense, Network


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


def sample(network: Network, side: int, lever: Lever, key: Key[Array, ""]) -> Float[Array, ""]:
    """One seed's norm at one side, averaged over its inputs and cotangents."""
    weights_key, input_key, label_key = jax.random.split(key, 3)
    shape = network.input_shape(side)
    weights = layers.init(network.body, weights_key, shape, lazy=not _has_images(network))
    xs = random_bits.draw(jax.random.normal, input_key, (lever.inputs, *shape))
    label = jax.random.randint(label_key, (), 0, 10)

    def at(x: Array) -> Array:
        chosen = label, (lever.quantity,), (1.0,), lever.cotangents
        if not lever.integrated:
            return gradients.gradient_norms(network.body, weights, x, *chosen)[0]
        body, behind, y, norm_of = conditional.after_first(network.body, weights, x)
        return gradients.gradient_norms(body, behind, y, *chosen, norm_of)[0]

    return jax.vmap(at)(jnp.concatenate([xs, -xs]) if lever.reflected else xs).mean()


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
