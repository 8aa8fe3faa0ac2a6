"""What a trace costs, next to the Monte Carlo that it replaces: the mean norm to 1 %.

Both are measured twice: the first time at a size, with all that JAX has to compile, and again. What
`python -m sim.scaling --model` does before either, imports and a look at the model's shapes and
memory, is left out.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sim import layers, memory, models, montecarlo
from sim.trace import trace
from sim.trace.prediction import norm
from theory import architectures
from theory.network import Network, output_shape, serial

PRECISION = 0.01
"""Relative standard error of the mean of ‖∂f_k‖_1."""

PILOT = 128
"""Networks from which the spread is taken."""

SIDES = (8, 16, 32, 64)


@dataclass(frozen=True)
class Case:
    """A model, by its name in examples/models.py or among the architectures."""

    name: str
    described: bool = False

    def network(self) -> Network:
        """The network as a model of which nothing is known."""
        if not self.described:
            return models.network(f"examples.models:{self.name}", 3)
        return Network(self.name, serial(models.Own(self.name, partial(_pair, self.name))), 3)


CASES = (
    *map(Case, ("plain_mlp", "linen_cnn", "nnx_resnet", "equinox_mlp", "equinox_vit")),
    Case("mlp", described=True),
    Case("resnet", described=True),
)


def _pair(name: str, shape: tuple[int, ...]) -> models.Pair:
    network = architectures.find(name).build()

    def init(key: Any) -> Any:
        return layers.init(network.body, key, shape)

    return init, lambda weights, x: layers.apply(network.body, weights, x)


def compare(case: Case, side: int) -> dict[str, Any]:
    """Seconds of a trace and of the Monte Carlo at one side, and both estimates of E‖∂f_k‖_1."""
    network = case.network()
    own, shape = network.body.layers[0], network.input_shape(side)
    assert isinstance(own, models.Own)
    init, apply = models.pair(own, shape)
    output_shape(network.body, shape)
    memory.bytes_per_seed(network.body, shape, 1)
    once, found = _timed(lambda: trace(init, apply, shape))
    again, _ = _timed(lambda: trace(init, apply, shape))
    draws = montecarlo.Draws(quantities=("logit",), norms=(1.0,), lazy=False)
    compiled, draw = _timed(lambda: _compiled(network, side, draws))
    sampled, norms = _timed(lambda: draw(range(PILOT), lambda done: None)[0, :, 0, 0])
    spread = float(norms.std(ddof=1) / norms.mean())
    seeds = (spread / PRECISION) ** 2
    monte_carlo = seeds * sampled / PILOT
    return {
        "model": case.name,
        "side": side,
        "trace": {"first": once, "again": again},
        "monte carlo": {"first": compiled + monte_carlo, "again": monte_carlo},
        "ratio": {"first": once / (compiled + monte_carlo), "again": again / monte_carlo},
        "seeds": seeds,
        "predicted over measured": norm(found, 1.0, "logit") / float(norms.mean()),
        "standard error": spread / PILOT**0.5,
    }


def _compiled(network: Network, side: int, draws: montecarlo.Draws) -> Callable[..., np.ndarray]:
    draw = montecarlo.sampler(network, (side,), draws, PILOT, batch=1)
    draw(range(PILOT // 8), lambda done: None)
    return draw


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()  # what earlier models left is not this one's to clear away
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
