"""Norms of input gradients under gradient independence, sampled with the measurement's networks.

Every seed has the weights, inputs and labels that it has in the measurement. What the two norms
have in common, the activations above all, leaves their ratio, so that its error is seldom larger
than the measurement's own. The copies W′ come from a key of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim.independence.backward import Backward, Reading
from sim.independence.counterfactual import counterfactual, random_leaves, read
from sim.networks import gradients, layers
from sim.sampling import engine
from sim.sampling.draws import Draws
from theory.network import Network


@dataclass(frozen=True)
class Sampled:
    """Of one network."""

    norms: Float[np.ndarray, "seeds sizes quantities qs"]
    """Of the measurement's seeds, each a mean over its inputs, and over labels or logits."""
    coupled: tuple[str, ...]
    """Weights that could not be copied, one sentence each."""


def batched(network: Network) -> Callable[[layers.Weights, Array], Array]:
    """The logits (n, classes) of a network as a function of weights and inputs (n, side, …)."""

    def function(weights: layers.Weights, xs: Array) -> Array:
        return jax.vmap(partial(layers.apply, network.body, weights), axis_name=layers.INPUTS)(xs)

    return function


def initializer(network: Network, side: int) -> Callable[[Key[Array, ""]], layers.Weights]:
    """The weights of a network for one image side as a function of their key, all formed."""
    return lambda key: layers.init(network.body, key, network.input_shape(side))


def cotangents(
    quantity: str, logits: Float[Array, "n classes"], labels: Int[Array, " n"], count: int
) -> Float[Array, "count n classes"]:
    """The derivatives by the logits of `count` losses, from that with `labels` on, or of logits."""
    classes = logits.shape[1]
    shifts = jnp.arange(count)
    if quantity == "logit":
        one = jax.nn.one_hot(shifts, classes, dtype=logits.dtype)
        return jnp.broadcast_to(one[:, None], (count, *logits.shape))
    values = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def of_shift(shift: Array) -> Array:
        residual = jax.vmap(gradients.loss_residual)(values, (labels + shift) % classes)
        return residual.astype(logits.dtype)

    return jax.vmap(of_shift)(shifts)


def measure(network: Network, side: int, draws: Draws, found: Reading) -> engine.Measure:
    """Mean norms of one seed (quantities, qs), over its inputs and `draws.labels_per_seed` labels.

    `found` is the `reading` of the network.
    """
    apply_model, count = batched(network), draws.labels_per_seed
    random, backward = random_leaves(initializer(network, side)), Backward(head=found.head)

    def function(weights: layers.Weights, xs: Array, labels: Array, copies: layers.Weights) -> Any:
        run = counterfactual(apply_model, weights, copies, random, backward)
        logits, pull = jax.vjp(run, xs)
        chosen = [cotangents(name, logits, labels, count) for name in draws.quantities]
        (found,) = jax.vmap(pull)(jnp.concatenate(chosen))

        def norms(g: Array) -> Array:
            return jnp.stack([gradients.norm(g.astype(xs.dtype), q) for q in draws.norms])

        by_label = jax.vmap(jax.vmap(norms))(found).mean(axis=1)
        return by_label.reshape(len(draws.quantities), count, len(draws.norms)).mean(axis=1)

    return function


def sample(
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    seeds: int,
    advance: Callable[..., None] = lambda done, more=0: None,
) -> Sampled:
    """Norms under gradient independence of the networks of a measurement with so many seeds.

    Args:
        network: a described network or a user's own model.
        sides: of the images.
        draws: those of the measurement.
        seeds: of the measurement.
        advance: called with the seeds finished at one side, and with those that are added.

    Returns:
        Norms of each seed.
    """
    own = replace(draws, lazy=False)
    advance(0, seeds * len(sides))
    found = {side: reading(network, side, draws.inputs_per_seed) for side in sides}

    def at(side: int) -> engine.Measure:
        return measure(network, side, own, found[side])

    norms = engine.sampler(network, sides, own, at, seeds, twice=True)(range(seeds), advance)
    return Sampled(np.stack(norms, axis=1).astype(float), tuple(found[min(sides)].coupled))


def reading(network: Network, side: int, inputs: int, masks: bool = False) -> Reading:
    """What `sim.independence.counterfactual` finds in a network, with this many inputs a seed."""
    init, shape = initializer(network, side), network.input_shape(side)
    weights = jax.eval_shape(init, jax.random.key(0))
    xs = jax.ShapeDtypeStruct((inputs, *shape), jnp.zeros(()).dtype)
    return read(batched(network), weights, xs, random_leaves(init), masks)
