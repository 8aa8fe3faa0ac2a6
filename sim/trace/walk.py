"""One way through a jaxpr for every reading of it: calls are looked through, scans are unrolled."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import eval_jaxpr
from jax.extend import core

from sim.trace import source
from sim.trace.source import Source

CALLS = {
    *("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"),
    "custom_vmap_call",
}
Known = Callable[[Any, list[Any]], list[Any]]
Reads = Callable[[Any, list[Any], Source], list[Any]]


def walk(
    closed: core.ClosedJaxpr,
    arguments: list[Any],
    is_signal: Callable[[Any], bool],
    known: Known,
    reads: Reads,
    place: Source | None = None,
) -> list[Any]:
    """The outputs of a jaxpr, its equations evaluated in order by two functions.

    `known(equation, values)` is called where no value is a signal, a function of the network's
    input; `reads(equation, values, source)` where some are. `place` replaces the equations' own
    source lines. Values may be anything; literals are `core.Literal`.
    """
    values: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    values |= zip(closed.jaxpr.invars, arguments, strict=True)

    def read(variable: Any) -> Any:
        return variable if isinstance(variable, core.Literal) else values[variable]

    def inside(inner: core.ClosedJaxpr, operands: list[Any], line: Source | None) -> list[Any]:
        return walk(inner, operands, is_signal, known, reads, line)

    for equation in closed.jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        if equation.primitive.name == "platform_index":
            values[equation.outvars[0]] = plain_platform(equation)
            continue
        line = place or source.of(equation)
        if not any(map(is_signal, operands)):
            outputs = known(equation, operands)
        elif equation.primitive.name in CALLS:
            inner = inner_jaxpr(equation)
            own_lines = place is None and not source.of_library(inner.jaxpr)
            outputs = inside(inner, operands, None if own_lines else line)
        elif equation.primitive.name == "cond" and isinstance(operands[0], np.integer):
            outputs = inside(equation.params["branches"][int(operands[0])], operands[1:], None)
        elif equation.primitive.name == "scan":
            outputs = _scan(equation, operands, inside, line)
        else:
            outputs = reads(equation, operands, line)
        values |= zip(equation.outvars, outputs, strict=True)
    return [read(variable) for variable in closed.jaxpr.outvars]


def bind(equation: Any, *operands: Any) -> list[Any]:
    """The outputs of an equation at arrays."""
    primitive = equation.primitive
    if primitive.name in CALLS:
        inner = inner_jaxpr(equation)
        return eval_jaxpr(inner.jaxpr, inner.consts, *operands)
    outputs = primitive.bind(*operands, **equation.params)
    return list(outputs) if primitive.multiple_results else [outputs]


def plain_platform(equation: Any) -> np.int32:
    """The branch of an equation platform_index that is for any other platform.

    All branches compute the same, and this one by no trick of one machine.
    """
    return np.int32(len(equation.params["platforms"]) - 1)


def literal(variable: core.Literal) -> np.ndarray:
    """The value of a literal, as `array` gives it, in the type that the jaxpr has."""
    return array(np.asarray(variable.val, getattr(variable.aval, "dtype", None)))


def array(value: Any) -> np.ndarray:
    """An array of NumPy, in single precision where JAX has less, which NumPy hardly knows."""
    found = np.asarray(value)
    is_short = found.dtype.itemsize < 4 and jnp.issubdtype(found.dtype, jnp.floating)
    return found.astype(np.float32) if is_short else found


def inner_jaxpr(equation: Any) -> core.ClosedJaxpr:
    """What is called by an equation whose primitive is one of `CALLS`."""
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")
    inner = next(equation.params[name] for name in names if name in equation.params)
    return inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())


def _scan(
    equation: Any, operands: list[Any], inside: Callable[..., list[Any]], line: Source
) -> list[Any]:
    """All steps of a scan, one after the other."""
    parameters, avals = equation.params, [v.aval for v in equation.invars]
    fixed, carried = parameters["num_consts"], parameters["num_carry"]
    consts, carry = operands[:fixed], operands[fixed : fixed + carried]
    length, columns = parameters["length"], []
    order = range(length)[::-1] if parameters["reverse"] else range(length)
    for i in order:
        slices = []
        for value, aval in zip(operands[fixed + carried :], avals[fixed + carried :], strict=True):
            part = jax.make_jaxpr(lambda array, i=i: jax.lax.index_in_dim(array, i, 0, False))(aval)
            slices += inside(part, [value], line)
        outputs = inside(parameters["jaxpr"], [*consts, *carry, *slices], None)
        carry = outputs[:carried]
        columns.append(outputs[carried:])
    if parameters["reverse"]:
        columns.reverse()
    stacked = []
    for k, variable in enumerate(equation.outvars[carried:]):
        entry = jax.ShapeDtypeStruct(variable.aval.shape[1:], variable.aval.dtype)
        stack = jax.make_jaxpr(lambda *rows: jnp.stack(rows))(*[entry] * length)
        stacked += inside(stack, [column[k] for column in columns], line)
    return [*carry, *stacked]
