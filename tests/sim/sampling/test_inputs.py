"""Inputs have mean square 1 at every size, and the same picture at all of them."""

import numpy as np
import pytest

from sim.sampling import inputs


@pytest.mark.parametrize("name", ["photo", "digits"])
@pytest.mark.parametrize(("side", "channels"), [(4, 3), (8, 1), (20, 3), (32, 1)])
def test_real_images_are_standardized(name, side, channels):
    images = inputs.images(name, np.array([[0, 5], [70, 2000]]), side, channels)
    assert images.shape == (2, 2, side, side, channels)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images.mean(axis=(2, 3, 4)), 0, atol=1e-5)
    np.testing.assert_allclose((images**2).mean(axis=(2, 3, 4)), 1, rtol=1e-4)


def test_digits_grow_by_copying_pixels():
    small = inputs.images("digits", np.array([3]), 8, 1)
    large = inputs.images("digits", np.array([3]), 32, 1)
    np.testing.assert_allclose(large, np.repeat(np.repeat(small, 4, 1), 4, 2), atol=1e-5)


def test_photographs_shrink_by_averaging():
    large = inputs.images("photo", np.array([11]), 64, 3)[0].astype(float)
    small = inputs.images("photo", np.array([11]), 32, 3)[0]
    means = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means / means.std(), atol=0.02)


def test_images_differ_and_wrap_around():
    images = inputs.images("photo", np.arange(64), 8, 3)
    assert len(np.unique(images.reshape(64, -1), axis=0)) == 64
    np.testing.assert_array_equal(inputs.images("photo", np.array([64]), 8, 3)[0], images[0])


def test_single_pixels_are_not_divided_by_zero():
    assert np.all(np.isfinite(inputs.images("digits", np.array([0]), 1, 1)))


def test_channels():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        inputs.check("photo", 2)
    inputs.check("digits", 2)
