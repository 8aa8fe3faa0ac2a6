"""Attacks stay in their ball, reach Hölder's bound, and do first-order damage where they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim.attacks.ascent import ascended, pgd, project, steepest
from theory.laws import norms
from theory.laws.norms import dual

INF = float("inf")
ORDERS = st.one_of(st.sampled_from([1.0, 2.0, INF]), st.floats(1.01, 50))
GRADIENTS = arrays(np.float64, 6, elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 3)))


@given(gradient=GRADIENTS, p=ORDERS)
@hypothesis_settings(max_examples=60)
def test_steepest_ascent_stays_in_its_ball_and_reaches_hoelders_bound(gradient, p):
    with jax.enable_x64(True):
        delta = np.asarray(steepest(jnp.asarray(gradient), p, 0.3))
    assert np.linalg.norm(delta, p) <= 0.3 * (1 + 1e-9)
    expected = norms.damage(gradient, p, 0.3)
    np.testing.assert_allclose(gradient @ delta, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(delta, norms.attack(gradient, p, 0.3), rtol=1e-6, atol=1e-9)


@given(gradient=GRADIENTS, p=st.sampled_from([1.0, 2.0, INF]), seed=st.integers(0, 99))
@hypothesis_settings(max_examples=20)
def test_a_step_of_projected_ascent_stays_in_its_ball(gradient, p, seed):
    with jax.enable_x64(True):
        start = jnp.asarray(np.random.default_rng(seed).standard_normal(6))
        start = project(start, p, 0.3)
        delta = ascended(start, jnp.asarray(gradient), p, 0.3, 4)
    assert np.linalg.norm(delta, p) <= 0.3 * (1 + 1e-6)


@pytest.mark.parametrize("p", [1.0, 2.0, INF])
def test_projected_ascent_finds_the_best_attack_on_a_linear_function(p):
    slope = jnp.array([0.5, -2.0, 1.0, 0.1])
    start = jnp.zeros(4)
    delta = pgd(lambda x: jnp.vdot(slope, x), start, jax.random.key(0), p, 0.7, 20, 1)
    best = 0.7 * np.linalg.norm(slope, float(dual(p)))
    np.testing.assert_allclose(jnp.vdot(slope, delta), best, rtol=1e-5)
    assert np.linalg.norm(delta, p) <= 0.7 * (1 + 1e-6)


def test_projections_of_other_orders_are_refused():
    with pytest.raises(ValueError, match="not for 3"):
        project(jnp.ones(3), 3.0, 1.0)
