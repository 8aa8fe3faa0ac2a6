"""Masks of positions that share a kernel depend on it: the excess of a global average over H.

H1 says that every ReLU passes its input with probability 1/2, independently of the weights. With a
dense head that is true for second moments (`true-masks`); an average of positions has cross terms.
"""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.statements.cones import HALF, QUARTER, SOURCE, cone, theta
from theory.statements.derivation import Statement, compute, derive, eq

n, k, channels = sp.symbols("n k C", positive=True, integer=True)
energy, independent, total = sp.symbols("E E_H T", real=True)
r, t, alpha = sp.symbols("r t alpha", positive=True)
u_a, u_b, v_a, v_b, rho = sp.symbols("u_a u_b v_a v_b rho", real=True)
phi = sp.Symbol("phi", real=True)


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
            eq(cone(both), QUARTER + sp.atan(t) / sp.pi),
            "Pixels (1, t), |t| < 1: both masks are open in a cone of opening π/2 + 2 arctan t, "
            "with probability 1/4 + arcsin(ρ)/(2π) where ρ = 2t/(1 + t²) is the correlation of "
            "z_1 and z_2",
        ),
        derive(
            eq(
                cone(both, 2 * sp.cos(theta) * sp.sin(theta)),
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
                cone((-alpha, alpha), 2 * sp.cos(theta) ** 2),
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
