"""Maxima: they are mostly positive, and a global one leaves few coordinates with a gradient."""

from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np
import sympy as sp

from theory import architectures
from theory.geometry import connections
from theory.initializers import VarianceScaling
from theory.laws import gaussian, prediction
from theory.laws.energy import gain
from theory.network import Conv, MaxPool, Network, ReLU
from theory.statements.cones import HALF, QUARTER, SOURCE, cone
from theory.statements.derivation import Statement, compute, derive, eq

n, m, k, d, s, channels = sp.symbols("n m k d s C", positive=True, integer=True)
exponent, tilt = sp.symbols("e tau", real=True)
r, q = sp.symbols("r q", positive=True)
chance, passed, count = sp.symbols("P p N", positive=True)
g = sp.symbols("g_1:4", real=True)


def max_pooling() -> Statement:
    """The largest of several pre-activations is positive with more than probability 1/2."""
    closed = cone((0, sp.pi / 2 + tilt))
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
        name: {exponent: 1 - 1 / q + prediction.exponent(_with_global_maximum(name), q)}
        for name in ("cnn", "resnet")
    }


def _with_global_maximum(name: str) -> Network:
    return architectures.find(name).build(head="gmaxpool")
