"""Sums of weights and one mask: the moments on which second and fourth moments of networks rest."""

from typing import Any

import sympy as sp

from theory.statements.derivation import Step, derive, eq

v, moment = sp.symbols("v M", positive=True)
total, weight, slope = sp.symbols("S w alpha", real=True)


def moment_of_a_sum() -> Step:
    """E(Σ_a w_a u_a)² = v Σ_a u_a² for every number of terms."""
    before, last = sp.symbols("Q u", positive=True)
    grown = expectation((total + weight * last) ** 2, {weight: (0, v)})
    return derive(
        eq(moment, v * (before + last**2)),
        "E(Σ w_a u_a)² = v Σ u_a² for every number of terms and whatever u, by induction: one "
        "more weight w, of mean 0 and variance v, is uncorrelated with the sum S so far, so "
        "E(S + w u)² = E S² + v u²",
        meaning=lambda: {moment: grown.subs({total**2: v * before, total: 0})},
    )


def expectation(polynomial: Any, moments: dict[sp.Symbol, tuple[Any, ...]]) -> sp.Expr:
    """The mean of a polynomial in independent variables with the given moments, the first first.

    Every variable is independent of all other symbols.
    """
    result = sp.expand(polynomial)
    for variable, known in moments.items():
        powers = (sp.Integer(1), *known)
        terms = sp.Poly(result, variable).terms()
        result = sp.expand(sp.Add(*(powers[power] * rest for (power,), rest in terms)))
    return result


def slope_of(argument: Any) -> sp.Expr:
    """φ'(z) of a leaky ReLU at z ≠ 0: 1 for positive z and `slope` for negative."""
    return (1 + slope) / 2 + (1 - slope) / 2 * sp.sign(argument)
