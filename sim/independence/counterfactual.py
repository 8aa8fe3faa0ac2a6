"""The counterfactual network: a forward pass with weights W, a backward pass with copies W′.

Mean-field theory takes gradients as independent of the weights that made the activations (Poole et
al. 2016; Schoenholz et al. 2017; Yang, arXiv 2006.14548). Here this is a network that one can run.
The jaxpr of a model is read once. What depends on weights alone is computed twice, from W and from
an independent copy W′. Where a product meets such a weight w and a signal h, which depends on the
input, its value is w · h and its derivative h′ ↦ w′ · h′. All else is JAX's own differentiation:
activations, maxima, statistics and scores are those of the forward pass, and what is shared under W
is shared under W′.

The same reading gives three rungs of a ladder of networks with one forward pass:

1. hypothesis H: copies, and every mask of a ReLU a fair coin;
2. gradient independence: copies, true masks;
3. the network as it is.

`Backward` says from which place on, counted from the input, copies and coins are taken.

The last weights need no copy. What is below them does not depend on them, and what is above depends
on them by the logits alone; so gradients with their own values are those that independence means,
and the residual of a loss, which knows the logits, keeps knowing them (`Reading.head`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jaxtyping import Array

from sim.independence.backward import Backward, Reading
from sim.independence.interpretation import Interpretation
from sim.independence.operands import Signal, Weight, value_of

INDEPENDENCE = Backward()
"""Copies of all weights, and the true masks."""


def counterfactual(
    apply_model: Callable[[Any, Any], Any],
    weights: Any,
    copies: Any,
    random: Sequence[bool],
    backward: Backward = INDEPENDENCE,
    reading: Reading | None = None,
    closed: core.ClosedJaxpr | None = None,
) -> Callable[[Array], Array]:
    """`apply_model` as a function of its inputs, with W forwards and copies W′ backwards.

    Args:
        apply_model: a function of weights, any pytree, and of inputs x of any shape.
        weights: W.
        copies: W′, of the same structure.
        random: which leaves of W are random; the others are their own copies.
        backward: where copies and coins are used.
        reading: takes down what is found.
        closed: the jaxpr of `apply_model` at such weights and inputs (`jaxpr_of`), if it is known.

    Returns:
        A function of x with the values of `apply_model(weights, x)`, for reverse-mode derivatives.
    """
    found = Reading() if reading is None else reading
    leaves, structure = jax.tree.flatten(weights)
    both = zip(leaves, jax.tree.leaves(copies), random, strict=True)
    arguments: list[Any] = [
        Weight(w, c, frozenset([i])) if is_random else w for i, (w, c, is_random) in enumerate(both)
    ]

    def function(x: Array) -> Array:
        known = jaxpr_of(apply_model, structure.unflatten(leaves), x) if closed is None else closed
        (output,) = Interpretation(backward, found).jaxpr(known, [*arguments, Signal(x)])
        return value_of(output)

    return function


def jaxpr_of(apply_model: Callable[[Any, Any], Any], weights: Any, x: Any) -> core.ClosedJaxpr:
    """The jaxpr of a model as a function of the leaves of its weights, and of its inputs."""
    leaves, structure = jax.tree.flatten(weights)
    return jax.make_jaxpr(lambda leaves, x: apply_model(structure.unflatten(leaves), x))(leaves, x)


def read(
    apply_model: Callable[[Any, Any], Any],
    weights: Any,
    x: Any,
    random: Sequence[bool],
    masks: bool = False,
) -> Reading:
    """What `counterfactual` finds, from the shapes of weights and inputs alone.

    With `masks`, the places of masks are listed, too.
    """
    closed = jaxpr_of(apply_model, weights, x)
    found = Reading(closed=closed, random=tuple(random))

    def function(weights: Any, x: Any, key: Any) -> Any:
        backward = Backward(coins_from=0, key=key) if masks else INDEPENDENCE
        return counterfactual(apply_model, weights, weights, random, backward, found, closed)(x)

    jax.eval_shape(function, weights, x, jax.eval_shape(lambda: jax.random.key(0)))
    return found


def initialized(init: Callable[[Any], Any]) -> tuple[Any, list[bool]]:
    """The shapes of `init(key)`, and which leaves depend on the key, as far as its jaxpr shows."""
    closed, shapes = jax.make_jaxpr(init, return_shape=True)(jax.random.key(0))
    random = set(closed.jaxpr.invars)
    for equation in closed.jaxpr.eqns:
        if any(not isinstance(x, core.Literal) and x in random for x in equation.invars):
            random |= set(equation.outvars)
    return shapes, [not isinstance(x, core.Literal) and x in random for x in closed.jaxpr.outvars]
