"""Batch normalization, as a layer of a network that is trained.

`theory.network.BatchNorm` is the layer at initialization, without scale and shift and always with
the statistics of its batch. With the running statistics (`layers.apply`) it is a fixed scaling and
shift of every channel, one input at a time, so that attacks and losses of `sim` take a trained
network like any other. In training (`apply_batch`) the mean and variance are those of the batch.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim.networks import layers
from sim.networks.layers import Weights
from theory.network import Activation, BatchNorm, Layer, Network, Serial, Shape

STATISTICS = ("mean", "variance")
"""Weights of the layer that are measured, not trained."""


@dataclass(frozen=True, repr=False)
class RunningBatchNorm(BatchNorm):
    """(x − mean) / √(variance + epsilon) · scale + shift, for every channel."""

    momentum: float = 0.9
    """Share of the running statistics that one batch leaves as it was."""


def with_batch_norm(network: Network) -> Network:
    """The network with a batch normalization in front of each activation outside of branches.

    Until it is trained it computes what the network computes: mean 0, variance 1 (less epsilon).
    """
    found: list[Layer] = []
    for layer in network.body.layers:
        found += [RunningBatchNorm(), layer] if isinstance(layer, Activation) else [layer]
    return replace(network, body=Serial(tuple(found)))


@layers.init.register
def _(layer: RunningBatchNorm, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    zero, one = jnp.zeros(shape[-1]), jnp.ones(shape[-1])
    return {"scale": one, "shift": zero, "mean": zero, "variance": one - layer.epsilon}


@layers.apply.register
def _(layer: RunningBatchNorm, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return _normalized(layer, weights, x, weights["mean"], weights["variance"])


def _normalized(
    layer: RunningBatchNorm, weights: Weights, x: Array, mean: Array, var: Array
) -> Array:
    return layers.normalized(x, mean, var, layer.epsilon) * weights["scale"] + weights["shift"]


def apply_batch(
    body: Serial, weights: Weights, xs: Float[Array, "n ..."]
) -> tuple[Float[Array, "n ..."], Weights]:
    """The outputs for a batch in training, and the weights with their running statistics moved.

    The statistics of the batch are differentiated: the gradient at one input has the influence of
    that input on the others.
    """

    def step(layer: Layer, own: Weights, before: tuple[Array, Weights]) -> tuple[Array, Weights]:
        xs, moved = before
        if not isinstance(layer, RunningBatchNorm):
            return jax.vmap(layers.apply, (None, None, 0))(layer, own, xs), (*moved, own)
        axes = tuple(range(xs.ndim - 1))
        now = {"mean": xs.mean(axes), "variance": xs.var(axes)}
        kept = layer.momentum
        later = own | {s: kept * own[s] + (1 - kept) * now[s] for s in STATISTICS}
        return _normalized(layer, own, xs, now["mean"], now["variance"]), (*moved, later)

    return layers.through(body, weights, (xs, ()), step)


def with_statistics(body: Serial, weights: Weights, moved: Weights) -> Weights:
    """The weights, with the running statistics of `moved` in the place of their own."""
    return tuple(
        own | {s: other[s] for s in STATISTICS} if isinstance(layer, RunningBatchNorm) else own
        for layer, own, other in zip(body.layers, weights, moved, strict=True)
    )
