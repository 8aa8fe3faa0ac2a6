"""A Gaussian head on the features of any network: the gradient of its loss."""

from functools import cache
from typing import Any

import sympy as sp

from theory import activations, architectures
from theory.laws.alignment import head
from theory.network import LeakyReLU, Network
from theory.statements.cones import HALF, cone, theta
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.sums import expectation

t, first, second, third, fourth = sp.symbols("t w_1 w_2 v_1 v_2", real=True)
m, s, q, slope, units, d, sigma, turn = sp.symbols("m s alpha beta N d sigma theta", positive=True)
x1, x2, h1, h2 = sp.symbols("x_1 x_2 h_1 h_2", positive=True)
g1, g2, norm = sp.symbols("g_1 g_2 n", real=True)
square, often, rarely = sp.symbols("v m m'", positive=True)
share, known, loss = sp.symbols("m_phi alpha_f E_L", positive=True)
function: Any = sp.Function
STEM, FEATURES = sp.symbols("N_1 N_2", positive=True)
UNEVEN, UNEVEN_STEM = sp.symbols("u_0 u_1", positive=True)
Rational: Any = sp.Rational
ONE = Rational(1)
OVERLAP = (1 + 3 * sp.pi / 4) / (2 * sp.pi)
"""E relu(s) relu(s + f) of independent Gaussians of variance 1."""

CHAINS: dict[str, tuple[Network, int, int, int, Any, Any]] = {
    "mlp of widths 9 and 6": (architectures.mlp((9, 6)), 4, 9, 6, ONE, ONE),
    "convnet-avdim, 2 layers without strides": (
        architectures.convnet_avdim(5, 2, pool_after=(), border="circular"),
        *(8, 5 * 64, 5 * 64, ONE, ONE),
    ),
    "cnn, 2 convolutions, stride 2": (
        architectures.cnn(5, 2),
        *(8, 5 * 64, 5 * 16, Rational(82, 81) ** 2, Rational(10, 9) ** 2),
    ),
}
"""A network, its side, the units of its two hidden layers, and how unequally often pixels and the
units of the first of them are read."""


def gaussian_head() -> Statement:
    """E‖∂L‖² = σ²‖J‖²[(1 − α) E‖r‖² + α E(r·f)²/(σ²‖h‖²)], and α by Euler's identity."""
    along, across = (m * first, m * second), (s * t * third, s * t * fourth)
    energy = sum((a + b) ** 2 for a, b in zip(along, across, strict=True))
    own, rest = first**2 + second**2, third**2 + fourth**2
    a, b = function("a")(x1), function("b")(x1)
    radius = function("F")(sp.sqrt(x1**2 + x2**2))
    turned = sp.cos(t) * sp.cos(t - turn)
    both_positive = (-sp.pi / 4, sp.pi / 2)
    sum_positive = (-sp.pi / 4, 3 * sp.pi / 4)
    steps = (
        derive(
            eq(loss, m**2 * own + s**2 * rest),
            "Features h with Jacobian J, a Gaussian head of variance σ², f = W h. Given f the "
            "vector Wᵀr is m ĥ + s ξ with m = r · f/‖h‖, s = σ‖r‖ and ξ Gaussian across h (two "
            "rows of J: w along h, v across): E‖∂L‖²",
            meaning=lambda: {loss: expectation(energy, {t: (0, 1)})},
        ),
        derive(
            eq(
                (m**2 * own + s**2 * rest).subs(rest, (1 - q) * (own / q)),
                own / q * ((1 - q) * s**2 + q * m**2),
            ),
            "With α = ‖Jᵀĥ‖²/‖J‖_F²: E‖∂L‖² = ‖J‖_F² [(1 − α) s² + α m²], for any features",
        ),
        derive(
            eq(
                sp.Derivative(sp.sqrt(a**2 + b**2), x1),
                (a * sp.Derivative(a, x1) + b * sp.Derivative(b, x1)) / sp.sqrt(a**2 + b**2),
            ),
            "Jᵀĥ is the gradient of ‖h‖",
        ),
        derive(
            eq(
                (g1**2 + g2**2) * (h1**2 + h2**2) - (g1 * h1 + g2 * h2) ** 2,
                (g1 * h2 - g2 * h1) ** 2,
            ),
            "By Euler's identity it has the product ‖h‖ with the units a of any place, so there "
            "its square is at least ‖h‖²/‖a‖², with equality if it is parallel to a",
        ),
        derive(
            eq(x2 * sp.Derivative(radius, x1), x1 * sp.Derivative(radius, x2)),
            "as it is where ‖h‖ depends on ‖a‖ alone: behind wide layers",
        ),
        derive(
            eq(known, 1 / units),
            "Weights that read N units of mean square v hand on n a/‖a‖², n = f. Where as much is "
            "passed on forwards as backwards this is 1/N of the energy f²/v of the gradient there",
            meaning=lambda: {known: (norm**2 / (units * square)) / (norm**2 / square)},
        ),
        derive(
            eq(share, 2 * (1 + slope**4) / (1 + slope**2) ** 2),
            "Behind a leaky ReLU of slope β that part is φ'(z) φ(z), whose energy over that of "
            "φ(z) is E φ'⁴z²/E φ'²z²; of another vector it is E φ'². The quotient is 2 for a ReLU",
            meaning=_shares,
        ),
        derive(
            eq(
                (often**2 + rarely**2) / 2 / ((often + rarely) / 2) ** 2,
                2 * (often**2 + rarely**2) / (often + rarely) ** 2,
            ),
            "A convolution hands on as much more at a position as it reads it more often. Half of "
            "them read m times, half m' times: energies are larger by this; a kernel of 3 and "
            "stride 2 reads pixels once and twice along each axis, 10/9",
        ),
        compute(
            eq(
                1 - known,
                (1 - UNEVEN / d) * (1 - 2 * UNEVEN_STEM / STEM) * (1 - 2 / FEATURES),
            ),
            "which `theory.laws.alignment` has for dense networks, and for convolutions, whose "
            "layers have channels × positions units",
            _chains,
        ),
        derive(
            eq(cone(sum_positive, 2 * sp.sin(theta) * (sp.cos(theta) + sp.sin(theta))), HALF),
            "Weights that made f of u hand on u E[f k]/E u². Of Gaussians s and f of variance 1 "
            "E f relu(s + f) is the variance of f times P(s + f > 0), Stein's identity, and E u²",
        ),
        derive(
            eq(
                cone(both_positive, 2 * sp.cos(theta) * (sp.cos(theta) + sp.sin(theta))),
                OVERLAP,
            ),
            "so behind x + W_2 relu(W_1 relu(x)), read by a ReLU, k becomes relu(s + f) + relu(s) "
            "at x = s: one way knows the features, the other its own input, and both have this "
            "in common, E relu(s) relu(s + f)",
        ),
        derive(
            eq(known, (sp.Rational(15, 4) + 1 / sp.pi) / units),
            "Of layers of N units that is α at large d, to first order in 1/N: E(relu(s + f) + "
            "relu(s))² = 3/2 + 2 E relu(s) relu(s + f), and noise of 1 and 1/2 behind W_2 and W_1",
            meaning=lambda: {known: (1 + HALF + 1 + HALF + 2 * OVERLAP) / units},
        ),
        derive(
            eq(
                sp.Integral(turned, (t, turn - sp.pi / 2, sp.pi / 2)) / sp.pi,
                (sp.sin(turn) + (sp.pi - turn) * sp.cos(turn)) / (2 * sp.pi),
            ),
            "E relu(y) relu(z) of Gaussians of correlation cos θ, the arc-cosine kernel, is what "
            "positions have in common, and what an average keeps of their mean square",
        ),
    )
    title = "The loss behind a Gaussian head"
    return Statement("gaussian-head", title, "derived here", steps)


def _shares() -> dict[sp.Symbol, Any]:
    """E φ'⁴z²/(E φ'²z² E φ'²) of a leaky ReLU: z² has the same mean on both sides of 0."""
    second_moment, fourth_moment = (
        activations.slope_moment(LeakyReLU(slope), square, power) for power in (2, 4)
    )
    return {share: fourth_moment * square / (second_moment * square * second_moment)}


@cache
def _chains() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, (network, side, stem, features, uneven, uneven_stem) in CHAINS.items():
        alignment = head(network.body, network.input_shape(side))
        assert alignment is not None
        found[name] = {
            **{known: alignment.alignment, d: network.channels * side**2},
            **{STEM: stem, FEATURES: features, UNEVEN: uneven, UNEVEN_STEM: uneven_stem},
        }
    return found
