"""The convolution with fewer products is the convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks import convolution, winograd


def arrays(side, channels, outputs):
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (side, side, channels))
    return x, jax.random.normal(keys[1], (3, 3, channels, outputs))


def direct(x, kernels):
    return jax.lax.conv_general_dilated(
        x[None], kernels, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]


@pytest.mark.parametrize(("side", "channels", "outputs"), [(6, 2, 3), (9, 5, 1), (34, 32, 40)])
def test_it_is_the_direct_sum(side, channels, outputs):
    with jax.enable_x64(True):
        x, kernels = arrays(side, channels, outputs)
        np.testing.assert_allclose(winograd.convolve(x, kernels), direct(x, kernels), atol=1e-11)


def test_rounding_in_single_precision():
    x, kernels = arrays(34, 32, 32)
    expected = direct(x, kernels)
    error = np.max(np.abs(winograd.convolve(x, kernels) - expected))
    assert error < 1e-4 * np.sqrt(np.mean(np.square(expected)))


@pytest.mark.parametrize("matrix", ["OF_INPUTS", "OF_KERNELS", "TO_OUTPUTS"])
def test_a_wrong_entry_is_caught(monkeypatch, matrix):
    rows = [list(row) for row in getattr(winograd, matrix)]
    rows[1][2] *= -1
    monkeypatch.setattr(winograd, matrix, tuple(map(tuple, rows)))
    with jax.enable_x64(True):
        x, kernels = arrays(6, 2, 3)
        assert np.max(np.abs(winograd.convolve(x, kernels) - direct(x, kernels))) > 1e-3


def test_the_simulator_uses_it_forwards_and_backwards(monkeypatch):
    used = []
    original = winograd.convolve
    monkeypatch.setattr(winograd, "convolve", lambda *a: used.append(a[0].shape) or original(*a))
    x, kernels = arrays(34, 32, 32)
    weights = kernels.swapaxes(0, 1).reshape(-1, 32)

    def total(x, weights):
        return jnp.sum(convolution.convolve(x, weights, 1, 1) ** 2)

    found = jax.grad(total)(x, weights)
    expected = jax.grad(lambda x: jnp.sum(direct(x, kernels) ** 2))(x)
    scale = float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(found, expected, atol=1e-4 * scale)
    assert used == [(34, 34, 32), (36, 36, 32)]
