"""Decompositions of matrices one after the other, which cannot wait for each other.

On a processor jaxlib divides a decomposition of several matrices (LAPACK: QR, Cholesky, SVD, ...)
over XLA's pool of threads, one for each core, and waits there for the parts. XLA runs the
operations of one program on the same pool, and those of programs called from several threads, too:
as soon as every thread of the pool waits for parts that no thread is left to compute, all wait for
ever. One matrix is decomposed where it is called. (Seen with jaxlib 0.10; 0.11 does not divide.)
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.extend import core

RANK = {
    "cholesky": 2,
    "eig": 2,
    "eigh": 2,
    "geqp3": 2,
    "geqrf": 2,
    "hessenberg": 2,
    "householder_product": 2,
    "lu": 2,
    "ormqr": 2,
    "qr": 2,
    "schur": 2,
    "svd": 2,
    "triangular_solve": 2,
    "tridiagonal": 2,
    "tridiagonal_solve": 1,
}
"""Axes of the first operand of one decomposition; axes before them count the decompositions."""

REBUILT = ("cond", "jit", "pjit", "scan", "while")
"""Primitives whose inner programs stay programs of their own; those of others are set in line."""


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of pytrees of arrays, whose decompositions are of one matrix each.

    It is for compilation, after everything is mapped and differentiated: rules that a primitive has
    for that are lost.
    """

    def one_by_one(*arguments: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluated(closed, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return one_by_one


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
    if _is_batch(equation):
        return _looped(equation, operands)
    if any(map(_decomposes, _inner(equation))):
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


def _batch(equation: Any) -> tuple[int, ...]:
    shape = equation.invars[0].aval.shape
    return shape[: len(shape) - RANK[equation.primitive.name]]


def _is_batch(equation: Any) -> bool:
    return equation.primitive.name in RANK and math.prod(_batch(equation)) > 1


def _decomposes(closed: core.ClosedJaxpr) -> bool:
    """Whether a program decomposes several matrices at once, somewhere."""
    return any(
        _is_batch(equation) or any(map(_decomposes, _inner(equation)))
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
    """A parameter of an equation, whose programs decompose one matrix at a time."""
    if isinstance(value, tuple):
        return tuple(map(_rebuilt, value))
    if not isinstance(value, core.ClosedJaxpr) or not _decomposes(value):
        return value
    like = [
        jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)
        for aval in value.in_avals
    ]
    return jax.make_jaxpr(lambda *arguments: _evaluated(value, arguments))(*like)


def _looped(equation: Any, operands: list[Any]) -> list[Any]:
    batch = _batch(equation)

    def one(single: list[Any]) -> list[Any]:
        results = equation.primitive.bind(*single, **equation.params)
        return results if equation.primitive.multiple_results else [results]

    flat = [x.reshape(-1, *x.shape[len(batch) :]) for x in operands]
    return [x.reshape(*batch, *x.shape[1:]) for x in jax.lax.map(one, flat)]
