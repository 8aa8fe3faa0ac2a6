"""Norms that survive large and extreme vectors."""

import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks.gradients import loss_residual, norm


@pytest.mark.parametrize("q", [1.0, 1.5, 2.0, 5.0, 60.0, float("inf")])
def test_norms_are_numpys(q):
    g = np.random.default_rng(0).standard_normal((7, 9, 3))
    np.testing.assert_allclose(norm(jnp.asarray(g), q), np.linalg.norm(g.ravel(), q), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("q", [1.0, 2.0, 7.0])
def test_no_overflow_and_no_underflow(scale, q):
    expected = scale * 1000 ** (1 / q)
    np.testing.assert_allclose(norm(jnp.full(1000, scale, jnp.float32), q), expected, rtol=1e-5)


def test_ten_million_coordinates_in_float32():
    g = np.random.default_rng(1).standard_normal(10**7).astype(np.float32)
    for q in (1.0, 2.0):
        expected = np.linalg.norm(g.astype(float), q)
        np.testing.assert_allclose(norm(jnp.asarray(g), q), expected, rtol=2e-6)


def test_zero_and_infinite_gradients():
    assert norm(jnp.zeros(5), 1.0) == 0
    assert norm(jnp.zeros(5), float("inf")) == 0
    assert not np.isfinite(norm(jnp.array([1.0, np.nan]), 2.0))
    assert not np.isfinite(norm(jnp.array([1.0, np.inf]), 1.0))


def test_loss_residual_sums_to_zero():
    residual = loss_residual(jnp.array([1.0, 2.0, 0.0]), jnp.array(1))
    assert abs(float(residual.sum())) < 1e-6
    assert residual[1] < 0
