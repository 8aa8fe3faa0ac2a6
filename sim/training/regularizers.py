"""What a network is trained on: the loss of a batch, ordinary or regularized against attacks.

All are in training mode: batch normalization takes its statistics from the batch, the attacked
images being part of it. (`sim.attacks.losses` has the same losses of one input without that.)
Strengths are changes ε per coordinate of the input, whatever the norm and d: ε_p = ε d^{1/p}, and
with q dual to p a gradient penalty weighs ε d^{1 − 1/q}, as in Simon-Gabriel et al. (ICML 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from sim.attacks.ascent import anywhere, ascended, steepest
from sim.networks.batch_norm import apply_batch
from sim.networks.layers import Weights
from sim.training.configuration import INTERVENTIONS
from theory.network import Serial

Images = Float[Array, "n side side channels"]
Labels = Int[Array, " n"]
Loss = tuple[Float[Array, ""], Weights]
"""Mean loss of a batch, and the weights with their running statistics moved."""

PGD_REACH = 1 / 0.75
"""Steps of ε / (0.75 · steps), as in the paper's experiments."""


@dataclass(frozen=True)
class Batch:
    """The images of one step of training, and how they are attacked or penalized."""

    xs: Images
    labels: Labels
    key: Key[Array, ""]
    """For what a regularizer draws: starts of attacks, signs."""
    strength: Float[Array, ""] | float
    """Change ε per coordinate of the input."""
    steps: int
    """Of projected ascent."""

    def size(self, p: float) -> Array | float:
        """ε_p = ε d^{1/p}, d the coordinates of one image."""
        return self.strength * self.xs[0].size ** (1 / p)


def _losses(body: Serial, weights: Weights, xs: Images, labels: Labels) -> tuple[Array, Weights]:
    """Cross-entropies of the images, and the moved weights."""
    logits, moved = apply_batch(body, weights, xs)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0], moved


def _gradients(body: Serial, weights: Weights, xs: Images, labels: Labels) -> Images:
    """∂_x of the sum of losses."""
    return jax.grad(lambda xs: _losses(body, weights, xs, labels)[0].sum())(xs)


def ordinary(body: Serial, weights: Weights, batch: Batch) -> Loss:
    """The mean cross-entropy."""
    losses, moved = _losses(body, weights, batch.xs, batch.labels)
    return losses.mean(), moved


def penalized(p: float, body: Serial, weights: Weights, batch: Batch) -> Loss:
    """Mean of L + ½ ε_p ‖∂_x L‖_q (double backpropagation).

    By the envelope theorem the derivative of ‖g‖_q = u·g is that at a fixed maximizer u.
    """

    def total(xs: Images) -> tuple[Array, tuple[Array, Weights]]:
        losses, moved = _losses(body, weights, xs, batch.labels)
        return losses.sum(), (losses, moved)

    gradients, (losses, moved) = jax.grad(total, has_aux=True)(batch.xs)
    units = jax.lax.stop_gradient(jax.vmap(lambda g: steepest(g, p, 1.0))(gradients))
    norms = jnp.sum(units * gradients, axis=(1, 2, 3))
    return jnp.mean(losses + batch.size(p) / 2 * norms), moved


def _augmented(body: Serial, weights: Weights, batch: Batch, deltas: Images) -> Loss:
    both = jnp.concatenate([batch.xs, batch.xs + jax.lax.stop_gradient(deltas)])
    losses, moved = _losses(body, weights, both, jnp.concatenate([batch.labels, batch.labels]))
    return losses.mean(), moved


def single_step(p: float, body: Serial, weights: Weights, batch: Batch) -> Loss:
    """Mean of ½ (L(x) + L(x + δ)), δ the steepest attack with ‖δ‖_p = ε_p."""
    size = batch.size(p)
    gradients = _gradients(body, weights, batch.xs, batch.labels)
    return _augmented(body, weights, batch, jax.vmap(lambda g: steepest(g, p, size))(gradients))


def pgd(p: float, body: Serial, weights: Weights, batch: Batch) -> Loss:
    """Mean of ½ (L(x) + L(x + δ)), δ from projected ascent with a random start, p = 1, 2, ∞."""
    size, xs = batch.size(p), batch.xs
    keys = jax.random.split(batch.key, len(xs))
    start = size * jax.vmap(lambda k, x: anywhere(k, x, p))(keys, xs)
    move = jax.vmap(partial(ascended, p=p, size=size, steps=batch.steps, reach=PGD_REACH))

    fixed = jax.lax.stop_gradient(weights)

    def step(deltas: Images, _: None) -> tuple[Images, None]:
        return move(deltas, _gradients(body, fixed, xs + deltas, batch.labels)), None

    deltas, _ = jax.lax.scan(step, start, length=batch.steps)
    return _augmented(body, weights, batch, deltas)


def cross_lipschitz(body: Serial, weights: Weights, batch: Batch) -> Loss:
    """Mean of L + ½ ε² d / K² Σ_kl ‖∂_x f_k − ∂_x f_l‖_2², K the number of classes.

    (M. Hein & M. Andriushchenko, NIPS 2017.) Σ_kl ‖g_k − g_l‖² = 2K Σ_k ‖g_k − ḡ‖², which is
    2K E‖Σ_k s_k (g_k − ḡ)‖² for random signs s: one draw for each image, so that the penalty is
    right in the mean and takes one backward pass instead of K.
    """

    def at(xs: Images) -> tuple[Array, tuple[Array, Weights, int]]:
        logits, moved = apply_batch(body, weights, xs)
        signs = jax.random.rademacher(batch.key, logits.shape, logits.dtype)
        centred = signs - signs.mean(axis=1, keepdims=True)
        log_shares = jax.nn.log_softmax(logits)
        losses = -jnp.take_along_axis(log_shares, batch.labels[:, None], axis=1)[:, 0]
        return jnp.sum(centred * logits), (losses.mean(), moved, logits.shape[1])

    gradients, (loss, moved, classes) = jax.grad(at, has_aux=True)(batch.xs)
    squares = jnp.sum(gradients**2, axis=(1, 2, 3)).mean()
    return loss + batch.size(2.0) ** 2 / 2 * 2 / classes * squares, moved


INFINITY = float("inf")

LOSSES: dict[str, Callable[[Serial, Weights, Batch], Loss]] = {
    "ordinary": ordinary,
    "penalty-l1": partial(penalized, INFINITY),
    "penalty-l2": partial(penalized, 2.0),
    "step-linf": partial(single_step, INFINITY),
    "step-l2": partial(single_step, 2.0),
    "pgd-linf": partial(pgd, INFINITY),
    "pgd-l2": partial(pgd, 2.0),
    "cross-lipschitz": cross_lipschitz,
    **dict.fromkeys(INTERVENTIONS, ordinary),
}
"""By the names of `sim.training.configuration`, which the command line takes."""
