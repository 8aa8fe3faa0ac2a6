"""Gaussian planes: expectations over cones of directions."""

from typing import Any

import sympy as sp

SOURCE = "derived here, after hypothesis H1 of Simon-Gabriel et al. (ICML 2019)"
HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)
theta = sp.Symbol("theta", real=True)


def cone(opening: Any, integrand: Any = 1) -> sp.Expr:
    """The expectation of `integrand`, a function of the direction, over a cone of directions."""
    return sp.Integral(integrand / (2 * sp.pi), (theta, *opening))
