"""Training of one network at one side, several seeds together, and what is measured of it.

A seed's first weights and its batches depend on the run's key and the seed's number alone, not on
the side or the regularizer: common random numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from sim.attacks import damage
from sim.networks import layers
from sim.networks.batch_norm import with_batch_norm, with_statistics
from sim.networks.gradients import norm
from sim.sampling.datasets import Split
from sim.training import margin as margins
from sim.training import optimizer, subspace
from sim.training.configuration import TOGETHER
from sim.training.dataset import NORMS
from sim.training.enlarged import enlarged
from sim.training.network import without_batch_norm
from sim.training.regularizers import LOSSES, Batch
from theory.laws.norms import dual
from theory.network import Network


@dataclass(frozen=True)
class Recipe:
    """Which networks are trained and how, but for the strength of the regularizer."""

    network: Network
    """With batch normalization."""
    side: int
    """Side to which the images are enlarged."""
    seed: int
    """Key of the study."""
    regularizer: str
    epochs: int
    batch: int
    learning_rate: float
    """At the start; it falls to 0 like a cosine."""
    pgd_steps: int
    optimizer: str = "adam"
    """adam or sgd, see `sim.training.optimizer`."""
    data_side: int = 8
    """Side of the images themselves."""
    detail: float | None = None
    """Of the enlarged images, see `sim.training.enlarged`."""


@dataclass(frozen=True)
class Measures:
    """Means over images, by (seeds, ...). See `sim.attacks.damage` for damage and fooled."""

    accuracy: Any
    loss: Any
    norm: Any
    """‖∂_x L‖_q by (seeds, q), q as in `sim.training.dataset.NORMS`."""
    parts: Any
    """The same of its parts on and off the data's subspace, by (seeds, part, q)."""
    residual: Any
    """1 − p_y, see `sim.training.margin`."""
    margin: Any
    """‖∂_x m‖_q of the margin m, by (seeds, q)."""
    margin_parts: Any
    """The same of its parts, by (seeds, part, q)."""
    damage: Any
    fooled: Any
    linear_damage: Any
    """The damage if the margin is linear, by (seeds, p, eps)."""


def network(data: str, side: int, width: int, depth: int, kind: str = "convnet") -> Network:
    """The network of `sim.training.network`, convnets with batch normalization.

    Raises:
        ValueError: There is no such network for a side or a depth.
    """
    net = without_batch_norm(data, side, width, depth, kind)
    return with_batch_norm(net) if kind == "convnet" else net


def _keys(seed: int, seeds: int) -> tuple[Array, Array]:
    """For every seed: the key of its weights and that of its batches."""
    folded = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), jnp.arange(seeds))
    both = jax.vmap(jax.random.split)(folded)
    return both[:, 0], both[:, 1]


def start(recipe: Recipe, seeds: int, strength: float = 0.0) -> Any:
    """Weights and the optimizer's memory of so many networks before training.

    Args:
        recipe: How they will be trained, with their start.
        seeds: How many.
        strength: The factor of the first layer's weights, for "small-start".

    Returns:
        A pytree whose leaves have the seeds first.
    """
    net, descent = recipe.network, _optimizer(recipe, 1, 0.0)

    def of_seed(key: Array) -> Any:
        weights = layers.init(net.body, key, net.input_shape(recipe.side))
        if recipe.regularizer == "small-start":
            weights = subspace.scaled_start(weights, strength)
        if recipe.regularizer == "zero-off":
            weights = subspace.zero_off(weights, recipe.side, recipe.data_side)
        return weights, descent.init(weights)

    return jax.lax.map(of_seed, _keys(recipe.seed, seeds)[0])


def _optimizer(recipe: Recipe, batches: int, strength: Any) -> optax.GradientTransformation:
    total = max(1, recipe.epochs * batches)
    decay = strength if recipe.regularizer == "weight-decay" else None
    return optimizer.made(recipe.optimizer, recipe.learning_rate, total, decay)


def epoch(
    recipe: Recipe, state: Any, training: Split, number: int, strength: float
) -> tuple[Any, Float[np.ndarray, " seeds"]]:
    """One more pass over the training images.

    The order of the images is drawn anew in every epoch; those that do not fill a batch are left
    out of it.

    Args:
        recipe: How the networks are trained.
        state: Weights and the optimizer's memory of all seeds.
        training: The training images at their own side.
        number: Of the epoch, counted from 0.
        strength: Of the regularizer: change ε per coordinate of the input.

    Returns:
        The state after the pass, and the mean loss of each seed over its batches.
    """
    pass_over = _epoch(recipe, len(training.labels))
    seeds = len(jax.tree.leaves(state)[0])
    batch_keys = _keys(recipe.seed, seeds)[1]
    keys = jax.vmap(jax.random.fold_in, (0, None))(batch_keys, number)
    images, labels = jnp.asarray(training.images), jnp.asarray(training.labels)
    state, found = pass_over(state, keys, images, labels, jnp.float32(strength))
    return state, np.asarray(found, float)


@lru_cache(maxsize=64)
def _epoch(recipe: Recipe, count: int) -> Callable[..., Any]:
    """Compiled once for all strengths."""
    of_batch, body = LOSSES[recipe.regularizer], recipe.network.body
    size = min(recipe.batch, count)
    batches = count // size
    rates = optimizer.rates(recipe.network, recipe.side)

    def pass_over(state: Any, keys: Array, images: Array, labels: Array, strength: Array) -> Any:
        descent = _optimizer(recipe, batches, strength)

        def step(state: Any, drawn: tuple[Array, Array]) -> tuple[Any, Array]:
            (weights, memory), (chosen, key) = state, drawn
            # without detail attacks have the key that they always had
            fields, key = jax.random.split(key) if recipe.detail is not None else (key, key)
            xs = enlarged(images[chosen], recipe.side, recipe.detail, fields)

            def objective(weights: Any) -> tuple[Array, Any]:
                batch = Batch(xs, labels[chosen], key, strength, recipe.pgd_steps)
                return of_batch(body, weights, batch)

            (loss, moved), slope = jax.value_and_grad(objective, has_aux=True)(weights)
            if recipe.optimizer == "sgd":
                slope = optimizer.scaled(slope, rates)
            updates, memory = descent.update(slope, memory, weights)
            weights = optax.apply_updates(weights, updates)
            return (with_statistics(body, weights, moved), memory), loss

        def of_seed(own: tuple[Any, Array]) -> Any:
            state, key = own
            order_key, step_key = jax.random.split(key)
            order = jax.random.permutation(order_key, count)[: batches * size]
            chosen = (order.reshape(batches, size), jax.random.split(step_key, batches))
            state, found = jax.lax.scan(step, state, chosen)
            return state, found.mean()

        # one seed after the other: mapped over kernels, convolutions become slow
        # (sim.networks.convolution)
        return jax.lax.map(of_seed, (state, keys))

    return jax.jit(pass_over)


def measured(
    recipe: Recipe,
    weights: Any,
    images: Split,
    attacks: damage.Attacks | None = None,
    attacked: int = 0,
) -> Measures:
    """Means over images, in evaluation mode (running statistics), for all seeds.

    Args:
        recipe: That of the networks.
        weights: Of all seeds.
        images: At their own side.
        attacks: Which attacks to make; without them damage and fooled are None.
        attacked: How many images are attacked, from the first one on.
    """
    xs, labels = jnp.asarray(images.images), jnp.asarray(images.labels)
    way = (recipe.network, recipe.side, recipe.detail)
    key = jax.random.fold_in(jax.random.key(recipe.seed), 2**31)
    found = _measure(*way)(weights, xs, labels, key)
    harm: Any = (None, None, None)
    if attacks is not None:
        few = (xs[:attacked], labels[:attacked])
        harm = _attack(*way, attacks)(weights, *few, key)
    return Measures(*(None if x is None else np.asarray(x, float) for x in (*found, *harm)))


@lru_cache(maxsize=64)
def _measure(net: Network, side: int, detail: float | None) -> Callable[..., Any]:
    def of_image(weights: Any, x: Array, label: Int[Array, ""], key: Array) -> tuple[Array, ...]:
        own, x = x.shape[0], enlarged(x[None], side, detail, key)[0]
        found, slope = jax.value_and_grad(margins.margin, argnums=2)(net.body, weights, x, label)
        residual = margins.residual(found)
        right = jnp.argmax(layers.apply(net.body, weights, x)) == label
        norms = jnp.stack([norm(slope, float(q)) for q in NORMS])
        both = [[norm(g, float(q)) for q in NORMS] for g in subspace.parts(slope, own)]
        parts = jnp.array(both)
        if own == side:
            parts = parts.at[1].set(jnp.nan)  # nothing lies off the subspace
        of_loss = (margins.loss(found), residual * norms, residual * parts)
        return right.astype(x.dtype), *of_loss, residual, norms, parts

    return jax.jit(_over_seeds_and_images(of_image))


@lru_cache(maxsize=64)
def _attack(
    net: Network, side: int, detail: float | None, attacks: damage.Attacks
) -> Callable[..., Any]:
    def of_image(weights: Any, x: Array, label: Array, key: Array) -> tuple[Array, ...]:
        x = enlarged(x[None], side, detail, key)[0]
        found = damage.attacked(net.body, weights, x, label, key, attacks)
        margin, slope = jax.value_and_grad(margins.margin, argnums=2)(net.body, weights, x, label)
        norms = jnp.stack([norm(slope, float(dual(p))) for p in attacks.norms])
        linear = margins.linear_damage(margin, norms, damage.sizes(attacks, x))
        return found.damage, found.fooled, linear

    return jax.jit(_over_seeds_and_images(of_image))


def _over_seeds_and_images(of_image: Callable[..., Any]) -> Callable[..., Any]:
    """The means over images, each of which has a key of its own, for each seed."""

    def mapped(weights: Any, xs: Array, labels: Array, key: Array) -> Any:
        images = (xs, labels, jax.random.split(key, len(xs)))

        def of_seed(weights: Any) -> Any:
            each = jax.lax.map(lambda one: of_image(weights, *one), images, batch_size=TOGETHER)
            return jax.tree.map(lambda leaf: leaf.mean(axis=0), each)

        return jax.lax.map(of_seed, weights)

    return mapped
