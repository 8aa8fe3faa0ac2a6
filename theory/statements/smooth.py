"""Smooth activations in the limit of large width: gains that depend on the size of the inputs."""

from functools import cache
from itertools import product
from typing import Any

import sympy as sp

from theory import activations, architectures
from theory.laws.prediction import exponent, predict
from theory.network import GELU
from theory.statements.derivation import Statement, derive, eq, fitted

SOURCE = "derived here; arcsine law of erf networks after Williams (1997)"

v = sp.Symbol("v", positive=True)
u = sp.Symbol("u", real=True)
gain, growth, q = sp.symbols("kappa e q", positive=True)
square, product_term = sp.symbols("M_n M_P", real=True)
DENSITY = sp.exp(-(u**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)
NORMAL = sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi)
BELOW = (1 + sp.erf(u / sp.sqrt(2))) / 2
ERF_GAIN = 4 / (sp.pi * sp.sqrt(1 + 4 * v))


def smooth_activations() -> Statement:
    """κ = E φ'(z)² and the mean square E φ(z)² for z ~ N(0, v), and what they do to the law."""
    slope = sp.diff(sp.erf(u), u)
    gelu_gain = activations.slope_moment(GELU(), v).doit()
    gelu_square = activations.mean_square(GELU(), v).doit()
    closed_forms = {"GELU": {gain: gelu_gain, square: gelu_square}}
    steps = (
        derive(
            eq(sp.Derivative(DENSITY, v), sp.Derivative(DENSITY, (u, 2)) / 2),
            "In the wide limit pre-activations are N(0, v). Their density solves the heat "
            "equation, so d/dv E g(z) = E g''(z)/2 for every g (integrate by parts twice)",
        ),
        derive(
            eq(-u * DENSITY, v * sp.Derivative(DENSITY, u)),
            "and E[z g(z)] = v E g'(z) (integrate by parts once)",
        ),
        derive(
            eq(_mean(slope**2), ERF_GAIN),
            "erf: κ = E (4/π) e^{−2z²} is a Gaussian integral",
        ),
        derive(
            eq(_mean(slope**4), 16 / (sp.pi**2 * sp.sqrt(1 + 8 * v))),
            "and so is E φ'(z)⁴, which sets the spread",
        ),
        derive(
            eq(sp.Derivative(sp.erf(u) ** 2, (u, 2)) / 2, slope**2 - 2 * u * sp.erf(u) * slope),
            "E erf(z)² has the derivative E(erf'² − 2z erf erf') in v",
        ),
        derive(
            eq(product_term, v * (square - 2 * product_term)),
            "where E z erf erf' = v E(erf'² − 2z erf erf') = v/(1 + 2v) E erf'²",
            lambda: {"solved": {product_term: v / (1 + 2 * v) * square}},
        ),
        derive(
            eq(
                sp.Derivative(2 / sp.pi * sp.asin(2 * v / (1 + 2 * v)), v),
                ERF_GAIN * (1 - 2 * v / (1 + 2 * v)),
            ),
            "so that E erf(z)² = (2/π) arcsin(2v/(1 + 2v)): the same derivative, both 0 at v = 0",
        ),
        derive(
            eq(sp.Derivative(u * BELOW, u), BELOW + u * NORMAL),
            "GELU has φ' = Φ + zn with n the normal density and Φ its integral",
        ),
        derive(
            eq(_mean(NORMAL**2), 1 / (2 * sp.pi * sp.sqrt(1 + 2 * v))),
            "E n(z)² is a Gaussian integral",
        ),
        derive(
            eq(_mean((u * NORMAL) ** 2), v / (2 * sp.pi * (1 + 2 * v) ** sp.Rational(3, 2))),
            "and so is E z²n(z)²",
        ),
        derive(
            eq(product_term, v * (square - product_term)),
            "E zΦn = v E(n² − zΦn) = v/(1 + v) E n², by the second step and n' = −zn",
            lambda: {"solved": {product_term: v / (1 + v) * square}},
        ),
        derive(
            eq(sp.Derivative(BELOW**2, (u, 2)) / 2, NORMAL**2 - u * BELOW * NORMAL),
            "E Φ(z)² has the derivative E(n² − zΦn) = E n²/(1 + v) in v",
        ),
        derive(
            eq(
                sp.Derivative(sp.asin(v / (1 + v)) / (2 * sp.pi), v),
                1 / (2 * sp.pi * (1 + v) * sp.sqrt(1 + 2 * v)),
            ),
            "so that E Φ(z)² = 1/4 + arcsin(v/(1 + v))/2π",
        ),
        derive(
            eq(gain - square / v, v / (2 * sp.pi * (1 + 2 * v) ** sp.Rational(3, 2))),
            "κ = E Φ² + 2E zΦn + E z²n² and the mean square is v E(Φ² + 2zΦn): the closed forms of "
            "`theory.activations` differ by the last term",
            lambda: closed_forms,
        ),
        derive(
            eq(
                square / v - sp.Rational(1, 4) - sp.asin(v / (1 + v)) / (2 * sp.pi),
                v / (sp.pi * (1 + v) * sp.sqrt(1 + 2 * v)),
            ),
            "and what they have in common is E Φ² and 2E zΦn",
            lambda: closed_forms,
        ),
        derive(
            eq(sp.Limit(gelu_gain, v, sp.oo), sp.Rational(1, 2)),
            "For large inputs GELU has the gain 1/2 of a ReLU, which He's variance compensates",
        ),
        derive(
            eq(sp.Limit(sp.sqrt(v) * ERF_GAIN, v, sp.oo), 2 / sp.pi),
            "while bounded activations saturate: the gain of erf falls like 2/(π √v)",
        ),
        derive(
            eq(gain, 1 / sp.sqrt(1 + sp.pi)),
            "`predict` has these gains: one hidden layer of erf with Var(w) = π/(4 fan-in), whose "
            "pre-activations have v = π/4",
            _one_layer,
        ),
        fitted(
            eq(growth, 1 / q - sp.Rational(1, 2)),
            "He, LeCun and PyTorch's variances keep v free of d: the √d law holds for tanh, erf, "
            "GELU and SiLU",
            lambda: _exponents(("tanh", "erf", "gelu", "silu"), ("he", "lecun", "pytorch")),
        ),
        fitted(
            eq(growth, 1 / q),
            "A constant variance, or He's with fan-out, lets v grow like d: 1/q for GELU and SiLU "
            "(width → ∞ before d → ∞)",
            lambda: _exponents(("gelu", "silu"), ("constant", "he-fan-out")),
        ),
        fitted(
            eq(growth, 1 / q - sp.Rational(1, 4)),
            "but tanh and erf lose a quarter, because they saturate. That is the limit of large "
            "width first: at fixed width the exponent of ‖∂f‖_1 falls from 3/4 to 1/2 as d grows, "
            "and with He's fan-out 3/4 needs width ≪ d ≪ width³",
            lambda: _exponents(("tanh", "erf"), ("constant", "he-fan-out")),
        ),
    )
    return Statement("smooth-activations", "Smooth activations in wide networks", SOURCE, steps)


def _mean(g: sp.Expr) -> sp.Expr:
    return sp.Integral(g * DENSITY, (u, -sp.oo, sp.oo))


def _one_layer() -> dict[str, dict[sp.Symbol, Any]]:
    law = predict(architectures.mlp(width=16, depth=1, activation="erf"), 2)
    return {"erf": {gain: law.second_moment.doit()}}


@cache
def _exponents(names: tuple[str, ...], schemes: tuple[str, ...]) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, scheme in product(names, schemes):
        network = architectures.mlp(width=16, depth=2, activation=name, init=scheme)
        found[f"{name}, {scheme}"] = {growth: exponent(network, q)}
    return found
