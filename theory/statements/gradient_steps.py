"""One gradient step: wide networks of every depth, every activation, decreasing widths."""

from typing import Any

import numpy as np
import sympy as sp

from theory.laws import step
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.sums import expectation

BUBECK = "after Bubeck, Cherapanamjeri, Gidel, Tachet des Combes (arXiv 2104.03863)"
MONTANARI = "after Montanari, Wu (arXiv 2203.17209)"
BARTLETT = "after Bartlett, Bubeck, Cherapanamjeri (arXiv 2106.12611)"
DANIELY = "after Daniely, Shacham (NeurIPS 2020)"

angle = sp.Symbol("theta", positive=True)
a, r, h, s, d, n, m = sp.symbols("a R h s d n m", positive=True)
c, t, u, z, mean, square = sp.symbols("c t u z M S", real=True)
w = sp.symbols("w_1 w_2", real=True)
k = sp.Function("k")
NORMAL = sp.exp(-(t**2) / 2) / sp.sqrt(2 * sp.pi)
ARC_COSINE = (sp.sin(angle) + (sp.pi - angle) * sp.cos(angle)) / sp.pi
ACROSS = -(sp.pi - angle) * sp.sin(angle) / sp.pi


def gradient_step() -> Statement:
    """f(x − r ∂f/‖∂f‖) given ∂f(x) in wide ReLU networks, and what share of signs it flips."""
    covariance = a * r * k(u)
    explained = sp.Derivative(covariance, a) ** 2 + (sp.Derivative(covariance, u) / a) ** 2
    along, across = (1 - h * c / s), h * sp.sqrt(1 - c**2) / s
    small = ARC_COSINE.subs(angle, h / s) * z / s
    small += ACROSS.subs(angle, h / s) * sp.sqrt(1 - z**2 / s**2)
    steps = (
        derive(
            eq(explained, r**2 * (k(u) ** 2 + sp.Derivative(k(u), u) ** 2)),
            "A wide network is a Gaussian process with covariance ‖x‖‖x'‖k(θ)/d, k of its depth. "
            "Its gradient in x = (a, u) is what f(x') shares with ∂f(x): k along x, k' across",
        ),
        derive(
            eq(sp.Derivative(ARC_COSINE, angle), ACROSS),
            "One hidden layer: k = (sin θ + (π − θ) cos θ)/π, the arc-cosine kernel; a further "
            "layer puts arccos k in the place of θ",
        ),
        derive(
            eq(sp.Limit(sp.Derivative(ARC_COSINE, (angle, 2)), angle, 0), -1),
            "k'' = −1 at θ = 0: with k = 1 and k' = 0 there, ∂f(x) is N(0, I/d). So the cosine c "
            "between x and ∂f has c² ~ Beta(1/2, (d − 1)/2), and ‖∂f‖² ~ χ²_d/d is independent",
        ),
        derive(
            eq(mean, c - h / s),
            "A step of r = h‖x‖/s, s = √d, moves x by this angle: ‖x'‖ (cos θ, sin θ)/‖x‖ = "
            "(1 − hc/s, h√(1 − c²)/s). Of a linear network, k = cos θ, f falls by r‖∂f‖ exactly",
            meaning=lambda: {mean: c * along - sp.sqrt(1 - c**2) * across},
        ),
        derive(
            eq(
                sp.Limit((1 - ARC_COSINE**2 - ACROSS**2) / angle**3, angle, 0),
                4 / (3 * sp.pi),
            ),
            "Of a ReLU network f(x') has the mean ‖x'‖‖∂f‖(k c + k'√(1 − c²)) given ∂f(x), and the "
            "variance (‖x'‖²/d)(1 − k² − k'²), which is 4θ³/(3π) for small angles",
        ),
        derive(
            eq(sp.Limit(s * small, s, sp.oo), z - h),
            "With θ = h/s and c = z/s the mean is (z − h)/s at large d, while the deviation is of "
            "order (h/s)^(3/2): the step flips the sign where |z| < h",
        ),
        derive(
            eq(sp.Integral(2 * NORMAL, (t, 0, h)), sp.erf(h / sp.sqrt(2))),
            "so a single step of h‖x‖/√d flips the share erf(h/√2): 0.683, 0.954, 0.997 for "
            "h = 1, 2, 3",
        ),
    )
    return Statement("gradient-step", "One gradient step flips the sign", BUBECK, steps)


def general_activations() -> Statement:
    """Wide one-hidden-layer networks: the constant of every activation, from two moments."""
    c0, c1, c2, c3 = sp.symbols("c_0:4", real=True)
    hermite = c0 + c1 * t + c2 * (t**2 - 1) + c3 * (t**3 - 3 * t)
    slope = sp.diff(hermite, t)
    normal = (0, 1, 0, 3, 0, 15)
    values = c0**2 + c1**2 + 2 * c2**2 + 6 * c3**2
    slopes = c1**2 + 4 * c2**2 + 18 * c3**2
    steps = (
        derive(
            eq(mean, values),
            "φ = Σ c_k He_k (to third order): E φ(Z)² = Σ k! c_k²; the output, a sum over many "
            "units with random signs, is Gaussian with that variance",
            meaning=lambda: {mean: expectation(sp.expand(hermite**2), {t: normal})},
        ),
        derive(
            eq(square, slopes),
            "and E φ'(Z)² = Σ k k! c_k²: ‖∂f‖² is d σ_w² times it, up to a term 1/d along x",
            meaning=lambda: {square: expectation(sp.expand(slope**2), {t: normal})},
        ),
        derive(
            eq(square - mean + c0**2, 2 * c2**2 + 12 * c3**2),
            "The difference is Σ (k − 1) k! c_k² ≥ 0 (Poincaré): where E φ = 0, gradients are at "
            "least as large as those of a linear network with the same outputs",
            meaning=lambda: {square: slopes, mean: values},
        ),
        derive(
            eq(
                sp.Integral(t**2 * NORMAL, (t, 0, sp.oo)),
                sp.Integral(NORMAL, (t, 0, sp.oo)),
            ),
            "ReLU: E φ² = E φ'² = 1/2. Its mean makes up for its kink: the ratio is 1, as without "
            "an activation",
        ),
        derive(
            eq(
                sp.Integral(2 * NORMAL, (t, 0, h * sp.sqrt(n / m))),
                sp.erf(h * sp.sqrt(n / (2 * m))),
            ),
            "With v the variance of pre-activations, m = E φ² and n = v E φ'², a step of h‖x‖/√d "
            "flips where |f| < h √(n/m) deviations: the share erf(h √(n/(2m))) at large d",
        ),
    )
    title = "One gradient step, every activation"
    return Statement("general-activations", title, MONTANARI, steps)


def decreasing_widths() -> Statement:
    """A step in x is a step in the hidden layer where that is much narrower: cos² ~ Beta."""
    first = w[0] ** 2 + w[1] ** 2
    other = w[0] * z + w[1] * u
    beta = sp.gamma(d / 2 + 1) * sp.gamma((d + n) / 2)
    beta /= sp.gamma(d / 2) * sp.gamma((d + n) / 2 + 1)
    steps = (
        derive(
            eq(mean, first**2 + other**2),
            "W the first layer, v the gradient in its pre-activations (here along the first axis): "
            "∂f = Wᵀv is the first row u of W, and moves pre-activations by Wu = (‖u‖², w_2·u, …)",
            meaning=lambda: {
                mean: sp.expand(
                    (sp.Matrix([[w[0], w[1]], [z, u]]) * sp.Matrix([w[0], w[1]])).norm() ** 2
                )
            },
        ),
        derive(
            eq(square, r**2 * (w[0] ** 2 + w[1] ** 2)),
            "The other rows are Gaussian and independent of u, so each w_j·u is N(0, ‖u‖²) and "
            "‖Wu‖² = ‖u‖²(‖u‖² + χ²_{n−1}): cos² between Wu and v is Beta(d/2, (n − 1)/2). Across "
            "x, where W is independent of all that v knows, d − 1 stands for d",
            meaning=lambda: {square: expectation(other**2, {z: (0, r**2), u: (0, r**2)})},
        ),
        derive(
            eq(beta, d / (d + n)),
            "Its mean, with n + 1 units, is d/(d + n): the step in x is a step along the hidden "
            "layer's own gradient if n ≪ d. So it goes on from layer to layer: Daniely and "
            "Shacham's decreasing widths",
        ),
        derive(
            eq(sp.gamma(n / 2 - 1) / (2 * sp.gamma(n / 2)), 1 / (n - 2)),
            "E 1/χ²_n = 1/(n − 2): a step of h‖x‖/√d moves the n pre-activations by the square "
            "h²(1 + (n − 1)/d)/(n − 2) of their own length, about h/√n: narrow layers feel it more",
        ),
        derive(
            eq(sp.Limit(d / (d + h * d), d, sp.oo), 1 / (1 + h)),
            "Widths in a fixed proportion h to d keep an angle: more than a vanishing width is "
            "proved otherwise (`gradient-step`, `deep-networks`)",
        ),
    )
    title = "A step in the input is a step in the hidden layer"
    return Statement("decreasing-widths", title, DANIELY, steps)


def deep_networks() -> Statement:
    """Depth: kinks add up, angles close like 3π/L, and the network tends to a constant sign."""
    closer = angle - angle**2 / (3 * sp.pi)
    variance = 4 * angle**3 / (3 * sp.pi)
    steps = (
        derive(
            eq(sp.Limit((1 - ARC_COSINE - angle**2 / 2) / angle**3, angle, 0), -1 / (3 * sp.pi)),
            "A wide layer turns the correlation cos θ of two inputs into k(θ) = 1 − θ²/2 + "
            "θ³/(3π) − …",
        ),
        derive(
            eq(
                sp.Limit((1 - sp.cos(closer) - angle**2 / 2) / angle**3, angle, 0),
                -1 / (3 * sp.pi),
            ),
            "which is cos(θ − θ²/(3π)) to that order: each layer closes angles by θ²/(3π)",
        ),
        derive(
            eq(sp.Limit(1 / closer - 1 / angle, angle, 0), 1 / (3 * sp.pi)),
            "so 1/θ grows by 1/(3π) a layer and θ_L ≈ 3π/L whatever it was at first",
        ),
        derive(
            eq(sp.Integral(1 / sp.pi, (t, sp.pi / 2, sp.pi / 2 + angle)), angle / sp.pi),
            "Gaussian outputs of correlation cos θ_L have different signs with probability θ_L/π "
            "(an arc of the circle): about 3/L for any two inputs. Deep networks are close to a "
            "constant sign, as Bartlett et al. prove of suitably deep ones",
        ),
        derive(
            eq(mean / (h / s) ** 2, 4 * n * h / (3 * sp.pi * s)),
            "Each of n layers adds 4θ³/(3π) to the variance that ∂f(x) does not explain "
            "(`gradient-step`). Over the square θ² = (h/√d)² of what a step does, that is "
            "4nh/(3π√d): one step suffices for depths far below √d",
            meaning=lambda: {mean: n * variance.subs(angle, h / s)},
        ),
        compute(
            eq(mean, square),
            "The library's kernel at small angles: (1 − k² − k'²)/θ³ in units of 4/(3π), rounded, "
            "at depths 1, 2, 3",
            _residuals,
        ),
    )
    return Statement("deep-networks", "Depth against one gradient step", BARTLETT, steps)


def _residuals() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for depth in (1, 2, 3):
        kernel = step.kernel(np.array(1e-3), depth)
        share = (1 - kernel.value**2 - kernel.slope**2) / 1e-9 * 3 * sp.pi / 4
        found[f"depth {depth}"] = {mean: sp.Integer(round(float(share))), square: depth}
    return found
