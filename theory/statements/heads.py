"""A Gaussian head on the features of any network: the gradient of its loss."""

from functools import cache
from typing import Any, cast

import sympy as sp

from theory import activations, architectures
from theory.initializers import VarianceScaling
from theory.laws.alignment import head
from theory.network import Dense, Flatten, LeakyReLU, Network, ReLU, residual, serial
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.sums import expectation

t, first, second, third, fourth = sp.symbols("t w_1 w_2 v_1 v_2", real=True)
m, s, q, slope, units, d, sigma = sp.symbols("m s alpha beta N d sigma", positive=True)
x1, x2, h1, h2 = sp.symbols("x_1 x_2 h_1 h_2", positive=True)
g1, g2, norm = sp.symbols("g_1 g_2 n", real=True)
up, more, theta, square = sp.symbols("A B theta v", positive=True)
share, known, loss = sp.symbols("m_phi alpha_f E_L", positive=True)
function: Any = sp.Function
STEM, FEATURES = sp.symbols("N_1 N_2", positive=True)

CHAINS: dict[str, tuple[Network, int, int, int]] = {
    "mlp of widths 9 and 6": (architectures.mlp((9, 6)), 4, 9, 6),
    "cnn, 2 convolutions, stride 2": (architectures.cnn(5, 2), 8, 5 * 64, 5 * 16),
    "convnet-avdim, 2 layers, stride 2": (architectures.convnet_avdim(5, 2), 8, 5 * 16, 5 * 16),
}
"""A network, its side, and the units of its two hidden layers."""


def gaussian_head() -> Statement:
    """E‖∂L‖² = σ²‖J‖²[(1 − α) E‖r‖² + α E(r·f)²/(σ²‖h‖²)], and α by Euler's identity."""
    along, across = (m * first, m * second), (s * t * third, s * t * fourth)
    energy = sum((a + b) ** 2 for a, b in zip(along, across, strict=True))
    own, rest = first**2 + second**2, third**2 + fourth**2
    a, b = function("a")(x1), function("b")(x1)
    radius = function("F")(sp.sqrt(x1**2 + x2**2))
    turned = sp.cos(t) * sp.cos(t - theta)
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
        compute(
            eq(1 - known, (1 - 1 / d) * (1 - 2 / STEM) * (1 - 2 / FEATURES)),
            "which `theory.laws.alignment` has for dense networks, and for convolutions, whose "
            "layers have channels × positions units",
            _chains,
        ),
        derive(
            eq(
                (up**2 + more**2 + 2 * up * more) / (up + more),
                up + more,
            ),
            "Two ways of gains A and B through a residual addition know A/(A + B) and B/(A + B) "
            "of ‖h‖. What they hand back points along one stream: amplitudes add, to A + B",
        ),
        derive(
            eq(known, 7 / (2 * units)),
            "x + W_2 relu(W_1 relu(x)) between layers of N units, by hand, for large d, to first "
            "order in 1/N: 1/N is known along x, 5/(2N) is what weights behind it handed on",
            meaning=_block,
        ),
        derive(
            eq(
                sp.Integral(turned, (t, theta - sp.pi / 2, sp.pi / 2)) / sp.pi,
                (sp.sin(theta) + (sp.pi - theta) * sp.cos(theta)) / (2 * sp.pi),
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


def _block() -> dict[sp.Symbol, Any]:
    """α of the library for a symbolic number of units."""
    he, side, n = VarianceScaling(2), sp.Symbol("s", positive=True), sp.Symbol("N", positive=True)
    branch = serial(ReLU(), Dense(cast(int, n), he), ReLU(), Dense(cast(int, n), he))
    stem = (Flatten(), Dense(cast(int, n), he))
    found = head(serial(*stem, residual(branch), ReLU(), Dense(2, he)), (side, side, 3))
    assert found is not None
    first_order = sp.limit(n * sp.limit(found.alignment, side, sp.oo), n, sp.oo)
    return {known: first_order / units}


@cache
def _chains() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, (network, side, stem, features) in CHAINS.items():
        alignment = head(network.body, network.input_shape(side))
        assert alignment is not None
        values = {d: network.channels * side**2, STEM: stem, FEATURES: features}
        found[name] = {known: alignment.alignment, **values}
    return found
