"""Expressions in the input dimension d as d → ∞: their exponents, and their means at the limit."""

from typing import Any

import sympy as sp

from theory.activations import GaussianMean


def growth(energy: Any, d: sp.Symbol) -> sp.Expr:
    """The exponent of d in a positive expression, lim d E'(d) / E(d).

    Gaussian means count with the power of their variance that they approach, or as constants
    where that variance has a finite limit. Raises ValueError if the exponent depends on those
    constants.
    """

    def tail(mean: Any) -> sp.Expr:
        (variance,) = mean.args
        power = mean.growth() if sp.limit(variance, d, sp.oo) == sp.oo else 0
        return sp.Dummy(positive=True) * variance**power

    energy = _at_large(energy, d).replace(_is_mean, tail)
    over, under = sp.fraction(sp.together(energy))
    if over.is_polynomial(d) and under.is_polynomial(d):
        return sp.Integer(sp.Poly(over, d).degree() - sp.Poly(under, d).degree())
    found = sp.cancel(sp.limit(d * sp.diff(energy, d) / energy, d, sp.oo))
    if found.free_symbols:
        raise ValueError("the exponent depends on constants of Gaussian means that are not known.")
    return sp.nsimplify(found, rational=True) if found.has(sp.Float) else found


def settled(expression: sp.Expr, d: sp.Symbol) -> Any:
    """The expression with Gaussian means at the limits of their variances, if these are finite."""

    def settle(mean: Any) -> sp.Expr:
        (variance,) = mean.args
        if any(inner.has(d) for inner in variance.atoms(GaussianMean)):
            return mean
        end = sp.limit(_at_large(variance, d), d, sp.oo)
        return mean if end == sp.oo else mean.func(end)

    return expression.replace(_is_mean, settle)


def _at_large(expression: sp.Expr, d: sp.Symbol) -> Any:
    """The expression without maxima, which are what grows with d once d is large."""

    def largest(*args: sp.Expr) -> sp.Expr:
        growing = [x for x in args if x.has(d)]
        return growing[0] if growing else sp.Max(*args)

    return expression.replace(sp.Max, largest)


def _is_mean(expression: sp.Basic) -> bool:
    return isinstance(expression, GaussianMean)
