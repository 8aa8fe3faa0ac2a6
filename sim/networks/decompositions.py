"""Decompositions of matrices one after the other, which cannot wait for each other.

On a processor jaxlib divides a decomposition of several matrices (LAPACK: QR, Cholesky, SVD, ...)
over XLA's pool of threads, one for each core, and waits there for the parts. XLA runs the
operations of one program on the same pool, and those of programs called from several threads, too:
as soon as every thread of the pool waits for parts that no thread is left to compute, all wait for
ever. One matrix is decomposed where it is called. (Seen with jaxlib 0.10; 0.11 does not divide.)
"""

import math
from collections.abc import Sequence
from typing import Any

import jax

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


def applies(equation: Any) -> bool:
    """Whether it decomposes several matrices."""
    return equation.primitive.name in RANK and math.prod(_batch(equation)) > 1


def results(equation: Any, operands: Sequence[Any]) -> list[Any]:
    """Those of an equation that decomposes several matrices: one after the other."""
    batch = _batch(equation)

    def one(single: list[Any]) -> list[Any]:
        results = equation.primitive.bind(*single, **equation.params)
        return results if equation.primitive.multiple_results else [results]

    flat = [x.reshape(-1, *x.shape[len(batch) :]) for x in operands]
    return [x.reshape(*batch, *x.shape[1:]) for x in jax.lax.map(one, flat)]


def _batch(equation: Any) -> tuple[int, ...]:
    shape = equation.invars[0].aval.shape
    return shape[: len(shape) - RANK[equation.primitive.name]]
