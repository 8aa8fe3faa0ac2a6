"""The factor between logit gradients and the gradient of the cross-entropy loss.

∂_x L = Σ_k r_k ∂_x f_k with r = softmax(f) − onehot(label). When the ∂_x f_k are independent and
alike, ‖∂_x L‖ is ‖r‖_2 times the norm of one of them, and r depends on the size of the logits. They
are so but for the part along the features, a share α of the energy (`theory.laws.alignment`): for
logits f = √v g of variance v, ‖r‖_2² becomes (1 − α)‖r‖_2² + α (r · g)².
"""

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float
from scipy import special
from sympy.utilities.lambdify import implemented_function

LARGEST = 1e300
"""Logits of a larger variance count as infinite."""


@lru_cache(maxsize=4096)
def residual_value(variance: float, classes: int, power: int = 1, alignment: float = 0.0) -> float:
    """E[((1 − α)‖r‖_2² + α (r · g)²)^{power/2}] for independent logits f_k ~ N(0, variance).

    The label is independent of the logits. With K classes, α = 0 and power 1: √(1 − 1/K) for zero
    logits, (1 − 1/K) √2 for infinite ones. From a fixed Sobol sequence, relative error below 1e-3.

    Args:
        variance: the mean square v of a logit, possibly infinite.
        classes: the number K of logits.
        power: 1 for the norm, 2 for its square.
        alignment: α, a share; at width 1, where its first order in 1/N exceeds 1, it counts as 1.
    """
    if classes == 1:
        return 0.0
    variance, alignment = min(variance, LARGEST), min(alignment, 1.0)
    if variance < 1e-12 and alignment == 0:
        return float((1 - 1 / classes) ** (power / 2))
    squares, along = _residuals(variance, classes)
    return float(np.mean(((1 - alignment) * squares + alignment * along) ** (power / 2)))


@lru_cache(maxsize=8)
def _residuals(
    variance: float, classes: int
) -> tuple[Float[np.ndarray, "draws classes"], Float[np.ndarray, "draws classes"]]:
    """‖r‖_2² and (r · g)² by draw of g and label."""
    from scipy.stats import qmc  # slow to import, and only the loss needs it

    points = qmc.Sobol(classes, rng=0).random_base2(13 if classes < 200 else 10)
    g = special.ndtri(np.clip(points, 1e-12, 1 - 1e-12))
    p = special.softmax(np.sqrt(variance) * g, axis=1)
    # all labels are equally likely given the logits: average over the K of them
    squares = np.sum(p**2, axis=1, keepdims=True) - 2 * p + 1
    return squares, (np.sum(p * g, axis=1, keepdims=True) - g) ** 2


def residual_expression(variance: Any, classes: Any, power: int = 1, alignment: Any = 0) -> sp.Expr:
    """`residual_value` as a SymPy expression in variance and α; it evaluates and lambdifies."""
    if classes == 1:
        return sp.Integer(0)
    if variance == 0 and alignment == 0:
        return (1 - 1 / sp.sympify(classes)) ** sp.Rational(power, 2)
    function: Any = implemented_function(
        f"residual_{classes}_{power}",
        lambda v, a: residual_value(float(v), classes, power, float(a)),
    )
    return function(sp.sympify(variance), sp.sympify(alignment))
