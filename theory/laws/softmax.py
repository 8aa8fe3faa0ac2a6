"""The factor between logit gradients and the gradient of the cross-entropy loss.

∂_x L = Σ_k r_k ∂_x f_k with r = softmax(f) − onehot(label). When the ∂_x f_k are independent and
alike, ‖∂_x L‖ is ‖r‖_2 times the norm of one of them, and r depends on the size of the logits.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy import special
from sympy.utilities.lambdify import implemented_function

LARGEST = 1e300
"""Logits of a larger variance count as infinite."""


@lru_cache(maxsize=4096)
def residual_value(variance: float, classes: int, power: int = 1) -> float:
    """E‖softmax(f) − onehot(label)‖_2^power for independent logits f_k ~ N(0, variance).

    The label is independent of the logits. With K classes and power 1: √(1 − 1/K) for zero logits,
    (1 − 1/K) √2 for infinite ones. From a fixed Sobol sequence, relative error below 1e-3.
    """
    if classes == 1:
        return 0.0
    variance = min(variance, LARGEST)
    if variance < 1e-12:
        return float((1 - 1 / classes) ** (power / 2))
    from scipy.stats import qmc  # slow to import, and only the loss needs it

    points = qmc.Sobol(classes, rng=0).random_base2(13 if classes < 200 else 10)
    logits = np.sqrt(variance) * special.ndtri(np.clip(points, 1e-12, 1 - 1e-12))
    p = special.softmax(logits, axis=1)
    # all labels are equally likely given the logits: average over the K of them
    squares = np.sum(p**2, axis=1, keepdims=True) - 2 * p + 1
    return float(np.mean(squares ** (power / 2)))


def residual_expression(variance: Any, classes: int, power: int = 1) -> sp.Expr:
    """`residual_value` as a SymPy expression in the logit variance; it evaluates and lambdifies."""
    if classes == 1:
        return sp.Integer(0)
    if variance == 0:
        return (1 - sp.Rational(1, classes)) ** sp.Rational(power, 2)
    function: Any = implemented_function(
        f"residual_{classes}_{power}", lambda v: residual_value(float(v), classes, power)
    )
    return function(sp.sympify(variance))
