"""Where the hypotheses fail: masks that depend on weights, streams without sign, maxima, sparsity.

H1 says that every ReLU passes its input with probability 1/2, independently of the weights. Each
statement here has an example that is worked out exactly, with the value under H beside it.
"""

from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np
import sympy as sp

from theory import architectures
from theory.geometry import connections
from theory.initializers import VarianceScaling
from theory.laws import gaussian, law
from theory.laws.energy import forward_gain, gain
from theory.network import Conv, MaxPool, Network, ReLU, Residual
from theory.statements.derivation import Statement, compute, derive, eq

SOURCE = "derived here, after hypothesis H1 of Simon-Gabriel et al. (ICML 2019)"
HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)

n, m, k, d, s, channels = sp.symbols("n m k d s C", positive=True, integer=True)
energy, independent, total, exponent = sp.symbols("E E_H T e", real=True)
r, t, q, alpha, kappa = sp.symbols("r t q alpha kappa", positive=True)
u_a, u_b, v_a, v_b, rho = sp.symbols("u_a u_b v_a v_b rho", real=True)
theta, phi, tilt = sp.symbols("theta phi tau", real=True)
chance, passed, count = sp.symbols("P p N", positive=True)
g = sp.symbols("g_1:4", real=True)


def _cone(opening: Any, integrand: Any = 1) -> sp.Expr:
    """The expectation of `integrand`, a function of the direction, over a cone of directions."""
    return sp.Integral(integrand / (2 * sp.pi), (theta, *opening))


def shared_kernels() -> Statement:
    """Masks of positions that share a kernel depend on it, which an average over them shows."""
    both = (-sp.atan(t), sp.atan(t) + sp.pi / 2)
    correction = (u_a * v_b + v_a * u_b - rho * (u_a * u_b + v_a * v_b)) / (1 - rho**2)
    steps = (
        compute(
            eq(energy, sp.Rational(3, 2) * independent),
            "Two positions share a kernel of fair signs: z_1 = a x_1 + b x_2, z_2 = a x_2 + b x_1, "
            "f = (relu z_1 + relu z_2)/2. All draws: E‖∂f‖_2² is 3/2 of what independent fair "
            "masks give, since both masks are open where a = b = 1",
            lambda: _two_positions(dense_head=False),
        ),
        compute(
            eq(energy, independent),
            "With an independent weight ±1 for each position in the place of the average, a dense "
            "head, it is exactly what H says",
            lambda: _two_positions(dense_head=True),
        ),
        derive(
            eq(sp.Integral(r**3 * sp.exp(-(r**2) / 2), (r, 0, sp.oo)), 2),
            "Gaussian a, b: the direction of (a, b) is uniform, and independent of its length, "
            "whose mean square is 2",
        ),
        derive(
            eq(_cone(both), QUARTER + sp.atan(t) / sp.pi),
            "Pixels (1, t), |t| < 1: both masks are open in a cone of opening π/2 + 2 arctan t, "
            "with probability 1/4 + arcsin(ρ)/(2π) where ρ = 2t/(1 + t²) is the correlation of "
            "z_1 and z_2",
        ),
        derive(
            eq(
                _cone(both, 2 * sp.cos(theta) * sp.sin(theta)),
                (1 - t**2) / (1 + t**2) / (2 * sp.pi),
            ),
            "and E[ab; both open], which H takes to be 0, is √(1 − ρ²)/(2π)",
        ),
        derive(
            eq(
                2 * QUARTER * (HALF + HALF + 2 * (1 - t**2) / (1 + t**2) / (2 * sp.pi)),
                HALF * (1 + (1 - t**2) / (1 + t**2) / sp.pi),
            ),
            "so E‖∂f‖_2² is 1 + √(1 − ρ²)/π times the value under H, 1/2",
        ),
        derive(
            eq(
                2 / sp.pi * sp.Integral(1 + sp.cos(2 * phi) / sp.pi, (phi, -sp.pi / 4, sp.pi / 4)),
                1 + 2 / sp.pi**2,
            ),
            "and on average over Gaussian pixels, whose direction is uniform, 1 + 2/π² times",
        ),
        derive(
            eq(
                _cone((-alpha, alpha), 2 * sp.cos(theta) ** 2),
                alpha / sp.pi + sp.sin(2 * alpha) / (2 * sp.pi),
            ),
            "Larger patches u, v (scaled to ‖u‖ = ‖v‖ = 1): along u + v, the axis of a cone of "
            "opening 2α, the weight has this second moment; along u − v minus the second term",
        ),
        derive(
            eq(sp.sin(2 * alpha), sp.sqrt(1 - rho**2)),
            "where 2α = π/2 + arcsin ρ",
            lambda: {"the cone of both masks": {alpha: (sp.pi / 2 + sp.asin(rho)) / 2}},
        ),
        derive(
            eq(
                (u_a + v_a) * (u_b + v_b) / (2 * (1 + rho))
                - (u_a - v_a) * (u_b - v_b) / (2 * (1 - rho)),
                correction,
            ),
            "so E[w_a w_b; both open] is √(1 − ρ²)/(2π) times this, for weights a ≠ b",
        ),
        derive(
            eq(correction, 1),
            "which is 1 for the two positions above",
            _two_patches,
        ),
        compute(
            eq(total, k**2 * (k**2 - 1)),
            "A pixel joins tap a at one position and tap b ≠ a at another: the overlaps of a k×k "
            "kernel with its shifts, k = 1, 2, 3, 5",
            _overlaps,
        ),
        derive(
            eq(
                k**2 * (k**2 - 1) * channels / (n * 2 * sp.pi) / (n / 2),
                (k**2 - 1) / (sp.pi * k**2 * channels),
            ),
            "White pixels (ρ ≈ 0, u_a v_b = 1/n at a common pixel), n = k²C inputs: a global "
            "average over one convolution exceeds H by this share, 8/(27π) for 3×3 on 3 channels; "
            "it vanishes for many input channels, whatever the number of output channels",
            lambda: {"n = k²C": {n: k**2 * channels}},
        ),
    )
    title = "Shared kernels under a global average"
    return Statement("shared-kernels", title, SOURCE, steps)


def pooled_excess(image: np.ndarray, kernel: int) -> float:
    """E‖∂f_k/∂x‖_2² over its value under H: a convolution, ReLU, global average, dense layer.

    At an image (side, side, channels) with side ≥ kernel, circular border, Gaussian weights, and
    whatever number of output channels; exact at every width.
    """
    side, _, depth = image.shape
    places = np.arange(side**2 * depth).reshape(image.shape)
    taps = [
        np.roll(places, (-i, -j), axis=(0, 1)).reshape(side**2, depth)
        for i, j in product(range(kernel), repeat=2)
    ]
    read = np.concatenate(taps, axis=1)
    patches = image.ravel()[read]
    unit = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    extra = 0.0
    for i, j in product(range(side**2), repeat=2):
        inner = float(np.clip(unit[i] @ unit[j], -1, 1))
        if i == j or inner**2 == 1:
            continue
        a, b = np.nonzero(read[i][:, None] == read[j][None, :])
        mixed = unit[i][a] * unit[j][b] + unit[j][a] * unit[i][b]
        alike = unit[i][a] * unit[i][b] + unit[j][a] * unit[j][b]
        extra += float(np.sum(mixed - inner * alike)) / (2 * np.pi * np.sqrt(1 - inner**2))
    return 1 + extra / (len(patches) * read.shape[1] / 2)


def post_activation() -> Statement:
    """A ReLU after the addition of a non-negative stream passes more than half."""
    opening = (-sp.atan(1 / sp.sqrt(t)), sp.pi / 2)
    share = HALF + sp.atan(1 / sp.sqrt(t)) / sp.pi
    excess = (6 + 5 * kappa) / (4 * (1 + kappa))
    block = (chance / 2 + kappa * (QUARTER + chance / 2) / 2) / ((1 + kappa) / 4)
    steps = (
        compute(
            eq(chance, sp.Rational(3, 4)),
            "P(|z| + y > 0) for two alike symmetric variables: only y < −|z| closes the ReLU (all "
            "signs and both orders of |z| and |y|)",
            _absolute_and_signed,
        ),
        derive(
            eq(2 * _cone(opening), share),
            "A branch of t times the stream's variance: given z > 0, y + z is positive in a cone, "
            "with probability 1/2 + arctan(1/√t)/π",
        ),
        derive(
            eq(chance, sp.Rational(3, 4)),
            "which is 3/4 again for t = 1, and given a closed stream 1/2",
            lambda: {"t = 1": {chance: share.subs(t, 1)}},
        ),
        derive(
            eq(QUARTER + chance / 2, HALF + sp.atan(1 / sp.sqrt(t)) / (2 * sp.pi)),
            "In all the ReLU passes this, 5/8 for t = 1, where H says 1/2",
            lambda: {"any t": {chance: share}},
        ),
        derive(
            eq(block, (2 * chance + kappa * (HALF + chance)) / (1 + kappa)),
            "relu(x + branch(x)) behind x = relu(z): the identity passes P(z > 0, y + z > 0) = P/2 "
            "and the branch, of energy gain κ, (1/4 + P/2)/2 κ, where H says 1/4 and κ/4",
        ),
        derive(
            eq(block, excess),
            "With t = 1: a branch with κ = 1 would give 11/8 (3/8 + 5/16 where H says 1/2)",
            lambda: {"t = 1": {chance: sp.Rational(3, 4)}},
        ),
        derive(
            eq(t, 1),
            "The branch of the first block of `resnet`, conv(relu(conv(x))), doubles the mean "
            "square, and relu(z) has half of the variance of z: t = 1",
            _first_block,
        ),
        derive(
            eq(excess, sp.Rational(4, 3)),
            "and its κ is 2: the first block passes 4/3 of what H says, in norms √(4/3) = 1.155",
            _first_block,
        ),
        compute(
            eq(chance, HALF),
            "The other blocks have a convolution as shortcut: with its signs the sum is symmetric "
            "again, and H1 holds (all signs)",
            _convolved_shortcut,
        ),
    )
    title = "A ReLU after the addition of a non-negative stream"
    return Statement("post-activation", title, SOURCE, steps)


def max_pooling() -> Statement:
    """The largest of several pre-activations is positive with more than probability 1/2."""
    closed = _cone((0, sp.pi / 2 + tilt))
    steps = (
        compute(
            eq(chance, 1 - HALF**m),
            "The largest of m independent symmetric variables is positive unless all are negative: "
            "all signs, m = 1 … 6",
            _largest_of_signs,
        ),
        derive(
            eq(passed, HALF),
            "H: the maximum passes its gradient to one input, the ReLU half of it",
            lambda: {"2×2": {passed: gain(MaxPool(2), (4, 4, 1)) * gain(ReLU(), (2, 2, 1))}},
        ),
        derive(
            eq(chance / passed, sp.Rational(15, 8)),
            "so with independent inputs a 2×2 maximum passes 15/16, or 15/8 of what H says",
            lambda: {"m = 4": {chance: 1 - HALF**4, passed: HALF}},
        ),
        derive(
            eq(1 - closed, sp.Rational(3, 4) - tilt / (2 * sp.pi)),
            "Two Gaussian inputs of correlation ρ = sin τ: both negative in a cone of opening "
            "π/2 + τ, so the larger is positive with probability 3/4 − arcsin(ρ)/(2π)",
        ),
        derive(
            eq(sp.Subs(1 - closed, tilt, sp.pi / 2), HALF),
            "which is 1/2, as H says, only for equal inputs",
        ),
        derive(
            eq(
                1 - closed**2,
                1 - (QUARTER + tilt / (2 * sp.pi)) ** 2,
            ),
            "Four inputs in two independent pairs of correlation ρ",
        ),
        compute(
            eq(chance, 1 - 1 / (m + 1)),
            "m inputs y_i − y_0, of correlation 1/2 each: all are negative if y_0 is the largest "
            "of m + 1. All orders, m = 1 … 5",
            _largest_of_differences,
        ),
        derive(
            eq(chance / passed, sp.Rational(8, 5)),
            "so four neighbours of correlation 1/2 pass 8/5 of what H says: the excess of a pool "
            "lies between 1 and 15/8 and falls as neighbours become alike",
            lambda: {"m = 4": {chance: 1 - sp.Rational(1, 5), passed: HALF}},
        ),
    )
    return Statement("max-pooling", "Maxima are mostly positive", SOURCE, steps)


def sparse_gradients() -> Statement:
    """The ℓ_2 law alone does not give the ℓ_1 law: few coordinates may carry the gradient."""
    density = sp.sqrt(2 / sp.pi) * sp.exp(-(r**2) / 2)
    norm = s ** (1 / q - HALF) * gaussian.absolute_moment(q) ** (1 / q)
    steps = (
        derive(
            eq(s * sp.Integral(r * density, (r, 0, sp.oo)) / sp.sqrt(s), sp.sqrt(2 * s / sp.pi)),
            "s of d coordinates Gaussian of variance 1/s, the others 0: E‖g‖_2² = 1 and "
            "E‖g‖_1 = √(2s/π), whatever d",
        ),
        derive(
            eq(sp.Subs(sp.sqrt(2 * s / sp.pi), s, d), sp.sqrt(2 * d / sp.pi)),
            "which the ℓ_2 law gives as √(2d/π) when all coordinates take part",
        ),
        derive(
            eq((s * gaussian.absolute_moment(q) * s ** (-q / 2)) ** (1 / q), norm),
            "For every q: ‖g‖_q grows with s^(1/q − 1/2) in the place of d^(1/q − 1/2)",
        ),
        derive(
            eq(
                3 * sp.Add(*(x**2 for x in g)) - sp.Add(*g) ** 2,
                (g[0] - g[1]) ** 2 + (g[0] - g[2]) ** 2 + (g[1] - g[2]) ** 2,
            ),
            "‖g‖_1 ≤ √s ‖g‖_2: the difference of the squares is a sum of squares (s = 3)",
        ),
        compute(
            eq(count, k**2),
            "A global maximum over positions passes one position's gradient for each channel; "
            "that reaches the k×k pixels of its receptive field and no others, at any side",
            _receptive_fields,
        ),
        derive(
            eq(sp.Subs(sp.sqrt(s), s, n * k**2 * channels), k * sp.sqrt(n * channels)),
            "so s ≤ n k² C for n channels, and ‖∂f‖_1 ≤ k √(nC) ‖∂f‖_2 at any d",
        ),
        derive(
            eq(exponent, 1 - 1 / q),
            "With ‖∂f‖_2 bounded every ‖∂f‖_q is: exponent 0 for all q, where H with condition S "
            "gives 1/q − 1/2. The damage ε_p ‖∂f‖_q has exponent 1/p = 1 − 1/q, 0 for ℓ_∞ attacks "
            "(`cnn` and `resnet` with a global maximum)",
            _global_maxima,
        ),
    )
    title = "The ℓ_2 law without the ℓ_1 law"
    return Statement("sparse-gradients", title, SOURCE, steps)


@cache
def _two_positions(dense_head: bool) -> dict[str, dict[sp.Symbol, Any]]:
    heads = list(product((-1, 1), repeat=2)) if dense_head else [(1, 1)]
    found = {}
    for point in ((3, 1), (1, -2), (-2, 5)):
        real, fair = [], []
        for (a, b), head in product(product((-1, 1), repeat=2), heads):
            rows = np.array([[a, b], [b, a]])
            weighted = np.array(head)[:, None] * rows
            real.append(_square((rows @ np.array(point) > 0) @ weighted))
            fair += [_square(np.array(coins) @ weighted) for coins in product((0, 1), repeat=2)]
        found[f"pixels {point}"] = {
            energy: sp.Rational(sum(real), 4 * len(real)),
            independent: sp.Rational(sum(fair), 4 * len(fair)),
        }
    return found


def _square(vector: np.ndarray) -> int:
    return int(np.sum(vector**2))


def _two_patches() -> dict[str, dict[sp.Symbol, Any]]:
    length = sp.sqrt(1 + t**2)
    patches = {u_a: 1 / length, u_b: t / length, v_a: t / length, v_b: 1 / length}
    return {"(1, t) and (t, 1)": patches | {rho: 2 * t / (1 + t**2)}}


def _overlaps() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for size in (1, 2, 3, 5):
        taps = list(product(range(size), repeat=2))
        pairs = [(a, b) for a, b in product(taps, repeat=2) if a != b]
        found[f"{size}×{size}"] = {total: len(pairs), k: size}
    return found


def _absolute_and_signed() -> dict[str, dict[sp.Symbol, Any]]:
    draws = [abs(i * z) + j * y for z, y in ((1, 2), (2, 1)) for i, j in product((-1, 1), repeat=2)]
    return {"sizes 1 and 2": {chance: sp.Rational(sum(x > 0 for x in draws), len(draws))}}


def _first_block() -> dict[str, dict[sp.Symbol, Any]]:
    network = architectures.resnet(depth=1)
    block = next(layer for layer in network.body.layers if isinstance(layer, Residual))
    shape = (8, 8, 32)
    ratio = forward_gain(block.branch, shape) / 2
    values = {t: ratio, kappa: gain(block.branch, shape)}
    return {"any width": values | {chance: HALF + sp.atan(1 / sp.sqrt(ratio)) / sp.pi}}


def _convolved_shortcut() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for stream in ((1, 3), (2, 0)):
        sums = [i * stream[0] + j * stream[1] + 7 * y for i, j, y in product((-1, 1), repeat=3)]
        found[f"stream {stream}"] = {chance: sp.Rational(sum(x > 0 for x in sums), len(sums))}
    return found


def _largest_of_signs() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for size in range(1, 7):
        draws = list(product((-1, 1), repeat=size))
        positive = sum(max(draw) > 0 for draw in draws)
        found[f"m = {size}"] = {m: size, chance: sp.Rational(positive, len(draws))}
    return found


@cache
def _largest_of_differences() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for size in range(1, 6):
        orders = list(permutations(range(size + 1)))
        positive = sum(max(order[1:]) > order[0] for order in orders)
        found[f"m = {size}"] = {m: size, chance: sp.Rational(positive, len(orders))}
    return found


def _receptive_fields() -> dict[str, dict[sp.Symbol, Any]]:
    """Pixels that one position of the last map reads, and the usual formula for the field."""
    found = {}
    for strides, side in product(((1,), (1, 1), (1, 2), (1, 2, 1, 2)), (32, 64)):
        paths, size, step, field = np.eye(side, dtype=int), side, 1, 1
        for stride in strides:
            layer = Conv(1, VarianceScaling(2), stride=stride)
            paths = connections(layer, size) @ paths
            size, field, step = size // stride, field + 2 * step, step * stride
        reached = int(np.count_nonzero(paths[size // 2])) ** 2
        found[f"strides {strides}, side {side}"] = {count: reached, k: field}
    return found


def _global_maxima() -> dict[str, dict[sp.Symbol, Any]]:
    return {
        name: {exponent: 1 - 1 / q + law.exponent(_with_global_maximum(name), q)}
        for name in ("cnn", "resnet")
    }


def _with_global_maximum(name: str) -> Network:
    return architectures.find(name).build(head="gmaxpool")
