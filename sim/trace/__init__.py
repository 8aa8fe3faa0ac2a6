"""The law of any JAX model, read from its jaxpr: second moments pushed through the network.

`trace(init, apply, shape)` reads `apply` once and builds its squared network, in which every random
weight is replaced by its second moment, every activation by that of its slope, every fixed linear
map by its squared coefficients, sums by sums. Its transpose, applied to a logit, is the map of
E(∂f/∂x_i)² over all input coordinates. This is Theorem 5 of Simon-Gabriel et al. (ICML 2019),
coordinate by coordinate and for any wiring; no gradient is sampled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array, Float

from sim.trace.pointwise import FORWARD_PASSES, GAUSSIAN, settled
from sim.trace.rules import PRODUCTS, apply
from sim.trace.source import Source
from sim.trace.values import Constant, Operand, Pointwise, Signal, Step, Tape, TraceError
from sim.trace.walk import walk
from sim.trace.weights import FORWARD, Frontier

__all__ = ["Row", "Trace", "TraceError", "trace"]


@dataclass(frozen=True)
class Row:
    """One layer of a network: consecutive equations of one source line."""

    gain: float
    """Energy gain κ = E‖∂f/∂x_in‖² / E‖∂f/∂x_out‖², over all ways through the equations."""
    kind: str
    source: Source
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """What the squared network says at one input shape."""

    energy: Float[np.ndarray, "..."]
    """E(∂f_k/∂x_i)² of one logit, in the shape of the input, averaged over the logits."""
    logits: float
    """The mean square of a logit, at inputs of mean square 1."""
    classes: int
    rows: tuple[Row, ...]
    """Energy gains, from the input to the logits."""
    basis: Literal["hypothesis-H", "wide"]
    assumptions: tuple[str, ...]


_KNOWN = object()


def trace(
    init: Callable[[Any], Any],
    apply_model: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
    logit: int | None = None,
    seed: int = 0,
) -> Trace:
    """Second moments of the input gradient of a model's logits at random initialization.

    `init(key)` draws the weights, any pytree; `apply_model(weights, x)` gives the logits (classes,)
    for one input x of `shape`. Inputs have mean square 1 in every coordinate. `logit` is the index
    of one logit; None averages over all of them.

    Raises TraceError, with one sentence that names the primitive and the line of the model's
    source, where a rule is missing or does not hold.
    """
    key = jax.random.key(seed)
    leaves, structure = jax.tree.flatten(jax.eval_shape(init, key))
    x = jax.ShapeDtypeStruct(shape, jnp.zeros(0).dtype)

    def of_leaves(leaves: list[Any], x: Any) -> Any:
        return apply_model(jax.tree.unflatten(structure, leaves), x)

    closed = jax.make_jaxpr(of_leaves)(leaves, x)
    frontier = Frontier(lambda key: jax.tree.leaves(init(key)), closed)
    tape, outputs = _read(closed, frontier, key, shape)
    logits = outputs[0]
    if len(outputs) != 1 or len(closed.out_avals[0].shape) != 1:
        raise TraceError("the model does not give one vector of logits for one input.")
    if not isinstance(logits, Signal):
        raise TraceError("the model's logits do not depend on its input.")
    classes = logits.shape[0]
    chosen = jnp.full(classes, 1 / classes) if logit is None else jax.nn.one_hot(logit, classes)
    energy, gains = tape.pull(logits.node, chosen)
    rows = _rows(tape.steps, gains)
    assumptions = tuple(dict.fromkeys(a for row in rows for a in row.assumptions))
    wide = {GAUSSIAN, FORWARD_PASSES, PRODUCTS} & set(assumptions)
    return Trace(
        energy=np.zeros(shape) if energy is None else np.asarray(energy, float),
        logits=float(jnp.mean(logits.square)),
        classes=classes,
        rows=rows,
        basis="wide" if wide else "hypothesis-H",
        assumptions=assumptions,
    )


def _read(
    closed: core.ClosedJaxpr, frontier: Frontier, key: Any, shape: tuple[int, ...]
) -> tuple[Tape, list[Operand]]:
    """The squared network of a jaxpr, and its outputs; node 0 is the input."""
    given: Iterator[Operand] = frontier.operands(key)
    tape = Tape()

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
        return list(apply(equation, [operand(value) for value in operands], tape, place))

    weights = [_KNOWN] * (len(closed.jaxpr.invars) - 1)
    outputs = walk(closed, [*weights, x], lambda v: isinstance(v, Signal | Pointwise), known, reads)
    return tape, [settled(v, tape) if isinstance(v, Pointwise) else v for v in outputs]


def _rows(steps: list[Step], gains: list[float]) -> tuple[Row, ...]:
    """Steps of one line together, but each layer for itself; those that keep energies left out."""
    rows: list[Row] = []
    for step, gain in zip(steps, gains, strict=True):
        if not np.isfinite(gain) or step.kind in ("arrange", "sum"):
            continue
        last = rows[-1] if rows else None
        scaling = step.kind in ("scale", "average")
        if last and last.source == step.source and (scaling and last.kind in ("average", "scale")):
            kind = "average" if "average" in (last.kind, step.kind) else "scale"
            assumptions = tuple(dict.fromkeys(last.assumptions + step.assumptions))
            rows[-1] = Row(last.gain * gain, kind, step.source, assumptions)
        else:
            rows.append(Row(gain, step.kind, step.source, step.assumptions))
    return tuple(row for row in rows if row.kind != "scale" or abs(row.gain - 1) > 1e-6)
