"""Exponents of d that `predict` gives, and those of the leading term of its norm."""

from functools import cache
from itertools import product
from typing import Any

import sympy as sp

from theory import architectures
from theory.laws.law import Law
from theory.laws.parts import d
from theory.laws.prediction import predict

q = sp.Symbol("q", positive=True)
exponent = sp.Symbol("e", real=True)

Cases = dict[str, dict[sp.Symbol, Any]]


def of_leading_term(law: Law) -> sp.Expr:
    """The limit of ∂ log(leading term)/∂ log d as d → ∞."""
    slope = sp.simplify(d * sp.diff(sp.log(law.asymptote), d))
    return sp.limit(slope, d, sp.oo)


@cache
def exponents(
    names: tuple[str, ...], orders: tuple[Any, ...], quantity: Any = "logit", head: str = "dense"
) -> Cases:
    """Cases for a claim on `exponent` and `q`: each network and order, found in both ways."""
    found: Cases = {}
    for name, order in product(names, orders):
        law = predict(_network(name, head), order, quantity)
        for way, value in (("", law.exponent), (", leading term", of_leading_term(law))):
            found[f"{name}, q = {order}{way}"] = {q: order, exponent: value}
    return found


def _network(name: str, head: str) -> Any:
    architecture = architectures.find(name)
    return architecture.build(head=head) if architecture.heads else architecture.build()
