"""Pairs of positions: how what they have in common goes through a network, both ways.

Two Gaussian values of correlation cos α are a plane with two directions at the angle α, and arc-
cosine kernels are expectations over the cone where both are positive. Backwards, an input collects
the gradients of all outputs that read it through one tap before their square is taken.
"""

from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.geometry import taps
from theory.initializers import VarianceScaling
from theory.laws.energy import logit_energy_map
from theory.laws.positions import together
from theory.network import Conv, Dense, GlobalAvgPool, serial
from theory.statements.cones import HALF, QUARTER, SOURCE, cone, theta
from theory.statements.derivation import Statement, compute, derive, eq

alpha = sp.Symbol("alpha", positive=True)
r, u = sp.symbols("r u", real=True)
n = sp.Symbol("n", positive=True, integer=True)
energy, independent, predicted, covariance = sp.symbols("E E_H E_P c", real=True)
SIGNS = VarianceScaling(1, distribution="rademacher")


def positions() -> Statement:
    """Covariances of values and gradients at pairs of positions, and what follows for averages."""
    both = (alpha - sp.pi / 2, sp.pi / 2)
    open_masks = (sp.pi - alpha) / (2 * sp.pi)
    density = sp.exp(-(u**2) / 2) / sp.sqrt(2 * sp.pi)
    squares = u**2 * (r**2 * u**2 + 1 - r**2)
    shared = 2 * (sp.pi - alpha) / sp.pi * (1 + 2 * r**2) - 1
    steps = (
        derive(
            eq(cone(both), open_masks),
            "Two values of correlation cos α are both positive in a cone of opening π − α: so much "
            "of a product of two gradients is left behind the masks (arc-cosine kernel of order 0)",
        ),
        derive(
            eq(
                cone(both, 2 * sp.cos(theta) * sp.cos(theta - alpha)),
                (sp.sin(alpha) + (sp.pi - alpha) * sp.cos(alpha)) / (2 * sp.pi),
            ),
            "and that is their mean product behind the ReLUs, for variances of 1 (order 1)",
        ),
        derive(
            eq(HALF + HALF + 2 * open_masks, 2 - alpha / sp.pi),
            "Two outputs with equal gradients of square 1 read a pixel through one tap: its "
            "squared gradient, 1 under H, is 2 − α/π: 2 for equal masks, 3/2 for uncorrelated "
            "values",
        ),
        compute(
            eq(energy, independent * (1 + 4 / (3 * n))),
            "A line of n outputs with reflecting border, 3 taps of fair signs, their average: all "
            "8 kernels. Near each border one pixel is read by outputs 0 and 2 through one tap",
            _lines,
        ),
        compute(
            eq(energy, predicted),
            "One and two linear convolutions 2×2 under a global average, all signs of their "
            "kernels: E‖∂f‖_2² is what the library's matrices over pairs of positions give",
            _images,
        ),
        derive(
            eq(sp.Integral(squares * density, (u, -sp.oo, sp.oo)), 1 + 2 * r**2),
            "Gaussian gradients of correlation r: u' is ru and an independent part of variance "
            "1 − r², so E u²u'² = 1 + 2r²",
        ),
        derive(
            eq((open_masks * (1 + 2 * r**2) - QUARTER) / QUARTER, shared),
            "so squared gradients behind masks have this relative covariance at two positions, "
            "over C channels the C-th part of it",
        ),
        compute(
            eq(covariance, shared),
            "It is 5 of a position with itself, 2 for equal gradients and independent masks, as "
            "behind a global average over uncorrelated values, and 0 for neither",
            lambda: {
                "a position with itself": {alpha: 0, r: 1, covariance: 5},
                "equal gradients": {alpha: sp.pi / 2, r: 1, covariance: 2},
                "gradients half in common": {alpha: sp.pi / 2, r: HALF, covariance: HALF},
                "nothing in common": {alpha: sp.pi / 2, r: 0, covariance: 0},
            },
        ),
    )
    return Statement("positions", "What positions have in common", SOURCE, steps)


@cache
def _lines() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for size in (3, 4, 7):
        through = taps(Conv(1, SIGNS, border="reflect"), size)
        kernels = np.array(list(product((-1, 1), repeat=3)))
        gradients = np.einsum("ks,soi->ki", kernels, through)
        found[f"n = {size}"] = {
            energy: sp.Rational(int((gradients**2).sum()), len(kernels)),
            independent: sp.Integer(int((through**2).sum())),
            n: size,
        }
    return found


@cache
def _images() -> dict[str, dict[sp.Symbol, Any]]:
    conv = Conv(1, SIGNS, kernel=2, border="reflect")
    found = {}
    for layers, side in ((1, 2), (1, 4), (2, 3), (2, 4)):
        body = serial(*[conv] * layers, GlobalAvgPool(), Dense(1, SIGNS))
        maps = logit_energy_map(body, (side, side, 1)) * together(body, (side, side, 1))[1]
        found[f"{layers} of side {side}"] = {
            energy: _enumerated(layers, side),
            predicted: sp.Rational(Fraction(float(maps.sum())).limit_denominator(10**9)),
        }
    return found


def _enumerated(layers: int, side: int) -> sp.Expr:
    """E‖∂f‖_2² over all signs of the kernels, each of mean square 1/4."""
    along = taps(Conv(1, SIGNS, kernel=2, border="reflect"), side)
    through = np.einsum("soi,tpj->stopij", along, along).reshape(4, side**2, side**2)
    matrices = [np.tensordot(signs, through, 1) for signs in product((-1, 1), repeat=4)]
    total = 0
    for chosen in product(matrices, repeat=layers):
        gradient = np.ones(side**2, int)
        for matrix in chosen:
            gradient = gradient @ matrix
        total += int(np.sum(gradient**2))
    return sp.Rational(total, len(matrices) ** layers * 4**layers * side**4)
