"""Distances and average perturbations, as De Palma et al. and Zhu et al. look at them."""

import sympy as sp

from theory.statements.derivation import Statement, derive, eq

DE_PALMA = "after De Palma, Kiani, Lloyd (arXiv 2004.05923)"
ZHU = "after Zhu, Liu, Chrysos, Cevher (arXiv 2209.07263)"

a, d, e, n, p, q, v, layers = sp.symbols("a d epsilon n p q v L", positive=True)
t = sp.Symbol("t", real=True)
x, g = sp.symbols("x_1:3", real=True), sp.symbols("g_1:3", real=True)
NORMAL = sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)
MEAN = sp.Integral(2 * t * NORMAL, (t, 0, sp.oo))
"""E|z| of a standard Gaussian variable."""


def boundary_scaling() -> Statement:
    """The ℓ_p distance to the boundary is of order ‖x‖_p/√d, and where it is larger."""
    rectified = sp.Integral(t * NORMAL, (t, 0, sp.oo))
    opened = sp.Integral(NORMAL, (t, 0, sp.oo))
    lengths = (x[0] ** 2 + x[1] ** 2) * (g[0] ** 2 + g[1] ** 2)
    steps = (
        derive(
            eq(a * sp.sqrt(d) / d ** (1 / q), a * d ** (1 / p) / sp.sqrt(d)),
            "To first order the distance is |z·x|/‖z‖_q, z Gaussian (`boundary-distance`): of "
            "order ‖x‖_2/d^(1/q), q = p/(p − 1). If all |x_i| are a, that is ‖x‖_p/√d for every p",
            meaning=lambda: {q: p / (p - 1)},
        ),
        derive(
            eq(MEAN, sp.sqrt(2 / sp.pi)),
            "with the constant 0.674…/c_q for half of the networks; c_1 is this mean of |z|, "
            "c_2 = 1",
        ),
        derive(
            eq(
                sp.gamma(d / 2) / (sp.sqrt(sp.pi) * sp.gamma((d + 1) / 2)),
                MEAN / (sp.sqrt(2) * sp.gamma((d + 1) / 2) / sp.gamma(d / 2)),
            ),
            "The mean of |cos θ| between x and a direction is E|z|/E‖z‖_2 in d dimensions",
        ),
        derive(
            eq(rectified**2 / opened, 1 / sp.pi),
            "It is only a lower bound behind an average over all P ∝ d positions. One 1×1 "
            "convolution, white inputs: E f² is v(E relu(z))², v the variance of a weight, "
            "E‖∂f‖² is v P(z > 0)/P, and ‖x‖² = P, so that the square of the distance is ‖x‖²/π",
        ),
        derive(
            eq(lengths - (x[0] * g[0] + x[1] * g[1]) ** 2, (x[0] * g[1] - x[1] * g[0]) ** 2),
            "No homogeneous network is further from its boundary than ‖x‖: f = x·∂f (Euler) is at "
            "most ‖x‖‖∂f‖",
        ),
    )
    title = "Distances of order ‖x‖_p/√d"
    return Statement("boundary-scaling", title, DE_PALMA, steps)


def average_robustness() -> Statement:
    """Perturbations of random direction: no √d; and what depth and initialization do to them."""
    steps = (
        derive(
            eq(
                MEAN / (sp.sqrt(2) * sp.gamma((d + 1) / 2) / sp.gamma(d / 2)),
                sp.gamma(d / 2) / (sp.sqrt(sp.pi) * sp.gamma((d + 1) / 2)),
            ),
            "A direction u, uniform on the sphere, has E|u·g| = ‖g‖_2 E|u_1|, and E|u_1| is "
            "E|z_1|/E‖z‖_2",
        ),
        derive(
            eq(sp.Integral(d * t ** (d - 1) * e * t, (t, 0, 1)), e * d / (d + 1)),
            "and δ, uniform in a ball of radius ε, has the length ε d/(d + 1) in the mean: the "
            "product of the three is E|∂f·δ| at every d",
        ),
        derive(
            eq(sp.Integral(d * t ** (d - 1) * e**2 * t**2, (t, 0, 1)) / d, e**2 / (d + 2)),
            "E(∂f·δ)² is ε²‖∂f‖_2²/(d + 2): with a constant change per pixel, ε ∝ √d, random "
            "perturbations do not gain with d, whereas the best attack gains ε‖∂f‖_2 ∝ √d",
        ),
        derive(
            eq(n * v / 2, 1),
            "He initialization: E‖∂f‖_2² is multiplied by n · Var(w)/2 = 1 a layer, at every width "
            "and depth (`true-masks`): depth neither helps nor hurts the mean square",
            meaning=lambda: {v: 2 / n},
        ),
        derive(
            eq((n * v / 2) ** layers, 2**-layers),
            "LeCun initialization: half of it is left after each layer. Depth helps, exponentially",
            meaning=lambda: {v: 1 / n},
        ),
        derive(
            eq(sp.Limit((1 + 5 / n) ** (n * a), n, sp.oo), sp.exp(5 * a)),
            "What grows with depth is the spread: E‖∂f‖_2⁴/(E‖∂f‖_2²)² gains 1 + 5/n a layer "
            "(`spread`), e^(5a) for L = a n layers",
        ),
    )
    title = "Perturbations of random direction"
    return Statement("average-robustness", title, ZHU, steps)
