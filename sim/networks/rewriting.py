"""A program of JAX with some of its operations computed in another way, just before compilation.

Everything is mapped and differentiated by then, so that one rule for an operation serves forwards,
backwards and under `jax.vmap`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.extend import core

from sim.networks import convolution_layout, decompositions

RULES = (decompositions, convolution_layout)
"""Each says of an equation whether it `applies`, and computes its `results`."""

REBUILT = ("cond", "jit", "pjit", "scan", "while")
"""Primitives whose inner programs stay programs of their own; those of others are set in line."""


def rewritten(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of pytrees of arrays, as `RULES` have it.

    It is for compilation, after everything is mapped and differentiated: rules that a primitive has
    for that are lost.
    """

    def in_another_way(*arguments: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluated(closed, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return in_another_way


def _evaluated(closed: core.ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values |= dict(zip(jaxpr.invars, arguments, strict=True))

    def read(x: Any) -> Any:
        return x.val if isinstance(x, core.Literal) else values[x]

    for equation in jaxpr.eqns:
        results = _results(equation, [read(x) for x in equation.invars])
        values |= dict(zip(equation.outvars, results, strict=True))
    return [read(x) for x in jaxpr.outvars]


def _results(equation: Any, operands: list[Any]) -> Sequence[Any]:
    primitive, params = equation.primitive, equation.params
    for rule in RULES:
        if rule.applies(equation):
            return rule.results(equation, operands)
    if any(map(is_rewritten, _inner(equation))):
        if primitive.name in REBUILT:
            params = {name: _rebuilt(value) for name, value in params.items()}
        elif primitive.name == "custom_linear_solve":
            return _solved(params["const_lengths"], params["jaxprs"], operands)
        else:
            programs = list(_inner(equation))
            if len(programs) == 1 and len(programs[0].jaxpr.invars) == len(operands):
                return _evaluated(programs[0], operands)
    # functions among the parameters are arguments of their own in older versions of jax
    bound = primitive.get_bind_params(params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    results = primitive.bind(*functions, *operands, **params)
    return results if primitive.multiple_results else [results]


def _solved(lengths: Any, programs: Any, operands: list[Any]) -> list[Any]:
    """A linear equation's solution; the other programs are for its derivatives."""
    first = lengths.matvec + lengths.vecmat
    known = operands[first : first + lengths.solve]
    return _evaluated(programs.solve, [*known, *operands[sum(lengths) :]])


def is_rewritten(closed: core.ClosedJaxpr) -> bool:
    """Whether a rule applies somewhere in a program."""
    return any(
        any(rule.applies(equation) for rule in RULES) or any(map(is_rewritten, _inner(equation)))
        for equation in closed.jaxpr.eqns
    )


def _inner(equation: Any) -> Iterator[core.ClosedJaxpr]:
    for value in equation.params.values():
        for entry in value if isinstance(value, tuple | list) else (value,):
            if isinstance(entry, core.ClosedJaxpr):
                yield entry
            elif isinstance(entry, core.Jaxpr):
                yield core.ClosedJaxpr(entry, ())


def _rebuilt(value: Any) -> Any:
    """A parameter of an equation, with its programs rewritten."""
    if isinstance(value, tuple):
        return tuple(map(_rebuilt, value))
    if not isinstance(value, core.ClosedJaxpr) or not is_rewritten(value):
        return value
    like = [
        jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)
        for aval in value.in_avals
    ]
    return jax.make_jaxpr(lambda *arguments: _evaluated(value, arguments))(*like)
