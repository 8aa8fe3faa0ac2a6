"""The losses of attacked and of penalized training compared, before and after training.

The mean of L(x) and of L(x + δ*), δ* the steepest attack of size ε_p, is L(x) + (ε_p/2) ‖∂_x L‖_q
up to second order in ε_p, 1/p + 1/q = 1: Proposition 3 of Simon-Gabriel et al. (ICML 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from sim.attacks import losses
from sim.attacks.ascent import steepest
from sim.attacks.damage import loss_increase
from sim.networks import layers
from sim.networks.gradients import norm
from sim.penalty.configuration import BATCH, COMPARED, SIDE, Config, check, network
from sim.sampling import datasets, engine
from sim.sampling.draws import Draws
from sim.statistics import estimates, verdicts
from sim.statistics.estimates import Slope
from sim.statistics.finite import Ratio, ratio
from theory.laws.norms import dual


@dataclass(frozen=True)
class Result:
    """Proposition 3 in one norm."""

    p: str
    order: Slope
    """Of ε in the mean of |augmented − penalized loss|."""
    augmented: Ratio
    """Mean gradient norm after augmented training over that after penalized training."""
    clean: Ratio
    """Mean gradient norm after clean training over that after penalized training."""
    agrees: bool | None
    """None if they are `unmeasured`."""
    unmeasured: str | None
    """Why the samples carry no verdict; None if they carry one."""


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> list[Result]:
    """The two comparisons in every norm.

    Args:
        config: What to compare.
        advance: Called with 1 when one norm is done, and once for clean training.

    Returns:
        A result for each norm of the configuration.

    Raises:
        ValueError: The configuration cannot be run.
    """
    check(config)
    clean = trained(config)
    advance(1)
    found, comparisons = [], 2 * len(config.attack_norms)
    for i, p in enumerate(config.attack_norms):
        gaps = differences(config, float(p))
        order = estimates.exponent(gaps, np.array(sorted(config.eps)))
        augmented, penalized = (
            trained(config, loss, float(p))[:, i] for loss in ("augmented", "penalized")
        )
        same = ratio(augmented, penalized)
        # the third order changes the fitted order by about the largest ε_p
        third = max(config.eps) * SIDE ** (2 / float(p))
        nearest = float(np.clip(order.value, 2 - third, 2 + third))
        norms = np.stack([clean[:, i], augmented, penalized], axis=1)
        nothing = verdicts.unmeasured(norms, verdicts.FEWEST_SEEDS, "float32")
        nothing = nothing or verdicts.unmeasured(gaps)
        agrees = None
        if nothing is None:
            agrees = bool(verdicts.agrees(order, nearest, comparisons)) and same.allows(
                1, comparisons
            )
        found.append(Result(p, order, same, ratio(clean[:, i], penalized), agrees, nothing))
        advance(1)
    return found


def differences(
    config: Config, p: float, q: float | None = None
) -> Float[np.ndarray, "samples eps"]:
    """|augmented − penalized loss| of random mlps, each at one digit, by (seed, eps) in float64.

    Their activation is GELU. A ReLU's kink is crossed with a probability of order ε and then adds
    a difference of order ε: second order in the mean as well, but from so few networks that a
    sample of them shows it only at the larger ε, and an exponent above 2.

    Args:
        config: Of which the sizes, the width, the seeds and the key are used.
        p: Order of the norm that bounds the attack.
        q: Order of the norm in the penalty; dual to p unless given.

    Returns:
        32 times as many rows as the configuration has seeds, a column for each size in increasing
        order.
    """

    net, d = network(config.width, "gelu"), SIDE**2
    draws = Draws(("loss",), (2.0,), "digits", seed=config.seed, lazy=False)
    sizes = np.array(sorted(config.eps)) * d ** (1 / p)
    order = float(dual(p)) if q is None else q

    def measure(weights: Any, xs: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
        increase = loss_increase(net.body, weights, xs[0], labels[0])
        gradient = jax.grad(increase)(jnp.zeros_like(xs[0]))

        # both losses less L(x), which would only add its rounding
        def gap(size: jax.Array) -> jax.Array:
            attacked = increase(steepest(gradient, p, size)) / 2
            return jnp.abs(attacked - size / 2 * norm(gradient, order))

        return jax.vmap(gap)(jnp.asarray(sizes))

    with jax.enable_x64(True):
        seeds = range(COMPARED * config.seeds)
        run = engine.sampler(
            net, (SIDE,), draws, lambda side: measure, len(seeds),
            measured=("augmented", float(p), order, sizes.tolist()),
        )  # fmt: skip
        return run(seeds)[0]


def trained(
    config: Config, loss: str = "clean", p: float = 2.0
) -> Float[np.ndarray, "seeds norms"]:
    """Mean ‖∂_x L‖_q over held-out digits after training.

    A seed's first weights and its batches do not depend on the loss.

    Args:
        config: How to train, and the orders p to which the orders q of the norms are dual.
        loss: What to train on: clean, augmented or penalized.
        p: Order of the norm that bounds the attack, for the last two.

    Returns:
        The means by (seed, norm of the configuration).
    """

    net, d = network(config.width), SIDE**2
    data = datasets.digits()
    training, held_out = data.training.standardized(), data.test.standardized()
    size = config.train_eps * d ** (1 / p)
    compare = {"augmented": losses.augmented, "penalized": losses.penalized}

    def of_example(weights: Any, x: jax.Array, label: jax.Array) -> jax.Array:
        if loss == "clean":
            return losses.cross_entropy(net.body, weights, x, label)
        return compare[loss](net.body, weights, x, label, p, size)

    def of_batch(weights: Any, xs: jax.Array, labels: jax.Array) -> jax.Array:
        return jax.vmap(of_example, (None, 0, 0))(weights, xs, labels).mean()

    count = len(training.labels)
    batches = count // BATCH
    optimizer = optax.adam(3e-3)

    def of_seed(
        index: jax.Array, images: jax.Array, labels: jax.Array, xs: jax.Array, ys: jax.Array
    ) -> jax.Array:
        key = jax.random.fold_in(jax.random.key(config.seed), index)
        weights_key, batch_key = jax.random.split(key)
        weights = layers.init(net.body, weights_key, net.input_shape(SIDE))

        def epoch(state: Any, key: jax.Array) -> tuple[Any, None]:
            drawn = jax.random.permutation(key, count)[: batches * BATCH]
            return jax.lax.scan(step, state, drawn.reshape(batches, BATCH))

        def step(state: Any, batch: jax.Array) -> tuple[Any, None]:
            weights, memory = state
            slope = jax.grad(of_batch)(weights, images[batch], labels[batch])
            updates, memory = optimizer.update(slope, memory)
            return (optax.apply_updates(weights, updates), memory), None

        start = (weights, optimizer.init(weights))
        (weights, _), _ = jax.lax.scan(epoch, start, jax.random.split(batch_key, config.epochs))

        def norms(x: jax.Array, label: jax.Array) -> jax.Array:
            g = jax.grad(losses.cross_entropy, argnums=2)(net.body, weights, x, label)
            return jnp.stack([norm(g, float(dual(order))) for order in config.attack_norms])

        return jax.vmap(norms)(xs, ys).mean(0)

    # images as arguments: as constants they would be folded into whatever reads them
    seeds = jnp.arange(config.seeds)
    given = (training.images, training.labels, held_out.images, held_out.labels)
    found = jax.jit(jax.vmap(of_seed, (0, None, None, None, None)))(
        seeds, *(jnp.asarray(array) for array in given)
    )
    return np.asarray(found, float)
