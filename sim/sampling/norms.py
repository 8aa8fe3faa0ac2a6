"""Samples of the norms of input gradients: the engine's most frequent use."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from sim.networks import conditional, gradients, layers
from sim.sampling import engine
from sim.sampling.compiling import Place
from sim.sampling.draws import Draws
from theory.network import Network

Samples = Float[np.ndarray, "sides seeds quantities norms"]

MEASURED = "norms"
"""The name of `measure`, beside the draws."""


def measure(network: Network, draws: Draws) -> engine.Measure:
    """Norms of the input gradients of one seed, means over its inputs."""

    def function(weights: layers.Weights, xs: Array, labels: Array, key: Key[Array, ""]) -> Any:
        def at(x: Array, label: Array) -> gradients.Norms:
            chosen = label, draws.quantities, draws.norms, draws.labels_per_seed
            if not draws.integrate_first:
                return gradients.gradient_norms(network.body, weights, x, *chosen)
            body, behind, y, norm_of = conditional.after_first(network.body, weights, x)
            return gradients.gradient_norms(body, behind, y, *chosen, norm_of)

        return gradients.mean(jax.vmap(at, axis_name=layers.INPUTS)(xs, labels))

    return function


def sampler(
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    seeds: int,
    batch: int | None = None,
    devices: Sequence[Place] | None = None,
) -> Callable[..., Samples]:
    """`sweep` for many calls, with about `seeds` seeds each, that share compiled functions.

    Arguments, and those of the function returned, are as of `engine.sampler`; samples that are not
    finite are returned as they are.
    """
    run = engine.sampler(
        network, sides, draws, lambda side: measure(network, draws), seeds, batch, devices,
        gradients.numbers, measured=MEASURED,
    )  # fmt: skip
    return lambda *arguments, **more: np.stack(run(*arguments, **more))


def sweep(
    network: Network,
    sides: Sequence[int],
    seeds: Sequence[int],
    draws: Draws,
    batch: int | None = None,
    advance: engine.Advance = lambda samples: None,
) -> Samples:
    """Norms of input gradients at each side for each seed index, averaged over the seed's inputs.

    Args:
        network: a described network or a user's own model.
        sides: of the images.
        seeds: their indices.
        draws: what is drawn for every seed, and which norms.
        batch: seeds computed side by side (None: as `engine.batch_size` says); the samples do not
            depend on it beyond rounding.
        advance: hears of seeds that are finished at one side.
    """
    return sampler(network, sides, draws, len(seeds), batch)(seeds, advance)


def sample(
    network: Network,
    side: int,
    seeds: Sequence[int],
    draws: Draws,
    batch: int | None = None,
    advance: engine.Advance = lambda samples: None,
) -> Float[np.ndarray, "seeds quantities norms"]:
    """Norms of input gradients at one side for each seed index: what `sweep` gives there."""
    return sweep(network, (side,), seeds, draws, batch, advance)[0]
