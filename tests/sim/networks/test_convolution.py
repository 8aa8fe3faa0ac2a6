"""The convolution and its derivatives against JAX's own convolution and its derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks.convolution import FEW_CHANNELS, SMALL_SIDE, convolve

pytestmark = pytest.mark.slow

OPTIONS = [  # kernel, stride, dilation
    (3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 2, 2), (2, 1, 1), (2, 2, 1), (1, 1, 1), (1, 2, 1),
    (3, 3, 1), (3, 2, 3), (3, 3, 2), (4, 3, 2),
]  # fmt: skip
SIDES = (12, SMALL_SIDE + 9)
CHANNELS = (FEW_CHANNELS - 1, FEW_CHANNELS + 1)


def library(x, weights, stride, dilation):
    channels = x.shape[2]
    taps = round((len(weights) / channels) ** 0.5)
    kernels = weights.reshape(taps, taps, channels, -1).transpose(1, 0, 2, 3)
    return jax.lax.conv_general_dilated(
        x[None], kernels, (stride, stride), "VALID",
        rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]  # fmt: skip


def random(key, *shape):
    return jax.random.normal(jax.random.key(key), shape)


@jax.jit
def largest(a, b):
    return jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b))


def errors(function, kernel, stride, dilation, side, channels):
    """Largest errors of the value and both derivatives, relative to their largest entry."""
    x, weights = random(1, side, side, channels), random(2, kernel**2 * channels, 5)

    def value_and_derivatives(f):
        y, pull_back = jax.vjp(lambda x, w: f(x, w, stride, dilation), x, weights)
        return y, *pull_back(jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

    ours, theirs = value_and_derivatives(function), value_and_derivatives(library)
    assert [a.shape for a in ours] == [a.shape for a in theirs]
    return [float(largest(a, b)) for a, b in zip(ours, theirs, strict=True)]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), OPTIONS)
@pytest.mark.parametrize("side", SIDES)
def test_value_and_both_derivatives(kernel, stride, dilation, side):
    for channels in CHANNELS:
        with jax.enable_x64(True):
            assert max(errors(convolve, kernel, stride, dilation, side, channels)) < 1e-12
    assert max(errors(convolve, kernel, stride, dilation, side, channels)) < 1e-5


def test_a_wrong_derivative_is_seen():
    """Twins: kernels not reversed, taps of one phase left out."""

    def twin(wrong):
        function = jax.custom_vjp(library, nondiff_argnums=(2, 3))

        def backward(stride, dilation, saved, g):
            _, pull_back = jax.vjp(
                lambda x, w: library(x, w, stride, dilation), saved[0], wrong(saved[1])
            )
            return pull_back(g)

        function.defvjp(lambda x, w, s, d: (library(x, w, s, d), (x, w)), backward)
        return function

    channels = CHANNELS[1]
    reversed_ = twin(lambda w: w.reshape(9, channels, -1)[::-1].reshape(w.shape))
    forgotten = twin(lambda w: w.at[-channels:].set(0))
    for function in (reversed_, forgotten):
        _, of_x, _ = errors(function, 3, 2, 1, 12, channels)
        assert of_x > 0.1


def test_mapped_over_seeds_and_over_images():
    xs, weights = random(1, 3, 20, 20, 9), random(2, 3, 81, 4)
    singly = [convolve(x, w, 2, 1) for x, w in zip(xs, weights, strict=True)]
    mapped = jax.vmap(lambda x, w: convolve(x, w, 2, 1))(xs, weights)
    np.testing.assert_allclose(mapped, jnp.stack(singly), rtol=1e-4, atol=1e-4)
    images = jax.vmap(lambda x: convolve(x, weights[0], 2, 1))(xs)
    np.testing.assert_allclose(images[0], singly[0], rtol=1e-4, atol=1e-4)
