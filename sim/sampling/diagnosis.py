"""Why the input gradients of a network are all zero or not finite, as far as it can be seen."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sim.models.loading import Own
from sim.networks import gradients, layers, rewriting
from sim.sampling.draws import Draws
from theory.network import Network

NETWORKS = 3
"""So many are looked at."""

INPUTS = 2

Paths = dict[tuple[Any, ...], np.ndarray]


def why_degenerate(network: Network, side: int, draws: Draws) -> str | None:
    """The reason as a clause; None if a few networks at Gaussian inputs show none.

    Args:
        network: One whose gradient norms at this side are all zero, or all not finite.
        side: Of the images.
        draws: With the key and the quantities that were sampled.
    """
    keys = jax.random.split(jax.random.key(draws.seed), NETWORKS)
    looks = [_Look(network, side, key) for key in keys]
    for path in looks[0].weights:
        if not all(np.all(np.isfinite(look.weights[path])) for look in looks):
            return f"{looks[0].name(path)} are not finite"
    seen = [look.seen() for look in looks]
    if not all(logits for logits, _, _ in seen):
        return "the logits are not finite"
    if not all(np.isfinite(of_logits + of_loss) for _, of_logits, of_loss in seen):
        return "the gradient is not finite, though the logits are"
    if looks[0].classes == 1 and draws.quantities == ("loss",):
        return "the loss of one class is zero whatever its logit"
    if any(of_loss for _, _, of_loss in seen):
        return None
    if any(of_logits for _, of_logits, _ in seen):
        return "the softmax of the logits is saturated" if "loss" in draws.quantities else None
    return _zero(looks)


def _zero(looks: "list[_Look]") -> str | None:
    """The weights that are zero in every draw, and without which the gradient would not be."""
    zero = [p for p in looks[0].weights if not any(np.any(look.weights[p]) for look in looks)]
    # matrices first: a bias can wake units that weights of zero leave asleep
    zero.sort(key=lambda path: -looks[0].weights[path].ndim)
    for chosen in [[path] for path in zero] + [zero]:
        if chosen and any(look.seen(chosen)[1] for look in looks):
            return " and ".join(f"{looks[0].name(path)} are zero" for path in chosen)
    return None


class _Look:
    """One network at a few inputs."""

    def __init__(self, network: Network, side: int, key: Any) -> None:
        shape, body = network.input_shape(side), network.body
        self.is_own = any(isinstance(layer, Own) for layer in getattr(body, "layers", ()))
        weights_key, input_key, self.key = jax.random.split(key, 3)
        init = jax.jit(rewriting.rewritten(lambda key: layers.init(body, key, shape)))
        self.tree = init(weights_key)
        self.weights: Paths = {p: np.asarray(x) for p, x in jax.tree.leaves_with_path(self.tree)}
        self.xs = jax.random.normal(input_key, (INPUTS, *shape))
        apply = jax.vmap(lambda x: layers.apply(body, self.tree, x), axis_name=layers.INPUTS)
        self.classes = jax.eval_shape(apply, self.xs).shape[-1]

        def found(weights: Any, xs: Any, key: Any) -> Any:
            apply = jax.vmap(lambda x: layers.apply(body, weights, x), axis_name=layers.INPUTS)
            logits, back = jax.vjp(apply, xs)
            residual = jax.vmap(lambda row: gradients.loss_residual(row, jnp.int32(0)))(logits)
            some = jax.random.normal(key, logits.shape, logits.dtype)
            sizes = [jnp.max(jnp.abs(back(v)[0])) for v in (some, residual)]
            return jnp.all(jnp.isfinite(logits)), *sizes

        self.found = jax.jit(rewriting.rewritten(found))

    def name(self, path: tuple[Any, ...]) -> str:
        """The name of an array of weights: a user knows it without the number of the layer."""
        inner = path[1:] if self.is_own else path
        name = jax.tree_util.keystr(inner, simple=True, separator="/")
        shape = "×".join(map(str, self.weights[path].shape))
        return f"the weights {name} ({shape or 'one number'})".replace("  ", " ")

    def seen(self, filled: list[tuple[Any, ...]] | None = None) -> tuple[bool, float, float]:
        """Whether logits are finite, and the largest entries of gradients of logits and loss.

        Arrays at the paths `filled` are replaced by random numbers.
        """

        def value(path: Any, leaf: Any) -> Any:
            if path not in (filled or []):
                return leaf
            return jax.random.normal(self.key, leaf.shape, leaf.dtype)

        weights = jax.tree.map_with_path(value, self.tree)
        finite, of_logits, of_loss = self.found(weights, self.xs, self.key)
        return bool(finite), float(of_logits), float(of_loss)
