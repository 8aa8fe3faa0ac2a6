"""The energy of the gradient at every place inside of a described network, seed by seed.

A zero is added at both ends of every layer; the gradient with respect to it is the gradient there.
`places` lists the layers in the order in which `measure` returns their energies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim import layers
from theory.network import Branching, Layer, Serial, Shape, output_shape


@dataclass(frozen=True)
class Place:
    """One layer of a network, or the junction of two ways."""

    layer: Layer
    shape: Shape
    """Of its input."""
    depth: int
    """How many layers with two ways it is inside of."""

    @property
    def ends(self) -> tuple[Shape, ...]:
        """Shapes where energies are measured: input and output, and both ways between them."""
        output = output_shape(self.layer, self.shape)
        ways = (self.shape, self.shape) if isinstance(self.layer, Branching) else ()
        return (self.shape, *ways, output)


def places(layer: Layer, shape: Shape, depth: int = 0) -> list[Place]:
    """Every layer of a network from the input to the logits, a junction before its branch."""
    if isinstance(layer, Serial):
        found: list[Place] = []
        for inner in layer.layers:
            found += places(inner, shape, depth)
            shape = output_shape(inner, shape)
        return found
    here = [Place(layer, shape, depth)]
    if isinstance(layer, Branching):
        here += places(layer.branch, shape, depth + 1) + places(layer.shortcut, shape, depth + 1)
    return here


def run(
    layer: Layer,
    weights: layers.Weights,
    x: Float[Array, "..."],
    taps: Iterator[tuple[Array, ...]],
    positive: list[Array],
) -> Float[Array, "..."]:
    """The output, with the next taps added; to `positive` go shares of positive inputs, by place.

    `taps` has a tuple with an array for each of `Place.ends`, in the order of `places`.
    """
    if isinstance(layer, Serial):
        for inner, own in zip(layer.layers, weights, strict=True):
            x = run(inner, own, x, taps, positive)
        return x
    before, *ways, after = next(taps)
    x = x + before
    positive.append(jnp.mean(x > 0))
    if isinstance(layer, Branching):
        parts = zip((layer.branch, layer.shortcut), weights, ways, strict=True)
        left, right = (run(way, own, x + tap, taps, positive) for way, own, tap in parts)
        return layers.join(layer, left, right) + after
    return layers.apply(layer, weights, x) + after


def measure(
    body: Serial,
    weights: layers.Weights,
    x: Float[Array, "side side channels"],
    key: Key[Array, ""],
) -> dict[str, Any]:
    """Of one network at one input, for the gradient g of the mean over logits with random signs.

    The signs have mean square 1/classes, so that energies are those of one logit in the mean.
    `energies`: by place, a tuple of maps Σ_channels g², (side, side) or (), for each of its ends;
    `positive`: by place, the share of positive inputs; `gradient`: g at the input.
    """
    every = places(body, x.shape)
    classes = output_shape(body, x.shape)[0]
    signs = jax.random.rademacher(key, (classes,)).astype(x.dtype) / classes**0.5
    zeros = [tuple(jnp.zeros(end, x.dtype) for end in place.ends) for place in every]

    def value(taps: list[tuple[Array, ...]]) -> tuple[Array, list[Array]]:
        positive: list[Array] = []
        return signs @ run(body, weights, x, iter(taps), positive), positive

    gradients, positive = jax.grad(value, has_aux=True)(zeros)
    return {
        "energies": jax.tree.map(lambda g: jnp.sum(g**2, axis=-1), gradients),
        "positive": positive,
        "gradient": gradients[0][0],
    }
