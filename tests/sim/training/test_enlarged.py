"""Images made larger: what copying and detail leave as it was, and the spectrum of the detail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.training import enlarged
from sim.training.subspace import parts

KEY = jax.random.key(0)


def images(count: int, side: int) -> jax.Array:
    drawn = np.random.default_rng(1).normal(size=(count, side, side, 1)).astype(np.float32)
    return jnp.asarray(drawn / np.sqrt((drawn**2).mean(axis=(1, 2, 3), keepdims=True)))


def test_without_detail_pixels_are_copied():
    xs = images(2, 4)
    found = enlarged.enlarged(xs, 8, None, KEY)
    np.testing.assert_array_equal(found[:, ::2, 1::2], xs)
    np.testing.assert_array_equal(enlarged.enlarged(xs, 4, 2.0, KEY), xs)


@given(st.sampled_from([2, 4]), st.sampled_from([2, 3, 4]), st.floats(0, 4))
def test_block_means_are_those_of_the_image(own, factor, detail):
    xs, side = images(1, own), own * factor
    found = enlarged.enlarged(xs, side, detail, KEY)
    scale = enlarged.detail_scale(side, own, detail)
    on, off = parts(found[0], own)
    wanted = enlarged.copied(xs, side)[0] / np.sqrt(1 + scale.mean_square)
    np.testing.assert_allclose(on, wanted, atol=1e-5)
    assert np.abs(off).max() > 0


@pytest.mark.parametrize("detail", [0.0, 2.0])
def test_mean_square_stays_1_and_every_dimension_is_filled(detail):
    count, side, own = 4096, 8, 4
    xs = jnp.repeat(images(1, own), count, axis=0)
    found = np.asarray(enlarged.enlarged(xs, side, detail, KEY), float)
    squares = (found**2).mean(axis=(1, 2, 3))
    error = squares.std() / np.sqrt(count)
    assert abs(squares.mean() - 1) < 4 * error
    twin = found * np.sqrt(1 + enlarged.detail_scale(side, own, detail).mean_square)
    assert abs((twin**2).mean() - 1) > 20 * error  # not divided by its root mean square
    spread = np.linalg.eigvalsh(np.cov(found.reshape(count, -1).T))
    assert np.sum(spread > 1e-6) == side**2 - own**2  # one image: only detail differs


def test_white_detail_has_the_variance_that_a_mean_of_pixels_needs():
    scale = enlarged.detail_scale(12, 4, 0.0)
    # a white field without its mean: 143 free numbers, 15 of them in block means
    assert scale.mean_square == pytest.approx((143 - 15) / 15)
    assert scale.factor == pytest.approx(3 * np.sqrt(16 / 15))


def test_power_falls_like_the_frequency():
    side, alpha = 32, 2.0
    keys = jax.random.split(KEY, 2000)
    fields = jax.vmap(lambda one: enlarged._field(one, side, 1, alpha))(keys)
    power = np.mean(np.abs(np.fft.fft2(np.asarray(fields, float)[..., 0])) ** 2, axis=0)
    frequencies = np.arange(1, 9)
    slope = np.polyfit(np.log(frequencies), np.log(power[0, 1:9]), 1)[0]
    assert slope == pytest.approx(-alpha, abs=0.05)
    assert abs(slope + alpha / 2) > 0.5  # the twin: amplitude for power
