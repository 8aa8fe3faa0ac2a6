"""The margin of a label: the loss and its gradient are exactly what is made of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.attacks import losses
from sim.networks import layers
from sim.training import margin
from theory.architectures import mlp


@pytest.fixture(scope="module")
def network():
    body = mlp(width=8, depth=2, classes=4, channels=1).body
    weights = layers.init(body, jax.random.key(0), (4, 4, 1))
    return body, weights, jax.random.normal(jax.random.key(1), (4, 4, 1)), jnp.array(2)


def test_the_loss_is_that_of_the_margin(network):
    m = margin.margin(*network)
    np.testing.assert_allclose(margin.loss(m), losses.cross_entropy(*network), rtol=1e-5)


def test_the_gradient_is_the_residual_times_that_of_the_margin(network):
    m, slope = jax.value_and_grad(margin.margin, argnums=2)(*network)
    gradient = jax.grad(losses.cross_entropy, argnums=2)(*network)
    np.testing.assert_allclose(-margin.residual(m) * slope, gradient, rtol=1e-4, atol=1e-7)
    twin = -jax.nn.sigmoid(m) * slope  # p_y for 1 − p_y
    assert np.abs(twin - gradient).max() > 0.1 * np.abs(gradient).max()


def test_damage_of_a_linear_margin_is_that_of_small_attacks_and_grows_to_linear_growth():
    m, norm = jnp.array(2.0), jnp.array([3.0])
    small, large = (margin.linear_damage(m, norm, jnp.array([[s]]))[0, 0] for s in (1e-3, 100.0))
    assert small == pytest.approx(1e-3 * 3 * float(margin.residual(m)), rel=1e-2)
    assert large == pytest.approx(300 - 2 - float(margin.loss(m)), rel=1e-3)
