"""Normalizations and tokens in JAX: exact identities, and the wide limit against simulation.

Seeds are fixed; z-scores beyond Z_BOUND have probability 7e-6 in each test of a true law.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sim.networks import gradients, layers
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures, predict
from theory.initializers import Scheme
from theory.network import BatchNorm, Dense, Flatten, LayerNorm, Network, serial
from theory.tokens import MixPositions, Patches, PositionEmbedding, SelfAttention

Z_BOUND = 4.5
KEY = jax.random.key(0)
HE = Scheme("he").hidden(sp.Rational(1, 2))
LINEAR = Scheme("lecun").last()


def test_the_exact_energy_gain_of_a_layer_norm():
    """E‖∂f_k‖² = (d − 1)/d · (n − 2)/(n − 3) behind n Gaussian units, at ‖x‖² = d, without ε.

    Two directions are lost, and the inverse of a χ² variable has mean 1/(n − 3); all of that is 1
    in the wide limit. Statistics that are not differentiated are caught: n/(n − 3).
    """
    n, d, seeds = 12, 16, 8000
    norm, x = LayerNorm(epsilon=0.0), jnp.ones(d)

    def square(key, fixed):
        first, last = jax.random.split(key)
        weights = layers.init(Dense(n, HE), first, (d,)), layers.init(Dense(1, LINEAR), last, (n,))

        def logit(x):
            z = x @ weights[0]
            if fixed:
                mean, var = jax.lax.stop_gradient((z.mean(), z.var()))
                return (layers.normalized(z, mean, var, 0.0) @ weights[1])[0]
            return (layers.apply(norm, (), z) @ weights[1])[0]

        return jnp.sum(jax.grad(logit)(x) ** 2)

    keys = jax.random.split(KEY, seeds)
    expected = (d - 1) / d * (n - 2) / (n - 3)
    for fixed in (False, True):
        found = np.asarray(jax.vmap(square, (0, None))(keys, fixed), float)
        z = (found.mean() - expected) / (found.std() / np.sqrt(seeds))
        assert (abs(z) < Z_BOUND) == (not fixed)


def test_the_gradient_of_a_batch_is_that_of_the_sum_of_its_losses():
    net = architectures.cnn(width=4, depth=2, norm="batch")
    shape = net.input_shape(4)
    weights = layers.init(net.body, KEY, shape)
    xs, labels = jax.random.normal(jax.random.key(1), (3, *shape)), jnp.array([1, 4, 2])
    together = jax.vmap(layers.apply, (None, None, 0), axis_name=layers.INPUTS)

    def loss(xs):
        return -jnp.sum(jax.nn.log_softmax(together(net.body, weights, xs))[jnp.arange(3), labels])

    def norms(x, label):
        return gradients.gradient_norms(net.body, weights, x, label, ("loss",), (1.0,))[0][0, 0]

    found = jax.jit(jax.vmap(norms, axis_name=layers.INPUTS))(xs, labels)
    expected = jnp.abs(jax.jit(jax.grad(loss))(xs)).sum((1, 2, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_batch_norm_leaves_mean_zero_and_variance_one():
    xs = 3 + 2 * jax.random.normal(KEY, (4, 5, 5, 6))
    normalize = jax.vmap(lambda x: layers.apply(BatchNorm(), (), x), axis_name=layers.INPUTS)
    ys = jax.jit(normalize)(xs)
    np.testing.assert_allclose(ys.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(ys.var((0, 1, 2)), 1, rtol=1e-4)


def test_the_size_of_an_input_does_not_matter_behind_a_layer_norm():
    """f(c x) = f(x), so that x · ∂_x f = 0 (Euler), up to epsilon."""
    net = architectures.cnn(width=8, depth=2, norm="layer")
    x = jax.random.normal(KEY, net.input_shape(4))
    weights = layers.init(net.body, KEY, x.shape)

    logit, gradient = jax.jit(jax.value_and_grad(lambda x: layers.apply(net.body, weights, x)[0]))(
        x
    )
    assert abs(jnp.sum(x * gradient)) < 1e-3 * abs(logit)


def ratio(network, side, draws, seeds):
    """Mean ‖∂f_k‖_1 over the law's, and its standard error."""
    norms = sample(network, side, range(seeds), draws)[:, 0, 0]
    law = predict(network, 1)(network.channels * side**2)
    return norms.mean() / law, norms.std() / np.sqrt(seeds) / law


@pytest.mark.parametrize("arch", ["cnn", pytest.param("resnet", marks=pytest.mark.slow)])
def test_batch_norm_in_the_wide_limit(arch):
    """That means are taken away multiplies the norm by far more than what is allowed.

    The last batch norm sees 4×4 positions, and a dense head hands the same gradient to all inputs:
    it takes (1/2 + 1/π)/16 of the energy away, which the law neglects, and half of that of a norm.
    """
    network = architectures.find(arch).build(width=24, norm="batch")
    measured, error = ratio(network, 16, Draws(("logit",), (1.0,), inputs_per_seed=8), 16)
    allowed = (1 / 2 + 1 / np.pi) / 16 / 2 + Z_BOUND * error
    assert abs(measured - 1) < allowed
    lost = (1 - 1 / np.pi) ** 1.5  # of the three batch norms of a cnn behind an activation
    assert abs(measured * lost - 1) > allowed


def test_a_mixer_in_the_wide_limit():
    """At 64 positions of 48 pixels, 4 % are allowed for 1/64 and 1/48 in five layer norms."""
    network = architectures.mlp_mixer(width=64, head="dense")
    measured, error = ratio(network, 32, Draws(("logit",), (1.0,)), 64)
    assert abs(measured - 1) < 0.04 + Z_BOUND * error


def test_patches_are_the_pixels_of_the_image():
    x = jnp.arange(6 * 6 * 2.0).reshape(6, 6, 2)
    for layer in (Patches(2), Patches(tokens=9)):
        cut = layers.apply(layer, (), x)
        assert cut.shape == (9, 8)
        np.testing.assert_array_equal(cut[4], x[2:4, 2:4].ravel())


def test_mixing_positions_is_the_same_for_all_channels():
    x = jax.random.normal(KEY, (5, 3))
    weights = layers.init(MixPositions(HE), KEY, x.shape)
    np.testing.assert_allclose(
        layers.apply(MixPositions(HE), weights, x), jnp.einsum("so,sc->oc", weights, x), rtol=1e-5
    )


def test_attention_is_that_of_the_library():
    """`jax.nn.dot_product_attention` on the same queries, keys and values."""
    layer, x = SelfAttention(2, LINEAR), jax.random.normal(KEY, (7, 6))
    weights = layers.init(layer, KEY, x.shape)
    q, k, v = ((x @ w).reshape(1, 7, 2, 3) for w in weights[:3])
    expected = jax.nn.dot_product_attention(q, k, v).reshape(7, 6) @ weights[3]
    np.testing.assert_allclose(layers.apply(layer, weights, x), expected, rtol=1e-4, atol=1e-5)


def test_positions_keep_their_vectors_when_the_image_grows():
    small, large = (layers.init(PositionEmbedding(LINEAR), KEY, (n, 4)) for n in (4, 9))
    np.testing.assert_array_equal(large[:4], small)
    assert float(jnp.std(layers.init(PositionEmbedding(LINEAR), KEY, (900, 4)))) > 0.9


def test_the_reading_of_tokens_needs_tokens():
    body = serial(Flatten(), MixPositions(HE))
    with pytest.raises(ValueError, match=r"MixPositions\(.*needs a sequence of patches"):
        predict(Network("strange", body), 1)
