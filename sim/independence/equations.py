"""One equation of a jaxpr: what it calls, how it is evaluated, whether it is linear."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.core import eval_jaxpr
from jax.extend import core

CALLS = {
    *("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"),
    *("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_vmap_call"),
}
"""Primitives that apply a jaxpr once."""

REMAT = {"remat", "remat2", "checkpoint"}
CUSTOM_BACKWARD = {"custom_vjp_call", "custom_vjp_call_jaxpr"}


def bind(equation: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs of an equation at arrays, derivatives that a user defined included."""
    primitive, found = equation.primitive, equation.primitive.get_bind_params(equation.params)
    # in some versions of jax the functions that an equation calls come apart from its parameters
    functions, parameters = found if isinstance(found, tuple) else ((), found)
    outputs = primitive.bind(*functions, *values, **parameters)
    return list(outputs) if primitive.multiple_results else [outputs]


def called(equation: Any) -> core.ClosedJaxpr:
    """The jaxpr that an equation applies whose primitive is one of `CALLS`."""
    names = ("jaxpr", "call_jaxpr", "fun_jaxpr", "call")
    inner = next(equation.params[name] for name in names if name in equation.params)
    return inner if isinstance(inner, core.ClosedJaxpr) else core.ClosedJaxpr(inner, ())


def evaluated(closed: core.ClosedJaxpr, values: Sequence[Any]) -> list[Any]:
    """The outputs of a jaxpr at arrays."""
    return eval_jaxpr(closed.jaxpr, closed.consts, *values)


def is_linear(function: Callable[..., Any], *signals: Any) -> bool:
    """Whether JAX can transpose a function at signals of these shapes."""
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in signals]
    try:
        transposed = jax.linear_transpose(function, *shapes)
        jax.eval_shape(transposed, jax.eval_shape(function, *shapes))
    except Exception:  # each primitive that is not linear says so in its own way
        return False
    return True
