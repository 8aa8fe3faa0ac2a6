"""Networks that leave the range of float32 on their way, although their norms are finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks import gradients, layers, scaled
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures, predict
from theory.initializers import Scheme
from theory.network import Conv, Dense, Flatten, Network, ReLU, concat, serial


def constant(std):
    return Scheme("constant", None, std)


DEEP = {
    "vanishing mlp": (architectures.mlp(width=16, depth=60, init=constant(0.02)), 2),
    "exploding mlp": (architectures.mlp(width=16, depth=60, init=constant(10.0)), 2),
    "vanishing cnn": (architectures.cnn(width=16, depth=20, init=constant(0.001)), 4),
    "exploding resnet": (architectures.resnet(width=8, depth=6, init=constant(1e6)), 4),
    "vanishing gelu": (
        architectures.mlp(width=8, depth=60, init=constant(0.02), activation="gelu"),
        2,
    ),
    "exploding gelu": (
        architectures.mlp(width=8, depth=60, init=constant(10.0), activation="gelu"),
        2,
    ),
    "vanishing tanh": (
        architectures.mlp(width=8, depth=60, init=constant(0.02), activation="tanh"),
        2,
    ),
}


def norms_of(net, side, dtype):
    shape = net.input_shape(side)
    with jax.enable_x64(True):
        # weights of both types are the same numbers, so that only the arithmetic differs
        weights = layers.init(net.body, jax.random.key(0), shape)
        x = jax.random.normal(jax.random.key(1), shape)
        weights, x = jax.tree.map(lambda a: a.astype(jnp.float32).astype(dtype), (weights, x))
        arguments = net.body, weights, x, jnp.array(1), ("logit",), (1.0, 2.0)
        found = gradients.gradient_norms(*arguments)
    return gradients.numbers(found)


SLOW = ("vanishing cnn", "exploding resnet")  # they take long to compile


@pytest.mark.parametrize(
    "case", [pytest.param(x, marks=pytest.mark.slow if x in SLOW else ()) for x in DEEP]
)
def test_float32_finds_what_float64_finds(case):
    net, side = DEEP[case]
    assert scaled.needed(net.body, net.input_shape(side), jnp.float32)
    single = norms_of(net, side, jnp.float32)
    double = norms_of(net, side, jnp.float64)
    assert np.all((single > 0) & np.isfinite(single))
    np.testing.assert_allclose(single, double, rtol=1e-3)


def test_plain_arithmetic_does_not(monkeypatch):
    monkeypatch.setattr(scaled, "needed", lambda *_: False)
    for case in ("vanishing mlp", "exploding mlp"):
        single = norms_of(*DEEP[case], jnp.float32)
        assert np.all((single == 0) | ~np.isfinite(single))


@pytest.mark.parametrize("width", [16, 64])
def test_two_hundred_layers_follow_the_exact_law(width, monkeypatch):
    """Bound: 4.5 standard errors of the mean logarithm, with the law's own variance.

    The broken twin forgets the exponents.
    """
    net = architectures.mlp(width=width, depth=200, init=constant(0.02 * 8 / width**0.5))
    law = predict(net, 2).distribution(48)
    numbers, found = gradients.numbers, []
    monkeypatch.setattr(gradients, "numbers", lambda norms: found.append(norms) or numbers(norms))
    sampled = sample(net, 4, range(96), Draws(("logit",), (2.0,)))
    without = [numbers((norms[0], None)) for norms in found]

    def distance(norms):
        logs = np.log(norms[norms > 0])
        return abs(logs.mean() - law.log_mean()) / np.sqrt(law.log_variance() / len(logs))

    assert distance(sampled) < 4.5
    assert distance(np.concatenate(without)) > 4.5


LAST = Scheme("he").last()
CONCATENATED = Network(
    "concatenated", serial(concat(Conv(4, LAST)), ReLU(), Flatten(), Dense(3, LAST))
)


@pytest.mark.parametrize("net", [architectures.resnet(width=4), CONCATENATED])
def test_ordinary_networks_are_the_same_bits_either_way(net, monkeypatch):
    assert not scaled.needed(net.body, net.input_shape(8), jnp.float32)
    plain = norms_of(net, 8, jnp.float32)
    monkeypatch.setattr(scaled, "needed", lambda *_: True)
    np.testing.assert_array_equal(norms_of(net, 8, jnp.float32), plain)


@pytest.mark.parametrize("gap", [3.0, 30.0, 300.0, 700.0])
def test_a_saturated_softmax_has_a_small_residual(gap):
    logits = jnp.array([0.0, gap, 0.0]), jnp.zeros(())
    values, exponent = scaled_numbers(gradients.scaled_residual(logits, jnp.array(1)))
    small = np.exp(-gap) / (1 + 2 * np.exp(-gap))
    expected = np.array([small, -2 * small, small])
    np.testing.assert_allclose(np.ldexp(values, exponent), expected, rtol=2e-4)


def scaled_numbers(pair):
    return np.asarray(pair[0], np.float64), int(pair[1])


def test_what_lies_outside_of_float64_is_told_from_zero():
    exponents = jnp.array([-2000.0, 2000.0, -2000.0, 3.0])
    found = gradients.numbers((jnp.array([1.0, 1.0, 0.0, 1.0]), exponents))
    np.testing.assert_array_equal(found, [0, np.inf, 0, 8])
    assert np.signbit(found).tolist() == [True, False, False, False]


@pytest.mark.parametrize("width", [1, 2])
def test_dead_networks_are_zeros_as_often_as_the_law_says(width):
    """Bound: 4.5 standard deviations of the number of dead networks."""
    net = architectures.mlp(width=width, depth=2)
    dead = float(predict(net, 2).distribution(12).dead)
    norms = sample(net, 2, range(400), Draws(("logit",), (2.0,)))[:, 0, 0]
    zeros = (norms == 0) & ~np.signbit(norms)
    assert np.all(np.isfinite(norms))
    assert abs(zeros.mean() - dead) < 4.5 * np.sqrt(dead * (1 - dead) / 400)


@pytest.mark.parametrize("std", [1e-30, 0.02, 1.0])
@pytest.mark.parametrize("build", [architectures.mlp, architectures.cnn, architectures.resnet])
def test_laws_of_deep_networks_have_finite_slopes(build, std):
    net = build(width=64, depth=200, init=constant(std))
    slope = predict(net, 1).slope([192, 768])
    assert np.isfinite(slope)


@pytest.mark.slow
def test_ten_million_inputs_and_a_hundred_thousand_units():
    """Bound: 4.5 standard errors of the mean logarithm."""
    for width, side in ((4, 1826), (10**5, 4)):
        net = architectures.mlp(width=width, depth=2)
        law = predict(net, 2).distribution(3 * side**2)
        norms = sample(net, side, range(16), Draws(("logit",), (2.0,)))[:, 0, 0]
        alive = norms[norms > 0]
        bound = 4.5 * np.sqrt(law.log_variance() / len(alive))
        assert abs(np.log(alive).mean() - law.log_mean()) < bound
