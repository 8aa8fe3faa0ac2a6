"""Moments that traces take from the limit of large width, against samples of finite networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.trace import averages, trace
from sim.trace.averages import AVERAGED
from sim.trace.pointwise import FORWARD_PASSES
from sim.trace.softmax import SMALL_SCORES

INPUTS, CHANNELS, TOKENS, NETWORKS = 27, 32, 9, 10_000
Z_BOUND = 4.5


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6)


def fast_layer_norm(x):
    mean = x.mean(-1, keepdims=True)
    variance = jnp.maximum(jnp.square(x).mean(-1, keepdims=True) - mean**2, 0)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-6)


def root_mean_square_norm(x):
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6)


def between_weights(function):
    """y = W₂ function(W₁ x), for an x of (INPUTS,)."""

    def init(key):
        a, b = jax.random.split(key)
        return jax.random.normal(a, (CHANNELS, INPUTS)), jax.random.normal(b, (3, CHANNELS))

    return init, lambda w, x: w[1] @ function(w[0] @ x)


def energies(model, shape, networks=NETWORKS):
    """‖∂f_0/∂x‖² of sampled networks at Gaussian inputs."""
    init, apply = model

    def one(key):
        a, b = jax.random.split(key)
        weights, x = init(a), jax.random.normal(b, shape)
        return jnp.sum(jnp.square(jax.grad(lambda x: apply(weights, x)[0])(x)))

    keys = jax.random.split(jax.random.key(5), networks)
    return np.asarray(jax.jit(lambda k: jax.lax.map(one, k, batch_size=1000))(keys), float)


@pytest.mark.parametrize("norm", [layer_norm, fast_layer_norm, root_mean_square_norm])
def test_the_energy_behind_a_normalization(norm):
    """1/σ² has the mean 1/(1 − 2/27)/(1 − 2/32), and the Jacobian matrix lost a rank or two.

    What the trace does not see: the gradient is orthogonal to x, which takes 1/27 of its energy.
    """
    model = between_weights(norm)
    found, sampled = trace(*model, (INPUTS,)), energies(model, (INPUTS,))
    assert not found.is_random and found.basis == "wide" and AVERAGED in found.assumptions
    assert found.energy.sum() * (1 - 1 / INPUTS) == pytest.approx(sampled.mean(), rel=0.02)


def test_a_scale_taken_as_fixed_is_caught(monkeypatch):
    """Without the 2/27 by which Σ x² varies."""
    model = between_weights(layer_norm)
    monkeypatch.setattr("sim.trace.scatter._multiplied", lambda equation, operands: (0.0, 2.0))
    found, sampled = trace(*model, (INPUTS,)), energies(model, (INPUTS,))
    assert found.energy.sum() * (1 - 1 / INPUTS) < 0.96 * sampled.mean()


def test_a_statistic_over_few_channels_or_over_positions_is_taken_from_passes():
    def over_positions(x):
        kernel = jnp.ones((1, 1, 1))
        y = jax.lax.conv_general_dilated(x[None, None], kernel, (1,), "SAME")[0, 0]
        return layer_norm(y)

    def few(x):
        return layer_norm(x.reshape(-1, 4)).ravel()

    for function in (over_positions, few):
        found = trace(*between_weights(function), (INPUTS,))
        assert found.is_random and FORWARD_PASSES in found.assumptions


@pytest.mark.parametrize("n", [16, 64, 1000])
def test_moments_of_a_mean_square(n):
    """E 1/s = n/(n − 2) for s a mean of n squares of Gaussians; for a fixed s it would be 1."""

    def root(s):
        return s**-0.5, -0.5 * s**-1.5

    slope, square, mean = averages.moments(root, (np.ones(1), np.full(1, 2 / n), 0.0))
    assert square[0] == pytest.approx(n / (n - 2), rel=2e-3)
    assert slope[0] == pytest.approx(0.25 * n**3 / ((n - 2) * (n - 4) * (n - 6)), rel=0.03)
    assert 1 < mean[0] ** 2 < square[0]
    assert averages.moments(root, (np.ones(1), np.full(1, 0.6), 0.0)) is None
    # half of the variance from the entries, half from the scale that they share
    halves = averages.moments(root, (np.ones(1), np.full(1, 1 / n), 1 / n))
    assert halves[1] == pytest.approx(square)


def plain_softmax(s):
    e = jnp.exp(s)
    return e / e.sum(-1, keepdims=True)


SOFTMAXES = {
    "of jax": jax.nn.softmax,
    "over the first axis": lambda s: jax.nn.softmax(s.T, axis=0).T,
    "without a maximum": plain_softmax,
}


def attention(softmax, scale):
    """Self-attention of white tokens, by one head, read by weights."""

    def init(key):
        keys = jax.random.split(key, 4)
        queries, keys_, values = (
            size * jax.random.normal(k, (CHANNELS, CHANNELS)) / CHANNELS**0.5
            for size, k in zip((scale, scale, 1.0), keys, strict=False)
        )
        return queries, keys_, values, jax.random.normal(keys[3], (3, TOKENS * CHANNELS))

    def apply(w, x):
        scores = (x @ w[0]) @ (x @ w[1]).T / CHANNELS**0.5
        return w[3] @ (softmax(scores) @ (x @ w[2])).ravel()

    return init, apply


@pytest.mark.parametrize("name", SOFTMAXES)
def test_an_attention_of_small_scores(name):
    model, shape = attention(SOFTMAXES[name], 0.5), (TOKENS, CHANNELS)
    found, sampled = trace(*model, shape), energies(model, shape, 4000)
    assert not found.is_random and SMALL_SCORES in found.assumptions
    error = sampled.std() / len(sampled) ** 0.5
    assert abs(found.energy.sum() - sampled.mean()) < Z_BOUND * error + 0.02 * sampled.mean()
    # as if all keys had the same share
    uniform = trace(*attention(lambda s: jnp.full_like(s, 1 / TOKENS), 0.5), shape)
    assert uniform.energy.sum() < 0.95 * found.energy.sum()


def test_an_attention_whose_gradient_is_stopped():
    def stopped(scores):
        e = jnp.exp(jax.lax.stop_gradient(scores))
        return e / e.sum(-1, keepdims=True)

    model, shape = attention(stopped, 0.5), (TOKENS, CHANNELS)
    found = trace(*model, shape)
    assert SMALL_SCORES not in found.assumptions
    whole = trace(*attention(jax.nn.softmax, 0.5), shape).energy.sum()
    assert found.energy.sum() < whole
    assert found.energy.sum() == pytest.approx(energies(model, shape, 4000).mean(), rel=0.03)


def test_scores_that_are_not_small_are_taken_from_passes():
    found = trace(*attention(jax.nn.softmax, 1.5), (TOKENS, CHANNELS))
    assert found.is_random and SMALL_SCORES not in found.assumptions
