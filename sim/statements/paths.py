"""Simulations of networks as sums over paths: dense ones, graphs, and strided kernels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from sim.statements.networks import HE, LAST, compiled, norms_of, of_gradients
from sim.statements.outcome import Outcome, Settings, of_exponent, of_mean
from theory import architectures, predict
from theory.geometry import connections
from theory.laws.energy import logit_energy_map
from theory.network import Conv, Dense, Flatten, Network, ReLU, serial
from theory.statements import graphs, paths


def theorem_4(settings: Settings) -> Outcome:
    """The exponent of a dense network."""
    network, sides = architectures.mlp(width=64, depth=2), (4, 16)
    values = np.stack([norms_of(network, side, settings, 1.0) for side in sides], axis=1)
    what = "exponent of E‖∂f‖₁, mlp of width 64, sides 4 and 16"
    return of_exponent(what, predict(network, 1).exponent, values, [3 * s**2 for s in sides])


def theorem_5(settings: Settings) -> Outcome:
    """A graph with skip connections: the share of one input, against the random walk."""
    graph = paths.GRAPHS["two nested skips"]
    output = max(graph)

    def value(weights: dict[Any, Array], x: Array) -> Array:
        found: dict[Any, Array] = dict(zip(graphs.inputs(graph), x, strict=True))
        for node, read in graph.items():
            if read:
                total = weights[node] @ jnp.stack([found[other] for other in read])
                found[node] = total if node == output else jax.nn.relu(total)
        return found[output]

    def one(key: Key[Array, ""]) -> Array:
        weights = {}
        for node, read in graph.items():
            variance = (1 if node == output else 2) / max(len(read), 1)
            drawn = jax.random.normal(jax.random.fold_in(key, node), (len(read),))
            weights[node] = jnp.sqrt(variance) * drawn
        x = jax.random.normal(key, (len(graphs.inputs(graph)),))
        return jax.grad(value, argnums=1)(weights, x)[0] ** 2

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    squares = np.asarray(compiled(jax.vmap(one))(keys))
    what = "E(∂f/∂x_1)² of a graph with two nested skips, against the walk's probability"
    return of_mean(what, graphs.absorption(graph, output)[graphs.inputs(graph)[0]], squares)


def condition_s(settings: Settings) -> Outcome:
    """Energy on the pixels that a strided kernel reads four times."""
    first = Conv(4, HE, stride=2)
    network = Network("strided", serial(first, ReLU(), Flatten(), Dense(1, LAST)), channels=1)
    reads = connections(first, 4).sum(axis=0)
    chosen = np.outer(reads, reads) == 4
    energies = of_gradients(lambda g: jnp.sum(g[..., 0] ** 2 * chosen), network, 4, settings)
    expected = (logit_energy_map(network.body, (4, 4, 1)) * chosen).sum()
    return of_mean("energy of pixels read four times, 3×3 kernel, stride 2", expected, energies)
