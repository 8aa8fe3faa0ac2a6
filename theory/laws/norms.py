"""Dual norms, the attack that is best to first order, and attack sizes that are comparable.

All functions take arrays of floats or of SymPy numbers (dtype object), which stay exact.
Exponents are numbers in [1, ∞]; "inf", `float("inf")` and `sympy.oo` all mean ∞.
"""

from typing import Any

import numpy as np
import sympy as sp

LARGEST_ORDER = 500
"""Powers of larger finite orders leave the range of floats, and their norms are all but that of
q = ∞."""


def norm_order(q: Any) -> Any:
    """q as a SymPy number, from a number or from text such as "2", "1.5" or "inf".

    Raises ValueError for anything but a number in [1, LARGEST_ORDER], and ∞.
    """
    try:
        number = float(q)
    except (TypeError, ValueError):
        number = float("nan")
    if not number >= 1:
        raise ValueError(f"a norm needs q in [1, inf], not {q}.")
    if number == float("inf"):
        return sp.oo
    if number > LARGEST_ORDER:
        raise ValueError(f"a norm needs q up to {LARGEST_ORDER}, or inf, not {q}.")
    return q if isinstance(q, sp.Basic) else sp.nsimplify(str(q), rational=True)


def dual(p: Any) -> sp.Expr:
    """The q with 1/p + 1/q = 1. Raises ValueError unless p is in [1, ∞]."""
    p = norm_order(p)
    if p == 1:
        return sp.oo
    return sp.Integer(1) if p == sp.oo else p / (p - 1)


def norm(vector: Any, p: Any) -> Any:
    """‖vector‖_p of an array of any shape, read as one vector.

    Raises ValueError unless p is in [1, ∞].
    """
    p, sizes = norm_order(p), np.abs(np.asarray(vector)).ravel()
    largest = sizes.max(initial=0)
    if p == sp.oo or largest == 0:
        return largest
    power = p if sizes.dtype == object else float(p)
    # in units of the largest coordinate, so that no power overflows
    return largest * np.sum((sizes / largest) ** power) ** (1 / power)


def attack(gradient: Any, p: Any, size: Any) -> np.ndarray:
    """The δ with ‖δ‖_p ≤ size for which gradient · δ is largest; same shape as `gradient`.

    δ_i = size · sign(g_i) |g_i|^{q−1} / ‖g‖_q^{q−1} with 1/p + 1/q = 1; for p = 1 all of it on the
    first largest coordinate; for p = ∞ size · sign(g_i). Zero for a zero gradient. Lemma 2 of
    Simon-Gabriel et al. (ICML 2019). Raises ValueError unless p is in [1, ∞].
    """
    g, q = np.asarray(gradient), dual(p)
    sizes = np.abs(g)
    largest = sizes.max(initial=0)
    sign = (g > 0).astype(int) - (g < 0).astype(int)
    if largest == 0:
        return g * size
    if q == sp.oo:
        chosen = np.zeros(g.size, dtype=int)
        chosen[np.argmax(sizes == largest)] = 1
        return size * sign * chosen.reshape(g.shape)
    if q == 1:
        return size * sign
    power = q - 1 if g.dtype == object else float(q - 1)
    relative = sizes / largest
    return size * sign * relative**power / norm(relative, q) ** power


def damage(gradient: Any, p: Any, size: Any) -> Any:
    """The largest increase of the loss over ‖δ‖_p ≤ size, to first order: size · ‖gradient‖_q.

    Lemma 2 of Simon-Gabriel et al. (ICML 2019). Raises ValueError unless p is in [1, ∞].
    """
    return size * norm(gradient, dual(p))


def attack_size(size_inf: Any, p: Any, d: Any) -> Any:
    """ε_p = ε_∞ d^{1/p}: the ℓ_p norm of a change by ε_∞ in each of d pixels.

    Floats give a float; SymPy expressions an expression. Raises ValueError unless p is in [1, ∞].
    """
    p = norm_order(p)
    power: Any = 0 if p == sp.oo else 1 / p
    if not (isinstance(size_inf, sp.Basic) or isinstance(d, sp.Basic)):
        power = float(power)
    return size_inf * d**power
