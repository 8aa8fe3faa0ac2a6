"""The JAX reading of every layer against JAX's own operations, and exact identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sim.networks import layers
from sim.networks.gradients import loss_residual
from theory.architectures import ARCHITECTURES, densenet, resnet
from theory.initializers import Scheme
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LeakyReLU,
    MaxPool,
    Normalization,
    output_shape,
    padding,
    parts,
    walk,
)

HE = Scheme("he").hidden(sp.Rational(1, 2))
KEY = jax.random.key(0)
PAD = {"circular": "wrap", "reflect": "reflect", "zero": "constant"}


@pytest.mark.parametrize("border", PAD)
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 2, 2), (2, 1, 1), (1, 2, 1)],
)
def test_convolution_is_the_library_convolution(border, kernel, stride, dilation):
    layer = Conv(5, HE, kernel=kernel, stride=stride, dilation=dilation, border=border)
    x = jax.random.normal(jax.random.key(1), (12, 12, 3))
    weights = layers.init(layer, KEY, x.shape)
    padded = jnp.pad(x, (padding(layer), padding(layer), (0, 0)), mode=PAD[border])
    # rows of our matrix run over (column tap, row tap, channel)
    taps = weights.reshape(kernel, kernel, 3, 5).transpose(1, 0, 2, 3)
    expected = jax.lax.conv_general_dilated(
        padded[None], taps, (stride, stride), "VALID",
        rhs_dilation=(dilation, dilation), dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]  # fmt: skip
    ours = layers.apply(layer, weights, x)
    assert ours.shape == output_shape(layer, x.shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_pooling():
    x = jnp.arange(32.0).reshape(4, 4, 2)
    assert layers.apply(AvgPool(2), (), x)[0, 0, 0] == (0 + 2 + 8 + 10) / 4
    assert layers.apply(MaxPool(2), (), x)[1, 1].tolist() == [30, 31]
    assert layers.apply(GlobalAvgPool(), (), x).tolist() == [15, 16]
    assert layers.apply(GlobalMaxPool(), (), x).tolist() == [30, 31]
    assert layers.apply(LeakyReLU(0.5), (), jnp.array([-2.0, 2.0])).tolist() == [-1, 2]


def homogeneous():
    """Architectures whose logits grow in proportion to their input: those without normalization."""
    for architecture in ARCHITECTURES.values():
        if any(isinstance(layer, Normalization) for layer in walk(architecture.build().body)):
            continue  # of degree 0: see test_normalized_networks.py
        for head in architecture.heads or [None]:
            options = {} if head is None else {"head": head}
            name = f"{architecture.name}-{head}"
            marks = [pytest.mark.slow] if architecture.name == "densenet" else []  # many layers
            yield pytest.param(architecture, options, id=name, marks=marks)


@pytest.mark.parametrize(("architecture", "options"), list(homogeneous()))
def test_euler_identity(architecture, options):
    """x · ∂_x L = Σ_k (softmax_k − label_k) f_k for every homogeneous network, exactly."""
    with jax.enable_x64(True):
        for activation in ("relu", "leaky-relu", "identity"):
            net = architecture.build(width=4, activation=activation, **options)
            shape = net.input_shape(32)
            weights = layers.init(net.body, KEY, shape)
            x = jax.random.normal(jax.random.key(2), shape)
            logits, pull_back = jax.vjp(lambda x: layers.apply(net.body, weights, x), x)  # noqa: B023
            residual = loss_residual(logits, jnp.array(3))
            (gradient,) = pull_back(residual)
            np.testing.assert_allclose(jnp.sum(x * gradient), residual @ logits, rtol=1e-9)
            loss = jax.grad(
                lambda x: -jax.nn.log_softmax(layers.apply(net.body, weights, x))[3]  # noqa: B023
            )(x)
            np.testing.assert_allclose(gradient, loss, rtol=1e-6, atol=1e-12)


def test_keys_come_from_places_and_never_from_sizes():
    net = ARCHITECTURES["resnet"].build(width=4)
    small = layers.init(net.body, KEY, net.input_shape(8))
    large = layers.init(net.body, KEY, net.input_shape(16))
    for a, b in zip(jax.tree.leaves(small[:-1]), jax.tree.leaves(large[:-1]), strict=True):
        np.testing.assert_array_equal(a, b)
    head = small[-1]
    np.testing.assert_allclose(large[-1][: len(head)] * 2, head, rtol=1e-6)
    leaves = [np.asarray(x).ravel()[0] for x in jax.tree.leaves(small)]
    assert len(set(leaves)) == len(leaves)


def test_a_layer_without_a_rule_is_named():
    class Strange(Layer):
        pass

    with pytest.raises(TypeError, match="no rule for Strange"):
        layers.apply(Strange(), (), jnp.ones(3))
    assert layers.init(Dense(2, HE), KEY, (3,)).shape == (3, 2)


@pytest.mark.parametrize("net", [resnet(width=2), densenet(width=2, depth=1)])
def test_the_walk_meets_every_layer_once_and_in_order(net):
    """The broken twin forgets what the shortcut gets."""
    shape = net.input_shape(8)
    weights, x = layers.init(net.body, KEY, shape), jax.random.normal(KEY, shape)

    def walked(**ways):
        met = []

        def step(layer, own, x):
            if parts(layer):
                return layers.through(layer, own, x, step, **ways)
            met.append(layer)
            return layers.apply(layer, own, x)

        return met, step(net.body, weights, x)

    met, found = walked()
    assert met == [layer for layer in walk(net.body) if not parts(layer)]
    np.testing.assert_array_equal(found, layers.apply(net.body, weights, x))
    _, other = walked(fork=lambda x: (x, 0 * x))
    assert not np.allclose(other, found)
