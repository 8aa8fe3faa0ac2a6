"""What an activation φ does to Gaussian inputs: E φ(√v Z)² and E φ'(√v Z)^k, Z ~ N(0, 1).

When its inputs have variance v, the first is the mean square that it passes on, the second (k = 2)
its energy gain backwards. For ReLU, leaky ReLU and the identity the gain does not depend on v, and
so hypothesis H can do without it; for smooth activations both are functions of v.
"""

import math
from collections.abc import Callable
from functools import cache, singledispatch
from typing import Any

import numpy as np
import sympy as sp
from sympy.printing.latex import LatexPrinter

from theory.initializers import exact
from theory.network import (
    GELU,
    Activation,
    Erf,
    Identity,
    LeakyReLU,
    ReLU,
    SiLU,
    SmoothActivation,
    Tanh,
)

z = sp.Symbol("z", real=True)
POINTS = 2001
REACH = 12.0


class GaussianMean(sp.Function):
    """v ↦ E g(√v Z) for Z ~ N(0, 1) and one g, an expression in `z`; made by `gaussian_mean`.

    Evaluates and lambdifies by quadrature (relative error below 1e-10 for g of polynomial growth)
    and differentiates: d/dv E g(√v Z) = E g''(√v Z) / 2. `rewrite(sympy.Integral)` spells it out,
    `doit()` puts the closed form in its place where one is known.
    """

    nargs = 1
    g: Any
    _imp_: Any
    closed: sp.Lambda | None = None

    def doit(self, **hints: Any) -> sp.Expr:
        v = self.args[0].doit(**hints)
        return self.func(v) if self.closed is None else self.closed(v)

    def fdiff(self, argindex: int = 1) -> Any:
        derivative = gaussian_mean(f"{self.func.__name__}_prime", sp.diff(self.g, z, 2) / 2)
        return derivative(self.args[0])

    def _eval_rewrite_as_Integral(self, v: Any, **hints: Any) -> sp.Expr:  # noqa: N802
        density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
        return sp.Integral(self.g.subs(z, sp.sqrt(v) * z) * density, (z, -sp.oo, sp.oo))

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        v = sp.N(self.args[0])
        return sp.Float(self._imp_(float(v))) if v.is_number and v.is_finite else None

    @classmethod
    def growth(cls) -> Any:
        """k where the function grows like v^k as v → ∞: 1, 0 or −1/2."""
        near, far = (float(cls._imp_(v)) for v in (1e12, 1e14))
        return sp.Rational(round(math.log10(far / near)), 2)

    def _latex(self, printer: LatexPrinter) -> str:
        g = self.g.subs(z, sp.sqrt(self.args[0]) * sp.Symbol("Z"))
        return rf"\mathbb{{E}}\left[{sp.latex(g)}\right]"


@cache
def gaussian_mean(name: str, g: sp.Expr, closed: sp.Lambda | None = None) -> type[GaussianMean]:
    """The function v ↦ E g(√v Z), printed as `name(v)`; g is an expression in `z`.

    `closed` is the same function in closed form.
    """
    numeric = sp.lambdify(z, g, "scipy")
    implementation = np.vectorize(lambda v: _quadrature(numeric, float(v)), otypes=[float])
    contents = {"g": g, "closed": closed, "_imp_": staticmethod(implementation)}
    return type(name, (GaussianMean,), contents)


def _quadrature(g: Any, v: float) -> float:
    # trapezoidal rule in t with z = a sinh t: where v is large, g(√v z) has all its structure
    # within |z| of some 1/√v, and points must be dense there
    a = min(1.0, v**-0.5) if v > 0 else 1.0
    t, step = np.linspace(-np.arcsinh(REACH / a), np.arcsinh(REACH / a), POINTS, retstep=True)
    points = a * np.sinh(t)
    weight = np.exp(-(points**2) / 2) * a * np.cosh(t) / np.sqrt(2 * np.pi) * step
    with np.errstate(over="ignore", under="ignore"):
        return float(np.sum(weight * g(np.sqrt(v) * points)))


@singledispatch
def function(layer: Activation, x: Any) -> sp.Expr:
    """φ(x) as a SymPy expression. Raises TypeError for an activation without a rule."""
    raise TypeError(f"theory.activations has no rule for {type(layer).__name__}.")


@function.register
def _(layer: ReLU, x: Any) -> sp.Expr:
    return sp.Max(x, 0)


@function.register
def _(layer: LeakyReLU, x: Any) -> sp.Expr:
    return sp.Max(x, 0) + exact(layer.slope) * sp.Min(x, 0)


@function.register
def _(layer: Identity, x: Any) -> sp.Expr:
    return sp.sympify(x)


@function.register
def _(layer: Tanh, x: Any) -> sp.Expr:
    return sp.tanh(x)


@function.register
def _(layer: Erf, x: Any) -> sp.Expr:
    return sp.erf(x)


@function.register
def _(layer: GELU, x: Any) -> sp.Expr:
    return x * (1 + sp.erf(x / sp.sqrt(2))) / 2


@function.register
def _(layer: SiLU, x: Any) -> sp.Expr:
    # x (1 + tanh(x/2)) / 2 = x / (1 + e^{−x}), without the overflow of e^{−x}
    return x * (1 + sp.tanh(x / 2)) / 2


@cache
def numeric_function(layer: Activation) -> Callable[[np.ndarray], np.ndarray]:
    """φ for arrays."""
    return sp.lambdify(z, function(layer, z), "scipy")


@cache
def numeric_slope(layer: Activation) -> Callable[[np.ndarray], np.ndarray]:
    """φ' for arrays; where φ has a kink, half way between its two slopes."""
    return sp.lambdify(z, sp.diff(function(layer, z), z), "scipy")


@singledispatch
def mean(layer: Activation, v: Any) -> Any:
    """E φ(√v Z), the mean behind the activation."""
    closed = CLOSED_FORMS.get((type(layer), "mean"))
    return gaussian_mean(f"{type(layer).__name__.lower()}_mean", function(layer, z), closed)(v)


@mean.register(ReLU)
@mean.register(LeakyReLU)
@mean.register(Identity)
def _(layer: ReLU | LeakyReLU | Identity, v: Any) -> sp.Expr:
    return (1 - exact(negative_slope(layer))) * sp.sqrt(v / (2 * sp.pi))


@mean.register(Tanh)
@mean.register(Erf)
def _(layer: Tanh | Erf, v: Any) -> sp.Expr:
    return sp.Integer(0)  # odd functions


@singledispatch
def mean_square(layer: Activation, v: Any) -> Any:
    """E φ(√v Z)², the mean square behind the activation."""
    name = f"{type(layer).__name__.lower()}_mean_square"
    closed = CLOSED_FORMS.get((type(layer), "mean square"))
    return gaussian_mean(name, function(layer, z) ** 2, closed)(v)


@singledispatch
def slope_moment(layer: Activation, v: Any, power: int = 2) -> Any:
    """E φ'(√v Z)^power for an even power; with 2, the activation's energy gain."""
    name = f"{type(layer).__name__.lower()}_slope_moment_{power}"
    closed = CLOSED_FORMS.get((type(layer), f"slope {power}"))
    return gaussian_mean(name, sp.diff(function(layer, z), z) ** power, closed)(v)


@mean_square.register(ReLU)
@mean_square.register(LeakyReLU)
@mean_square.register(Identity)
def _(layer: ReLU | LeakyReLU | Identity, v: Any) -> sp.Expr:
    return v * slope_moment(layer, v)


@slope_moment.register(ReLU)
@slope_moment.register(LeakyReLU)
@slope_moment.register(Identity)
def _(layer: ReLU | LeakyReLU | Identity, v: Any, power: int = 2) -> sp.Expr:
    return (1 + exact(negative_slope(layer)) ** power) / 2


def _closed_forms() -> dict[tuple[type[Activation], str], sp.Lambda]:
    v = sp.Symbol("v", positive=True)
    # E Φ(√v Z)² + 2 E √v Z Φ φ: the two terms that forwards and backwards have in common
    common = (
        sp.Rational(1, 4)
        + sp.asin(v / (1 + v)) / (2 * sp.pi)
        + v / (sp.pi * (1 + v) * sp.sqrt(1 + 2 * v))
    )
    forms = {
        (Erf, "mean square"): 2 / sp.pi * sp.asin(2 * v / (1 + 2 * v)),
        (Erf, "slope 2"): 4 / (sp.pi * sp.sqrt(1 + 4 * v)),
        (Erf, "slope 4"): 16 / (sp.pi**2 * sp.sqrt(1 + 8 * v)),
        (GELU, "mean"): v / sp.sqrt(2 * sp.pi * (1 + v)),
        (GELU, "mean square"): v * common,
        (GELU, "slope 2"): common + v / (2 * sp.pi * (1 + 2 * v) ** sp.Rational(3, 2)),
    }
    return {key: sp.Lambda(v, form) for key, form in forms.items()}


CLOSED_FORMS = _closed_forms()
"""Gaussian means of erf and GELU as functions of v (see the statement `smooth-activations`)."""


def negative_slope(layer: Activation) -> Any:
    """The slope of a ReLU, leaky ReLU or the identity for negative inputs: 0, a, or 1."""
    if isinstance(layer, Identity):
        return sp.Integer(1)
    return exact(layer.slope) if isinstance(layer, LeakyReLU) else sp.Integer(0)


def saturates(layer: Activation) -> bool:
    """True if the activation is bounded, so that large inputs have small gains."""
    return isinstance(layer, Tanh | Erf)


def reference_gain(layer: Activation) -> sp.Expr:
    """The energy gain that He-type schemes compensate, whatever the size of the inputs.

    Of (leaky) ReLU and the identity their gain; of GELU and SiLU that of the ReLU, which they are
    for large inputs; of tanh and erf φ'(0)², their gain for small inputs.
    """
    if saturates(layer):
        return sp.diff(function(layer, z), z).subs(z, 0) ** 2
    if isinstance(layer, SmoothActivation):
        return sp.Rational(1, 2)
    return slope_moment(layer, 1)
