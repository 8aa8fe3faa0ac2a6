"""The squared network against brute force and against theory; broken twins are caught.

Models have random signs for weights, so that second moments are exact, or Gaussian weights with a
stated z-bound. Seeds are fixed.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim import layers
from sim.trace import TraceError, trace
from theory import wide
from theory.architectures import ARCHITECTURES, HEADS
from theory.energy import logit_energy_map
from theory.initializers import Scheme

Z_BOUND = 4.5
SIGNS = Scheme("he", "rademacher")


def described(name, **options):
    """(init, apply, shape, network) of an architecture with weights of random signs."""
    network = ARCHITECTURES[name].build(**{"width": 3, "init": SIGNS, **options})
    shape = network.input_shape(32 if name == "convnet-avdim" else 8)

    def init(key):
        return layers.init(network.body, key, shape)

    return init, lambda w, x: layers.apply(network.body, w, x), shape, network


CASES = [
    ("mlp", {}),
    ("cnn", {"head": "gap", "border": "zero"}),
    ("resnet", {"head": "gmaxpool"}),
    ("resnet-preact", {"head": "avgpool", "activation": "leaky-relu"}),
    ("convnet-avdim", {"head": "dense", "pooling": "max", "depth": 3}),
    ("densenet", {"head": "gap", "depth": 1}),
]
SLOW = [(name, {"head": head}) for name in ("cnn", "resnet", "resnet-preact") for head in HEADS]
SLOW += [("convnet-avdim", {"pooling": pooling}) for pooling in ("stride", "average", "max")]
CASES += [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_it_agrees_with_the_energy_map_of_every_architecture(name, options):
    init, apply, shape, network = described(name, **options)
    found = trace(init, apply, shape)
    expected = logit_energy_map(network.body, shape)
    np.testing.assert_allclose(found.energy.sum(-1), expected, rtol=1e-5)
    assert found.basis == "hypothesis-H"


@pytest.mark.parametrize(("name", "activation"), [("mlp", "gelu"), ("cnn", "tanh")])
def test_smooth_activations_agree_with_the_wide_limit(name, activation):
    init, apply, shape, network = described(name, activation=activation)
    found = trace(init, apply, shape)
    expected = logit_energy_map(wide.resolve(network.body, shape).body, shape)
    np.testing.assert_allclose(found.energy.sum(-1), expected, rtol=2e-5)
    assert found.basis == "wide"


def test_layer_norms_agree_with_the_wide_limit_up_to_finite_sizes():
    """The trace divides by norms of 27 pixels and of 32 channels, the limit by their means."""
    init, apply, shape, network = described("cnn", norm="layer", depth=2, width=32)
    expected = logit_energy_map(wide.resolve(network.body, shape).body, shape)
    assert trace(init, apply, shape).energy.sum() / expected.sum() == pytest.approx(
        1 / (1 - 2 / 27) / (1 - 2 / 32) ** 2, abs=0.1
    )


SHAPE = (4, 4, 2)


def signs(key, shape):
    return jax.random.rademacher(key, shape).astype(float)


def mixed(function, features=6, bias=0.0):
    """A model with weights of random signs, a function without weights, and weights again."""

    def init(key):
        a, b, c = jax.random.split(key, 3)
        middle = jax.eval_shape(function, jnp.zeros((4, 4, features)))
        return {
            "first": signs(a, (2, features)),
            "bias": bias * signs(c, (features,)),
            "last": signs(b, (middle.size, 3)),
        }

    def apply(w, x):
        return function(x @ w["first"] + w["bias"]).ravel() @ w["last"]

    return init, apply


def kernel(function):
    """A convolution by `function(image, kernel)` between weights, its kernel of random signs."""

    def init(key):
        a, b = jax.random.split(key)
        output = jax.eval_shape(function, jnp.zeros((1, *SHAPE)), jnp.zeros((2, 3, 2, 4)))
        return signs(a, (2, 3, 2, 4)), signs(b, (output.size, 3))

    return init, lambda w, x: function(x[None], w[0]).ravel() @ w[1]


def convolution(x, w, **options):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, w, dimension_numbers=numbers, **options)


def looped(x):
    return jax.lax.scan(lambda carry, row: (carry + row, 2 * carry), jnp.zeros(x.shape[1:]), x)[1]


def rearranged(z):
    z = jnp.cumsum(z, axis=1)  # before any entry is there twice: copies do not add up in squares
    z = jnp.concatenate([z[1:3].transpose(1, 0, 2), 2 * z[:, ::2], jnp.flip(z[:, :2], 0)], axis=1)
    z = jnp.pad(jnp.pad(z, ((1, 1), (0, 0), (0, 0))), 1, mode="wrap")
    z = jnp.where(jnp.arange(8) < 5, z, 0.0)
    return z[jnp.array([0, 2, 2])]


MODELS = {
    "arithmetic": mixed(lambda z: 3 * z - z / 2 + jnp.flip(z, 0)),
    "average": mixed(lambda z: z.reshape(2, 2, 2, 2, 6).mean(axis=(1, 3))),
    "window": mixed(
        lambda z: jax.lax.reduce_window(z, 0.0, jax.lax.add, (2, 3, 1), (1, 2, 1), "SAME") / 6
    ),
    "matrix": mixed(lambda z: jnp.einsum("ij,jkc->ikc", jnp.arange(8.0).reshape(2, 4), z)),
    "rearrangement": mixed(rearranged),
    "bias": mixed(jax.nn.relu, bias=0.7),
    "centred": mixed(lambda z: z - z.mean(axis=-1, keepdims=True)),
    "leaky relu": mixed(lambda z: jax.nn.leaky_relu(z, 0.3)),
    "half precision": mixed(lambda z: jax.nn.relu(z.astype(jnp.bfloat16) / 2).astype(float)),
    "stopped": mixed(lambda z: z + jax.lax.stop_gradient(z)),
    "calls": mixed(jax.jit(jax.checkpoint(lambda z: looped(jax.nn.relu(2 * z))))),
    "dilated": kernel(
        lambda x, w: convolution(
            x, w, window_strides=(1, 1), padding=((2, 1), (3, 0)), lhs_dilation=(2, 1),
            rhs_dilation=(1, 2),
        )
    ),
    "grouped": kernel(
        lambda x, w: convolution(
            x, w[:, :, :1], window_strides=(1, 1), padding="VALID", feature_group_count=2
        )
    ),
}  # fmt: skip


def gradients(model, seeds=4000):
    """(∂f_0/∂x)² for every seed, at Gaussian inputs."""
    init, apply = model

    def one(key):
        a, b = jax.random.split(key)
        weights = init(a)
        return jax.grad(lambda x: apply(weights, x)[0])(jax.random.normal(b, SHAPE)) ** 2

    keys = jax.random.split(jax.random.key(3), seeds)
    return np.asarray(jax.jit(jax.vmap(one))(keys), float)


def z_scores(model, found):
    """Of the total, and the largest of all coordinates."""
    squares = gradients(model)
    every = np.concatenate([squares.sum((1, 2, 3))[:, None], squares.reshape(len(squares), -1)], 1)
    expected = np.append(found.energy.sum(), found.energy.ravel())
    error = every.std(axis=0) / np.sqrt(len(every))
    return np.abs(every.mean(axis=0) - expected) / (error + 1e-5 * expected + 1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_rule_against_sampled_gradients(name):
    found = trace(*MODELS[name], SHAPE, logit=0)
    assert z_scores(MODELS[name], found).max() < Z_BOUND


@pytest.mark.parametrize("name", ["average", "window", "matrix"])
def test_a_forgotten_square_of_a_fixed_coefficient_is_caught(name):
    found = trace(*MODELS[name], SHAPE, logit=0)
    forgotten = {"average": 4, "window": 6, "matrix": 0.5}[name]
    broken = dataclasses.replace(found, energy=found.energy * forgotten)
    assert z_scores(MODELS[name], broken).max() > Z_BOUND


def test_ways_that_meet_again_taken_as_independent_are_caught(monkeypatch):
    monkeypatch.setattr("sim.trace.rules.meeting", lambda *operands, **more: None)
    found = trace(*MODELS["centred"], SHAPE, logit=0)
    assert z_scores(MODELS["centred"], found).max() > Z_BOUND


def test_fan_out_for_fan_in_is_caught():
    def twin(mode):
        init = jax.nn.initializers.variance_scaling(2.0, mode, "normal")
        return (
            lambda key: [init(k, s) for k, s in zip(jax.random.split(key), SIZES, strict=True)],
            lambda w, x: jax.nn.relu(x.ravel() @ w[0]) @ w[1],
        )

    SIZES = [(32, 16), (16, 3)]
    right = twin("fan_in")
    assert z_scores(right, trace(*right, SHAPE, logit=0)).max() < Z_BOUND
    assert z_scores(right, trace(*twin("fan_out"), SHAPE, logit=0)).max() > Z_BOUND


def test_weights_of_unequal_variances_are_not_pooled():
    scales = jnp.repeat(jnp.array([1.0, 3.0]), 16)

    def init(key):
        a, b = jax.random.split(key)
        return scales[:, None] * signs(a, (32, 5)), signs(b, (5, 3))

    found = trace(init, lambda w, x: x.ravel() @ w[0] @ w[1], SHAPE)
    np.testing.assert_allclose(found.energy.ravel(), 5 * np.asarray(scales) ** 2, rtol=1e-5)


def test_a_layer_is_a_row_with_its_gain_and_its_line():
    found = trace(*MODELS["average"], SHAPE)
    kinds = [(row.kind, row.source.file == __file__) for row in found.rows]
    assert kinds == [("weights", True), ("average", True), ("weights", True)]
    gains = [row.gain for row in found.rows]
    assert gains == pytest.approx([2, 0.25, 24], rel=1e-5)
    assert found.energy.sum() == pytest.approx(np.prod(gains), rel=1e-5)


def sorting(x):
    return jnp.sort(x, axis=0)


def test_an_unknown_primitive_is_one_sentence_with_its_line():
    with pytest.raises(TraceError) as caught:
        trace(*mixed(sorting), SHAPE)
    line = sorting.__code__.co_firstlineno + 1
    assert str(caught.value) == f"test_trace.py:{line}: there is no rule for the primitive sort."


def test_weights_with_a_mean_are_refused():
    def init(key):
        return jax.random.uniform(key, (32, 3))

    with pytest.raises(TraceError, match="do not have mean zero"):
        trace(init, lambda w, x: x.ravel() @ w, SHAPE)
