"""How weights move: Adam, or gradient descent in units of the weights' first variance."""

from typing import Any

import jax
import optax

from theory.fans import weight_variance
from theory.network import Network, Weighted, output_shape


def made(
    kind: str, learning_rate: float, steps: int, decay: Any = None
) -> optax.GradientTransformation:
    """The optimizer; its rate falls to 0 like a cosine.

    Args:
        kind: "adam" or "sgd".
        learning_rate: At the start.
        steps: Of the whole training.
        decay: Rate of decoupled weight decay, w ← (1 − rate · decay) w; None for none.
    """
    first = optax.scale_by_adam() if kind == "adam" else optax.identity()
    middle = () if decay is None else (optax.add_decayed_weights(decay),)
    schedule = optax.cosine_decay_schedule(learning_rate, steps)
    return optax.chain(first, *middle, optax.scale_by_learning_rate(schedule))


def rates(network: Network, side: int) -> tuple[float, ...]:
    """The variance of every layer's weights at the start, 1 for layers that draw none.

    Gradient descent with these rates is that of weights √variance · ω in the ω: what a step does
    to outputs does not depend on the input's dimension.

    Args:
        network: Which is trained.
        side: Of its images.
    """
    shape, found = network.input_shape(side), []
    for layer in network.body.layers:
        drawn = isinstance(layer, Weighted)
        found.append(float(weight_variance(layer, shape)) if drawn else 1.0)
        shape = output_shape(layer, shape)
    return tuple(found)


def scaled(slope: Any, rates: tuple[float, ...]) -> Any:
    """The gradient with each layer's part multiplied by its rate."""
    return tuple(
        jax.tree.map(lambda leaf, rate=rate: rate * leaf, own)
        for rate, own in zip(rates, slope, strict=True)
    )
