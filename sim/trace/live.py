"""A traced model run with real weights: the energy of the gradient at every node.

The jaxpr is walked in the same order as by the trace. Wherever the trace made a node, a zero is
added; the gradient with respect to it is the gradient there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float, Key

from sim.trace.source import Source
from sim.trace.squared import Squared
from sim.trace.values import Pointwise
from sim.trace.walk import bind, walk


@dataclass(frozen=True)
class _Live:
    """A value that depends on the input, as whatever is fused with it reads it, and as others do.

    Elementwise equations that the trace fuses into one function read what is before the tap.
    """

    inside: Array
    outside: Array


def tapped_nodes(squared: Squared) -> list[int]:
    """The nodes that some equation computes, each once, in order; the input is the first."""
    found = dict.fromkeys([0])
    for outputs in squared.made:
        found |= dict.fromkeys(node for node in map(_node, outputs) if node is not None)
    return list(found)


def _node(operand: Any) -> int | None:
    if isinstance(operand, Pointwise):
        return None if operand.settled is None else operand.settled.node
    return operand.node


def measure(
    squared: Squared,
    leaves: Sequence[Array],
    x: Float[Array, "side side channels"],
    key: Key[Array, ""],
    halves: Sequence[int] = (),
) -> dict[str, Any]:
    """Of one model at one input, for the gradient g of the mean over logits with random signs.

    The signs have mean square 1/classes, so that energies are those of one logit in the mean.
    `energies`: Σ g² at each of `tapped_nodes`; `positive`: the share of positive entries at the
    nodes `halves`; `gradient`: g at the input.
    """
    nodes = tapped_nodes(squared)
    classes = squared.closed.out_avals[0].shape[0]
    signs = jax.random.rademacher(key, (classes,)).astype(x.dtype) / classes**0.5

    def value(taps: list[Array]) -> tuple[Array, dict[int, Array]]:
        waiting = dict(zip(nodes, taps, strict=True))
        made = iter(squared.made)
        positive: dict[int, Array] = {}

        def tapped(node: int | None, array: Array) -> Array:
            tap = None if node is None else waiting.pop(node, None)
            if node is None or tap is None or not jnp.issubdtype(array.dtype, jnp.floating):
                return array
            if node is not None and node in halves:
                positive[node] = jnp.mean(array > 0)
            return array + tap.astype(array.dtype)

        def known(equation: Any, operands: list[Any]) -> list[Any]:
            values = [x.val if isinstance(x, core.Literal) else x for x in operands]
            return bind(equation, *values)

        def reads(equation: Any, operands: list[Any], place: Source) -> list[Any]:
            outputs = next(made)
            fused = isinstance(outputs[0], Pointwise)

            def array(operand: Any) -> Any:
                if isinstance(operand, _Live):
                    return operand.inside if fused else operand.outside
                return operand.val if isinstance(operand, core.Literal) else operand

            values, lives = bind(equation, *map(array, operands)), []
            for output, plain in zip(outputs, values, strict=True):
                after = tapped(_node(output), plain)
                lives.append(_Live(plain if isinstance(output, Pointwise) else after, after))
            return lives

        start = tapped(0, x)
        operands = [*leaves, _Live(start, start)]
        found = walk(squared.closed, operands, lambda v: isinstance(v, _Live), known, reads)
        return signs @ found[0].outside, positive

    zeros = [jnp.zeros(squared.tape.shapes[node], x.dtype) for node in nodes]
    gradients, positive = jax.grad(value, has_aux=True)(zeros)
    return {
        "energies": [jnp.sum(jnp.square(g)) for g in gradients],
        "positive": [positive.get(node, jnp.nan) for node in halves],
        "gradient": gradients[0],
    }
