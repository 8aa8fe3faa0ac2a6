"""The squared network of a model, before any energy is sent through it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from sim.trace.pointwise import settled
from sim.trace.rules import apply
from sim.trace.source import Source
from sim.trace.values import Constant, Operand, Pointwise, Signal, Tape, TraceError
from sim.trace.walk import walk
from sim.trace.weights import FORWARD, Frontier


@dataclass(frozen=True)
class Squared:
    """A model's jaxpr and its squared network."""

    closed: core.ClosedJaxpr
    """Of a function of the weights' leaves and the input."""
    tape: Tape
    """Node 0 is the input."""
    logits: Signal
    made: list[list[Operand]]
    """The outputs of every equation that reads the input, in order."""


_KNOWN = object()


def squared(
    init: Callable[[Any], Any],
    apply_model: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
    seed: int = 0,
) -> Squared:
    """The squared network of a model at one input shape; arguments and errors as in `trace`."""
    key = jax.random.key(seed)
    leaves, structure = jax.tree.flatten(jax.eval_shape(init, key))
    x = jax.ShapeDtypeStruct(shape, jnp.zeros(0).dtype)

    def of_leaves(leaves: list[Any], x: Any) -> Any:
        return apply_model(jax.tree.unflatten(structure, leaves), x)

    closed = jax.make_jaxpr(of_leaves)(leaves, x)
    frontier = Frontier(lambda key: jax.tree.leaves(init(key)), closed)
    tape, outputs, made = _read(closed, frontier, key, shape)
    logits = outputs[0]
    if len(outputs) != 1 or len(closed.out_avals[0].shape) != 1:
        raise TraceError("the model does not give one vector of logits for one input.")
    if not isinstance(logits, Signal):
        raise TraceError("the model's logits do not depend on its input.")
    return Squared(closed, tape, logits, made)


def _read(
    closed: core.ClosedJaxpr, frontier: Frontier, key: Any, shape: tuple[int, ...]
) -> tuple[Tape, list[Operand], list[list[Operand]]]:
    """The squared network of a jaxpr, its outputs, and those of its equations."""
    given: Iterator[Operand] = frontier.operands(key)
    tape = Tape()
    made: list[list[Operand]] = []

    def inputs(known: Any) -> Array:
        return jax.random.normal(jax.random.fold_in(key, 1), (FORWARD, *shape))

    x = Signal(tape.node(shape), shape, inputs, lambda known: jnp.ones(shape), centred=True)

    def operand(value: Any) -> Operand:
        if isinstance(value, Signal | Pointwise):
            return value
        return Constant(value.val) if isinstance(value, core.Literal) else next(given)

    def known(equation: Any, operands: list[Any]) -> list[Any]:
        return [_KNOWN] * len(equation.outvars)

    def reads(equation: Any, operands: list[Any], place: Source) -> list[Any]:
        made.append(apply(equation, [operand(value) for value in operands], tape, place))
        return list(made[-1])

    weights = [_KNOWN] * (len(closed.jaxpr.invars) - 1)
    outputs = walk(closed, [*weights, x], lambda v: isinstance(v, Signal | Pointwise), known, reads)
    return tape, [settled(v, tape) if isinstance(v, Pointwise) else v for v in outputs], made
