"""Moments of weights and gradients of which the paper's hypotheses speak, seed by seed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Moments(NamedTuple):
    """Of one seed, or of several along a first axis. Arrays of weights have two axes or more."""

    independent_map: Float[Any, "*seeds side side"]
    """Σ_channels g² under gradient independence, the mean over the inputs."""
    map: Float[Any, "*seeds side side"]
    """The same of the network as it is."""
    gaussian: Float[Any, "*seeds"]
    """Mean |g| over √(mean g²)·√(2/π), the mean over the inputs."""
    nonzero: Float[Any, "*seeds"]
    """The share of coordinates of g that are not zero."""
    square: Float[Any, "*seeds arrays"]
    """The mean square of each array of weights."""
    sum: Float[Any, "*seeds arrays"]
    """The sum of its weights over the root of the sum of their squares."""
    node: Float[Any, "*seeds arrays 2"]
    """(Σw)²/Σw² over the weights of one output, and of one input, in the mean over outputs and
    over inputs, if the array has its outputs along the last axis and its inputs along the first."""


def measured(weights: Any, gradients: Float[Array, "2 n side side channels"]) -> Moments:
    """The moments of one network.

    Args:
        weights: Its weights, a pytree.
        gradients: Its input gradients as `sim.independence.ladder.measure` has them: under gradient
            independence, and of the network as it is.
    """
    independent, g = gradients
    axes = tuple(range(1, g.ndim))
    root = jnp.sqrt(jnp.mean(g**2, axis=axes))
    shape = jnp.mean(jnp.abs(g), axis=axes) / jnp.where(root > 0, root, 1)
    of_arrays = [_of_array(array) for _, array in _arrays(weights)]
    square, total, node = ([values[i] for values in of_arrays] for i in range(3))
    return Moments(
        independent_map=jnp.mean(jnp.sum(independent**2, axis=-1), axis=0),
        map=jnp.mean(jnp.sum(g**2, axis=-1), axis=0),
        gaussian=jnp.mean(shape) * jnp.sqrt(jnp.pi / 2),
        nonzero=jnp.mean(g != 0),
        square=jnp.array(square),
        sum=jnp.array(total),
        node=jnp.array(node).reshape(len(of_arrays), 2),
    )


def array_names(weights: Any) -> list[str]:
    """The names of the arrays of `measured`: their places in the pytree of weights."""
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in _arrays(weights)]


def _arrays(weights: Any) -> list[tuple[Any, Any]]:
    leaves = jax.tree_util.tree_flatten_with_path(weights)[0]
    return [(path, w) for path, w in leaves if w.ndim > 1 and jnp.issubdtype(w.dtype, jnp.floating)]


def _of_array(w: Array) -> tuple[Array, Array, Array]:
    """Mean square, sum in units of its error, and the sums of the weights of one node squared."""
    squares = jnp.sum(w**2)
    unit = jnp.where(squares > 0, squares, 1)
    by_output = jnp.sum(jnp.sum(w, axis=tuple(range(w.ndim - 1))) ** 2) / unit
    by_input = jnp.sum(jnp.sum(w, axis=tuple(range(1, w.ndim))) ** 2) / unit
    return squares / w.size, jnp.sum(w) / jnp.sqrt(unit), jnp.stack([by_output, by_input])
