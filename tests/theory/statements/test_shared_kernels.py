"""The exact excess of a global average over shared kernels."""

import numpy as np
import pytest

from theory.statements.shared_kernels import pooled_excess


def test_no_excess_without_overlap_or_with_equal_patches():
    rng = np.random.default_rng(0)
    assert pooled_excess(rng.standard_normal((4, 4, 2)), 1) == 1
    assert pooled_excess(np.ones((4, 4, 2)), 3) == pytest.approx(1)
    alone = np.zeros((6, 6, 1))
    alone[::3, ::3] = 1  # every patch reads one bright pixel
    assert pooled_excess(alone, 3) > 1


def test_two_positions_are_the_closed_form():
    """Columns of pixels 1 and t make a 2×2 kernel one of two taps: 1 + √(1 − ρ²)/π."""
    t = 0.3
    image = np.tile(np.array([1, t])[None, :, None], (2, 1, 1))
    rho = 2 * t / (1 + t**2)
    assert pooled_excess(image, 2) == pytest.approx(1 + np.sqrt(1 - rho**2) / np.pi)


def test_white_images_approach_the_limit_of_many_channels():
    rng = np.random.default_rng(1)
    channels = 64
    excess = pooled_excess(rng.standard_normal((6, 6, channels)), 3) - 1
    assert excess == pytest.approx(8 / (9 * np.pi * channels), rel=0.1)
