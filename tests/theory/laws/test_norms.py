"""Dual norms, best first-order attacks and attack sizes."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.laws import norms

VECTORS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6).map(np.array)
ORDERS = st.sampled_from([1, 1.5, 2, 3, 10, "inf"])


@given(VECTORS, VECTORS, ORDERS)
def test_no_other_perturbation_does_more_damage(gradient, other, p):
    size = 0.1
    other = np.resize(other, gradient.shape)
    length = norms.norm(other, p)
    if length > 1e-6:
        assert gradient @ (other * size / length) <= norms.damage(gradient, p, size) * (1 + 1e-9)


@given(VECTORS, ORDERS)
def test_the_attack_reaches_the_damage(gradient, p):
    delta = norms.attack(gradient, p, 0.1)
    assert gradient @ delta == pytest.approx(norms.damage(gradient, p, 0.1), rel=1e-9)
    assert norms.norm(delta, p) <= 0.1 * (1 + 1e-9)


def test_norm_agrees_with_numpy_and_does_not_overflow():
    vector = np.array([3.0, -1.0, 2.0])
    for p in (1, 2, 3, np.inf):
        assert norms.norm(vector, p) == pytest.approx(np.linalg.norm(vector, p))
    assert norms.norm(1e200 * vector, 2) == pytest.approx(1e200 * np.sqrt(14))


def test_attack_sizes_are_a_constant_change_per_pixel():
    for p in (1, 2, 3, "inf"):
        assert norms.norm(np.full(64, 0.1), p) == pytest.approx(norms.attack_size(0.1, p, 64))
    assert norms.attack_size(0.1, "inf", 64) == 0.1
    assert norms.attack_size(sp.Symbol("e"), 2, 64) == 8 * sp.Symbol("e")


def test_a_norm_below_1_is_refused():
    with pytest.raises(ValueError, match="q in"):
        norms.dual(0.5)
