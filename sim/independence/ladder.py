"""The ladder from hypothesis H over gradient independence to the network as it is, place by place.

All rungs share one forward pass, the inputs and the label of a seed. On the first rung every place
of weights uses copies and every mask is a fair coin. From rung to rung one more place, from the
input on, has its true mask, until all masks are true: gradient independence. Then one more place
after the other has its own weights again, until all have: the network as it is. So at a place what
is behind it, towards the output, is still decoupled, and what is in front of it no longer. The
ratios of successive rungs multiply to the whole gap between hypothesis H and the network.

The last weights are their own on every rung (`sim.independence.counterfactual`), and no step.

Networks that are not made of linear maps and ReLUs alone begin at gradient independence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from sim.independence.backward import Backward, Place, Reading
from sim.independence.counterfactual import counterfactual
from sim.independence.sampling import batched, cotangents, initializer, reading
from sim.networks import gradients, layers
from sim.sampling import engine
from sim.sampling.draws import Draws
from theory.network import Network


@dataclass(frozen=True)
class Ladder:
    """The rungs of one network at one image side."""

    network: Network
    side: int
    reading: Reading
    rungs: tuple[tuple[int, int], ...]
    """The first places with coins and with copies; the last one is the network as it is."""

    @property
    def places(self) -> list[Place]:
        """Where weights or masks multiply, from the input to the logits."""
        return self.reading.places

    @property
    def steps(self) -> list[int]:
        """The place that makes the difference between a rung and the one after it."""
        return [
            index
            for kind in ("mask", "weights")
            for index, place in enumerate(self.places)
            if place.kind == kind and index != self.reading.head
        ]

    @property
    def independence(self) -> int:
        """The rung of gradient independence."""
        return sum(place.kind == "mask" for place in self.places)


class Told(NamedTuple):
    """Of one seed at one input size, or of several along a first axis."""

    norms: Float[Any, "*seeds rungs 2"]
    """‖g‖₁ and ‖g‖₂², means over the inputs."""
    taps: Float[Any, "*seeds rungs places 4"]
    """`sim.independence.backward.Backward.taps`, sums over the inputs."""


def ladder(network: Network, side: int, inputs: int = 1) -> Ladder:
    """The rungs of a network at an image side, for so many inputs a seed."""
    found = reading(network, side, inputs, masks=True)
    if not found.is_rectified:
        found = replace(reading(network, side, inputs), is_rectified=False)
    masks, weighted = (
        [i for i, place in enumerate(found.places) if place.kind == kind and i != found.head]
        for kind in ("mask", "weights")
    )
    count = len(found.places)
    rungs = [(first, 0) for first in (*masks, count)] + [(count, i + 1) for i in weighted]
    return Ladder(network, side, found, tuple(rungs))


def measure(asked: Ladder, quantity: str) -> engine.Measure:
    """What every rung has for one seed, for the gradient of the loss or of the first logit.

    The result is (`Told`, the gradients (2, n, side, side, channels) under gradient independence
    and of the network as it is).
    """
    init, apply_model = initializer(asked.network, asked.side), batched(asked.network)
    random, closed, count = asked.reading.random, asked.reading.closed, len(asked.places)
    has_masks = asked.reading.is_rectified
    rungs: Int[Any, "rungs 2"] = jnp.array(asked.rungs)

    def function(weights: layers.Weights, xs: Array, labels: Array, key: Key[Array, ""]) -> Any:
        copies, coins = init(key), jax.random.fold_in(key, 1)

        def one(rung: Int[Array, "2"]) -> tuple[Array, Array, Array]:
            def run(xs: Array, taps: Array) -> Array:
                first = rung[0] if has_masks else None
                backward = Backward(rung[1], first, coins, taps, asked.reading.head)
                run = counterfactual(apply_model, weights, copies, random, backward, closed=closed)
                return run(xs)

            logits, pull = jax.vjp(run, xs, jnp.zeros((count, 4)))
            (cotangent,) = cotangents(quantity, logits, labels, 1)
            g, taps = pull(cotangent)
            g = g.astype(xs.dtype)
            norms = jax.vmap(
                lambda x: jnp.stack([gradients.norm(x, 1.0), gradients.norm(x, 2.0) ** 2])
            )
            return norms(g).mean(axis=0), taps, g

        norms, taps, found = jax.lax.map(one, rungs)
        return Told(norms, taps), jnp.stack([found[asked.independence], found[-1]])

    return function


def samples(
    asked: Ladder,
    draws: Draws,
    seeds: int,
    also: Callable[[Any, Array], Any] = lambda weights, g: (),
    advance: engine.Advance = lambda done: None,
    measured: str | None = None,
) -> tuple[Told, Any]:
    """`Told` of every seed, and `also(weights, gradients)` with the gradients of `measure`.

    `measured` is a name for both together, by which a later run finds them traced.
    """
    one = measure(asked, draws.quantities[0])

    def function(weights: layers.Weights, xs: Array, labels: Array, key: Key[Array, ""]) -> Any:
        told, g = one(weights, xs, labels, key)
        return told, also(weights, g)

    sides = (asked.side,)
    name = measured and (measured, asked.rungs)
    run = engine.sampler(asked.network, sides, draws, lambda side: function, seeds, measured=name)
    return run(range(seeds), advance)[0]
