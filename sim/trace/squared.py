"""The squared network of a model, before any energy is sent through it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from sim.trace import initial, weights
from sim.trace.arrays import one_thread
from sim.trace.independence import every
from sim.trace.initial import Fixed
from sim.trace.pointwise import settled
from sim.trace.random import Draws
from sim.trace.rules import apply
from sim.trace.scatter import OF_GAUSSIANS
from sim.trace.source import Source
from sim.trace.values import Constant, Operand, Pointwise, Signal, Tape, TraceError, Weight
from sim.trace.walk import array, literal, walk


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
    passes: Draws
    """The weights of its forward passes."""


def squared(
    init: Callable[[Any], Any],
    apply_model: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
    seed: int = 0,
) -> Squared:
    """The squared network of a model at one input shape; arguments and errors as in `trace`."""
    # the functions themselves are traced, so that JAX finds what it has traced before
    key = jax.eval_shape(jax.random.key, 0)
    init_jaxpr, structure = jax.make_jaxpr(init, return_shape=True)(key)
    x = jax.ShapeDtypeStruct(shape, jnp.zeros(0).dtype)
    closed = jax.make_jaxpr(apply_model)(structure, x)
    leaves = initial.leaves(init, init_jaxpr)
    with one_thread():
        passes = Draws(weights.passes(math.prod(shape)), seed + 1)
        tape, outputs, made = _read(closed, leaves, passes, seed, shape)
    logits = outputs[0]
    if len(outputs) != 1 or len(closed.out_avals[0].shape) != 1:
        raise TraceError("the model does not give one vector of logits for one input.")
    if not isinstance(logits, Signal):
        raise TraceError("the model's logits do not depend on its input.")
    return Squared(closed, tape, logits, made, passes)


def _read(
    closed: core.ClosedJaxpr,
    leaves: list[initial.Value],
    passes: Draws,
    seed: int,
    shape: tuple[int, ...],
) -> tuple[Tape, list[Any], list[list[Operand]]]:
    """The squared network of a jaxpr, its outputs, and those of its equations."""
    tape = Tape()
    made: list[list[Operand]] = []
    operands: dict[int, tuple[Any, Constant | Weight]] = {}

    def inputs(known: Any) -> np.ndarray:
        passes.decides = True
        generator = np.random.default_rng((seed, 1))
        return generator.standard_normal((passes.number, *shape), np.float32)

    x = Signal(
        tape.node(shape),
        shape,
        inputs,
        lambda: np.ones(shape),
        centred=True,
        independent=every(shape),
        scatter=lambda: (0.0, OF_GAUSSIANS),
    )

    def operand(value: Any, place: Source) -> Operand:
        if isinstance(value, Signal | Pointwise):
            return value
        if isinstance(value, core.Literal):
            return Constant(literal(value))
        if not isinstance(value, initial.Value):
            return Constant(array(value))
        if id(value) not in operands:
            operands[id(value)] = value, weights.operand(value, passes, place)
        return operands[id(value)][1]

    def known(equation: Any, given: list[Any]) -> list[Any]:
        return initial.outputs(equation, [_value(x) for x in given])

    def reads(equation: Any, given: list[Any], place: Source) -> list[Any]:
        made.append(apply(equation, [operand(value, place) for value in given], tape, place))
        return list(made[-1])

    outputs = walk(closed, [*leaves, x], lambda v: isinstance(v, Signal | Pointwise), known, reads)
    return tape, [settled(v, tape) if isinstance(v, Pointwise) else v for v in outputs], made


def _value(x: Any) -> initial.Value:
    if isinstance(x, core.Literal):
        return Fixed(literal(x))
    return x if isinstance(x, initial.Value) else Fixed(x)
