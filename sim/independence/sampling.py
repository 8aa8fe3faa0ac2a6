"""Norms of input gradients under gradient independence, sampled with the measurement's networks.

Seed s has the weights, inputs and labels of seed s of the measurement, so that the two are paired.
The copies W′ of seeds 2i and 2i + 1 are each other's weights: they are independent of the forward
pass that they are the copies of, and no weights are drawn for them alone. Two such seeds count as
one wherever an error is computed. One forward pass serves several labels, or logits: what they have
in common is little more than the activations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from sim.independence.backward import Backward, Reading
from sim.independence.counterfactual import counterfactual, initialized, read
from sim.models.pairs import ModelError
from sim.networks import gradients, layers
from sim.running import memory
from sim.sampling import engine
from sim.sampling.draws import Draws
from theory.network import Branching, Layer, Network, Serial, output_shape, parts
from theory.tokens import MixPositions

TOGETHER = 2
"""Seeds, one after another, that have each other's weights as copies."""

LABELS = 2
"""Labels, or logits, of one forward pass, at most. More cost more than they save: each has its own
backward pass, and the activations, which they have in common, make most of the spread."""

PILOT = 64
"""Seeds from which the number of all of them is found."""

MOST = 4
"""No more seeds than so many times those of the measurement."""

TARGET = 0.5
"""The prediction's standard error over the measurement's, at most."""


class NotDecoupledError(ModelError):
    """A network none of whose weights can be copied: its prediction would be its measurement."""


@dataclass(frozen=True)
class Sampled:
    """Of one network."""

    norms: Float[np.ndarray, "seeds sizes quantities qs"]
    """Of the first seeds of the run, each a mean over its inputs, and over labels or logits. Seeds
    that are `TOGETHER` depend on each other."""
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
    """Of one seed, over `draws.labels_per_seed` labels: mean norms and their mean square.

    Both have shape (quantities, qs); norms are means over the inputs of the seed. `found` is the
    `reading` of the network.
    """
    apply_model, count = batched(network), draws.labels_per_seed
    random, closed, backward = found.random, found.closed, Backward(head=found.head)

    def function(weights: layers.Weights, xs: Array, labels: Array, copies: layers.Weights) -> Any:
        run = counterfactual(apply_model, weights, copies, random, backward, closed=closed)
        logits, pull = jax.vjp(run, xs)
        chosen = [cotangents(name, logits, labels, count) for name in draws.quantities]
        (found,) = jax.vmap(pull)(jnp.concatenate(chosen))

        def norms(g: Array) -> Array:
            return jnp.stack([gradients.norm(g.astype(xs.dtype), q) for q in draws.norms])

        by_label = jax.vmap(jax.vmap(norms))(found).mean(axis=1)
        each = by_label.reshape(len(draws.quantities), count, len(draws.norms))
        return each.mean(axis=1), jnp.mean(each**2, axis=1)

    return function


def sample(
    network: Network,
    sides: Sequence[int],
    draws: Draws,
    seeds: int,
    advance: Callable[..., None] = lambda done, more=0: None,
) -> Sampled:
    """Norms under gradient independence, beside a measurement with so many seeds.

    Args:
        network: a described network or a user's own model.
        sides: of the images.
        draws: those of the measurement.
        seeds: of the measurement.
        advance: called with the seeds finished at one side, and with those that are added.

    Returns:
        Norms of as many seeds as make the prediction's standard error half of the measurement's,
        as far as the first `PILOT` seeds tell.
    """
    own = replace(draws, lazy=False, labels_per_seed=labels_together(network, max(sides), draws))
    first = TOGETHER * max(2, -(-min(seeds, PILOT) // TOGETHER))
    most = max(first, MOST * seeds)
    advance(0, first * len(sides))
    found = {side: reading(network, side, draws.inputs_per_seed) for side in sides}

    def at(side: int) -> engine.Measure:
        return measure(network, side, own, found[side])

    run = engine.sampler(network, sides, own, at, most, paired=True, measured="independence")
    pilot = run(range(first), advance)
    labels = own.labels_per_seed, draws.labels_per_seed
    shares = [_share(means, squares, *labels) for means, squares in pilot]
    needed = seeds * np.mean(shares) / TARGET**2
    count = TOGETHER * int(np.clip(needed, first, most) // TOGETHER)
    advance(0, (count - first) * len(sides))
    norms = [means for means, _ in pilot]
    if count > first:
        rest = [means for means, _ in run(range(first, count), advance)]
        norms = [np.concatenate(parts) for parts in zip(norms, rest, strict=True)]
    return Sampled(np.stack(norms, axis=1).astype(float), tuple(found[min(sides)].coupled))


def reading(network: Network, side: int, inputs: int, masks: bool = False) -> Reading:
    """What `sim.independence.counterfactual` finds in a network, with this many inputs a seed.

    Raises:
        NotDecoupledError: None of its weights can be copied.
    """
    weights, random = initialized(initializer(network, side))
    wide = jax.tree.leaves(_grow_with_width(network.body, weights))
    random = [one and other for one, other in zip(random, wide, strict=True)]
    xs = jax.ShapeDtypeStruct((inputs, *network.input_shape(side)), jnp.zeros(()).dtype)
    found = read(batched(network), weights, xs, random, masks)
    if found.coupled and all(place.kind != "weights" for place in found.places):
        raise NotDecoupledError(f"no weight can be copied: {found.coupled[0]}")
    return found


@singledispatch
def _grow_with_width(layer: Any, weights: Any) -> Any:
    """Which arrays of weights have more rows in a wider network: all but those of positions.

    In the limit of large width a gradient does not depend on the former. A matrix over positions
    stays what it is, and all channels share it: values and gradients both go through it.
    """
    return jax.tree.map(lambda _: True, weights)


@_grow_with_width.register
def _(layer: MixPositions, weights: Any) -> Any:
    return False


@_grow_with_width.register(Serial)
@_grow_with_width.register(Branching)
def _(layer: Layer, weights: Any) -> Any:
    return tuple(map(_grow_with_width, parts(layer), weights))


def labels_together(network: Network, side: int, draws: Draws) -> int:
    """Labels of one forward pass: all of them, but no more than `LABELS` and than the memory takes.

    At least as many as the measurement has.
    """
    shape = network.input_shape(side)
    most = min(LABELS, output_shape(network.body, shape)[0])
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize

    def fits(count: int) -> bool:
        points = draws.inputs_per_seed * count
        return memory.bytes_per_seed(network.body, shape, points, False, itemsize) < (
            memory.physical() // 8
        )

    return max(1, *(count for count in range(1, most + 1) if fits(count)))


def _share(means: np.ndarray, squares: np.ndarray, together: int, labels: int) -> float:
    """The variance of a seed of the prediction over that of a seed of the measurement.

    `means` and `squares` (seeds, quantities, qs) are of `together` labels a seed; the measurement
    has `labels` of them. The variance of a mean over labels is a + b / labels. That of the
    prediction comes from its groups of seeds.
    """
    groups = means.astype(float).reshape(-1, TOGETHER, *means.shape[1:]).mean(axis=1)
    of_group = TOGETHER * np.var(groups, axis=0, ddof=1)
    of_mean = np.var(means.astype(float), axis=0, ddof=1)
    of_one = np.mean(squares.astype(float), axis=0) - np.mean(means.astype(float), axis=0) ** 2
    each = (of_one - of_mean) / (1 - 1 / together) if together > 1 else np.zeros_like(of_one)
    of_measured = of_one - each * (1 - 1 / labels)
    known = of_measured > 0
    return float(np.mean(of_group[known] / of_measured[known])) if known.any() else 1.0
