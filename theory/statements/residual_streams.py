"""A ReLU after the addition of a non-negative stream passes more than H1 says."""

from itertools import product
from typing import Any

import sympy as sp

from theory import architectures
from theory.laws.energy import forward_gain, gain
from theory.network import Residual
from theory.statements.cones import HALF, QUARTER, SOURCE, cone
from theory.statements.derivation import Statement, compute, derive, eq

t, kappa, chance = sp.symbols("t kappa P", positive=True)


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
            eq(2 * cone(opening), share),
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
