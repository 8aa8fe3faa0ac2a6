"""Training on data in a subspace: which part of the input gradient training cannot reach."""

from typing import Any

import numpy as np
import sympy as sp

from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.sums import expectation

MELAMED = "derived here, after Melamed, Yehudai, Vardi (arXiv 2303.00783)"
HALDAR = "derived here, after Haldar, Xing, Song (arXiv 2403.03967)"
WANG = "derived here, after Wang, Ullah, Mianjy, Arora (arXiv 2207.00411)"

w, x, y = (sp.symbols(f"{name}_1:3", real=True) for name in "wxy")
delta, value, other, off, u = sp.symbols("delta V O Q u", real=True)
d, m, c, g, q, s, n = sp.symbols("d m c g q sigma n", positive=True)
rate, decay, length, time = sp.symbols("eta lambda v t", positive=True)
codimension = sp.Symbol("k", positive=True)
U, F, T = sp.Function("U"), sp.Function("F"), sp.Function("T")


def copied_pixels() -> Statement:
    """Both parts of the input gradient after training on copied pixels, at every width."""
    pixel, average = sp.Symbol("x", real=True), (x[0] + x[1]) / 2
    steps = (
        derive(
            eq(value, w[0] - w[1]),
            "The first layer's gradient is Σ δ xᵀ. Copies of a pixel are equal, so a step of size "
            "η leaves the weights' differences between copies as they were: W Q is never changed, "
            "Q the projector off the data's subspace",
            meaning=lambda: {value: (w[0] - rate * delta * pixel) - (w[1] - rate * delta * pixel)},
        ),
        derive(
            eq(value, (1 - rate * decay) * (w[0] - w[1])),
            "With weight decay λ it shrinks by 1 − ηλ a step, whatever the data and the labels",
            meaning=lambda: {
                value: (w[0] - rate * (delta * pixel + decay * w[0]))
                - (w[1] - rate * (delta * pixel + decay * w[1]))
            },
        ),
        derive(
            eq(value, w[0] - w[1]),
            "An optimizer that treats each weight alike, as Adam does, gives equal gradients equal "
            "steps U: the same holds for copies, though not for subspaces in general",
            meaning=lambda: {value: (w[0] - U(delta * pixel)) - (w[1] - U(delta * pixel))},
        ),
        derive(
            eq(value, s**2 * length**2),
            "What training sees is W's part on the subspace, and that is independent of W Q for "
            "Gaussian weights. So Q∂f = Q Wᵀv with W Q as at first and v, the gradient in the "
            "pre-activations after training, independent of it: σ²‖v‖² for each of d − m "
            "directions",
            meaning=lambda: {
                value: expectation(
                    sp.expand(((w[0] - w[1]) / sp.sqrt(2) * length) ** 2),
                    {w[0]: (0, s**2), w[1]: (0, s**2)},
                )
            },
        ),
        compute(
            eq(value, d - m),
            "as many as Q has: m = 64 pixels, copied to sides 8, 16, 24 and 32",
            _codimensions,
        ),
        derive(
            eq(
                d * sp.sqrt(2 / sp.pi) * sp.sqrt(1 - m / d) * sp.sqrt(2 / d) * length,
                2 / sp.sqrt(sp.pi) * sp.sqrt(d - m) * length,
            ),
            "Coordinates of Q z have variance 1 − m/d: with σ² = 2/d the mean of ‖Q∂f‖_1 is "
            "(2/√π) √(d − m) E‖v‖_2 exactly, before training and after",
        ),
        derive(
            eq(
                sp.Derivative(F((x[0] + x[1]) / 2), x[0])
                + sp.Derivative(F((x[0] + x[1]) / 2), x[1]),
                sp.Subs(sp.Derivative(F(u), u), u, average),
            ),
            "On the subspace f is a function F of the pixels' means, whose law does not depend on "
            "the number of copies if the first layer's rate is η/d (its inputs have ‖x‖² ∝ d): "
            "each of c copies carries 1/c of ∂F, and the sum of them is ∂F again",
        ),
        derive(
            eq((c * (g / c) ** q) ** (1 / q), g * c ** (1 / q - 1)),
            "so the part on the subspace has ‖·‖_q ∝ c^(1/q − 1): ‖·‖_1 does not depend on d, "
            "‖·‖_2 falls like 1/√d",
        ),
    )
    return Statement("copied-pixels", "Training on copied pixels", MELAMED, steps)


def dimension_gap() -> Statement:
    """Data in m of d = m + k dimensions: attacks off the data get by with 1/√k and 1/k."""
    gap = codimension
    steps = (
        derive(
            eq(value, s**2 * (w[0] ** 2 + w[1] ** 2)),
            "Directions that no input has get no update (`copied-pixels`): each of k coordinates "
            "off the data is (Wᵀv)_i, N(0, σ²‖v‖²) given the training, independent of the others",
            meaning=lambda: {
                value: expectation(
                    sp.expand((w[0] * x[0] + w[1] * x[1]) ** 2), {x[0]: (0, s**2), x[1]: (0, s**2)}
                )
            },
        ),
        derive(
            eq(sp.gamma(gap / 2 - 1) / (2 * sp.gamma(gap / 2)), 1 / (gap - 2)),
            "E 1/χ²_k = 1/(k − 2): in ℓ_2 the square of the distance off the data is "
            "f²/(σ²‖v‖²χ²_k), in the mean over W ∝ 1/(k − 2)",
        ),
        derive(
            eq(
                sp.Integral(2 * u * sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi), (u, 0, sp.oo)) * gap,
                gap * sp.sqrt(2 / sp.pi),
            ),
            "In ℓ_∞ it is |f|/(σ‖v‖‖z‖_1) with E‖z‖_1 = k √(2/π): ∝ 1/k",
        ),
        derive(
            eq(sp.Limit(2 * gap / (m + gap), gap, sp.oo), 2),
            "at a variance that does not know of k. With σ² = 2/(m + k) the ℓ_2 distance settles, "
            "and that in ℓ_∞ falls like k^(−1/2)",
        ),
    )
    return Statement("dimension-gap", "The gap between data and input", HALDAR, steps)


def lazy_training() -> Statement:
    """In the kernel limit what is learned has ‖∂_x‖_1 = O(1); the √d is that of initialization."""
    kernel = T(x[0] ** 2 + x[1] ** 2 + u**2, x[0] * y[0] + x[1] * y[1])
    learned = value + (other - value) * sp.exp(-g * time)
    steps = (
        derive(
            eq(sp.Derivative(learned, time), -g * (learned - value)),
            "Square loss, kernel limit: in each eigenspace of Θ on the data (eigenvalue g) f goes "
            "from its first value to the label; f_t(x) − f_0(x) is Σ_n α_n(t) Θ(x, x_n)",
        ),
        derive(
            eq(sp.Subs(sp.Derivative(kernel, u), u, 0), 0),
            "Θ depends on ‖x‖, x·x' and ‖x'‖ alone (dense layers): at an x in the data's subspace "
            "it does not change in directions u off it. So the learned part's gradient lies on the "
            "subspace, and the part off it is that of f_0, for good",
        ),
        derive(
            eq((c * (x[0] * y[0]) + c * (x[1] * y[1])) / (c * d), (x[0] * y[0] + x[1] * y[1]) / d),
            "With fan-in scaling Θ depends on x·x'/d, which copying each pixel c times leaves "
            "alone: α_n(t) do not depend on d, and each copy carries 1/c of the gradient, so that "
            "the learned part has the same ‖∂_x‖_1 at every d, in the limit of large width",
        ),
        derive(
            eq(value, g**2 / n),
            "At width n, antisymmetric weights (f_0 = 0): units come in pairs that cancel at "
            "first, and training moves what is left of each of n by g/n. Off the subspace these "
            "are independent, of square g²/n together: ‖Q∂f‖_1 ∝ √(d/n) by `copied-pixels`",
            meaning=lambda: {value: n * (g / n) ** 2},
        ),
        derive(
            eq(sp.Limit(sp.sqrt(n) * sp.erf(g / sp.sqrt(2 * n)), n, sp.oo), g * sp.sqrt(2 / sp.pi)),
            "Smooth activations only: of a pair of ReLUs that training has moved apart by g/√n one "
            "is open and the other closed with probability erf(g/√(2n)). Such a unit keeps a "
            "square of 1/n, all together of order n^(−1/2): ‖Q∂f‖_1 ∝ √d n^(−1/4)",
        ),
    )
    return Statement("lazy-training", "What lazy training learns", WANG, steps)


def _codimensions() -> dict[str, dict[sp.Symbol, Any]]:
    """The trace of I − P for the projector P on images of side 8 whose pixels are copied."""
    found = {}
    for factor in (1, 2, 3, 4):
        side = 8 * factor
        pixel = np.arange(side) // factor
        same = np.equal.outer(pixel, pixel).astype(int)
        trace = side**2 - sp.Rational(int(np.trace(np.kron(same, same))), factor**2)
        found[f"side {side}"] = {value: trace, d: side**2, m: 64}
    return found
