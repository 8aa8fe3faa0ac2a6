"""One gradient step in wide networks: limits, an independent simulation, and a broken twin."""

import numpy as np
import pytest
from scipy import special, stats

from theory.laws import step
from theory.network import GELU, Identity, ReLU, Tanh


def test_without_hidden_layers_it_is_the_first_order_law():
    for d, h in ((3, 0.5), (12, 1.0), (200, 2.0)):
        beta = stats.beta(0.5, (d - 1) / 2).cdf(h**2 / d)
        assert step.flip_probability(h, d, 0) == pytest.approx(beta, abs=1e-3)


@pytest.mark.parametrize("depth", [1, 4])
def test_at_large_d_it_is_the_error_function(depth):
    found = step.flip_probability(1.0, 10**7, depth)
    assert found == pytest.approx(special.erf(1 / np.sqrt(2)), abs=3e-3)


def test_kinks_and_layers_hinder_a_step():
    shares = [step.flip_probability(1.0, 48, depth) for depth in range(6)]
    assert all(np.diff(shares) < -0.005)


def test_the_slope_is_the_derivative_of_the_kernel():
    angle, small = np.linspace(0.1, 3.0, 30), 1e-6
    for depth in (0, 1, 3):
        ends = [step.kernel(angle + sign * small, depth).value for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * small)
        np.testing.assert_allclose(step.kernel(angle, depth).slope, slope, atol=1e-6)


def simulated(d, share_explained):
    """A Gaussian process drawn at x and along its own gradient, from its covariances alone."""
    rng, count = np.random.default_rng(0), 40_000
    gradients = rng.standard_normal((count, d)) / np.sqrt(d)
    f = np.sqrt(d) * gradients[:, 0]  # x is √d times the first axis
    moved = -np.sign(f)[:, None] * gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    moved[:, 0] += np.sqrt(d)
    lengths = np.linalg.norm(moved, axis=1)
    angle = np.arccos(moved[:, 0] / lengths)
    across = moved.copy()
    across[:, 0] = 0
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    k = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    slope = (np.pi - angle) * np.sin(angle) / np.pi
    mean = k * gradients[:, 0] + slope * np.sum(across * gradients, axis=1)
    left = 1 - share_explained * (k**2 + slope**2)
    after = lengths * (mean + np.sqrt(left / d) * rng.standard_normal(count))
    return np.mean(after * f < 0)


def test_it_agrees_with_draws_of_the_process_and_not_with_wrong_ones():
    """40 000 draws: a standard error of 0.0025, four of which are allowed."""
    expected = step.flip_probability(1.0, 12)
    assert abs(simulated(12, 1.0) - expected) < 0.01
    assert abs(simulated(12, 0.8) - expected) > 0.02


def test_orthogonal_inputs_of_deep_networks_share_a_sign():
    assert step.signs_differ(np.pi / 2, 0) == pytest.approx(0.5)
    assert step.signs_differ(np.pi / 2, 1) == pytest.approx(np.arccos(1 / np.pi) / np.pi)
    assert step.signs_differ(np.pi / 2, 2000) == pytest.approx(3 / 2000, rel=0.01)


def test_the_ratio_of_an_activation():
    for layer in (ReLU(), Identity()):
        assert step.activation_ratio(layer, 3.0) == pytest.approx(1)
    assert step.activation_ratio(Tanh(), 1.0) > 1.1
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    value = np.average(special.ndtr(z) ** 2 * z**2, weights=weights)
    slope = special.ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    ratio = np.average(slope**2, weights=weights) / value
    assert step.activation_ratio(GELU(), 1.0) == pytest.approx(ratio, rel=1e-6)


def test_bad_arguments_are_refused():
    for arguments in ((1.0, 1), (0.0, 5), (-1.0, 5)):
        with pytest.raises(ValueError, match="a step needs"):
            step.flip_probability(*arguments)
