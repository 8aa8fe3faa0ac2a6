"""Unformed Gaussian matrices have the law of formed ones; a broken twin does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sim import layers, lazy
from sim.lazy import LazyGaussian
from sim.montecarlo import Draws, sample
from theory import architectures

SEEDS = 20_000
Z_BOUND = 4.5
P_BOUND = 1e-5
ROWS, COLUMNS, STD = 6, 4, 0.7
A = jnp.linspace(-1, 2, ROWS)


def both(matrix):
    """Forward and backward products, the cotangent depending on the forward result."""
    y, pull_back = jax.vjp(lambda a: a @ matrix, A)
    (back,) = pull_back(jax.nn.relu(y) + 0.3)
    return jnp.concatenate([y, back])


def collect(one):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    return np.asarray(jax.jit(jax.vmap(one))(keys), float)


def formed():
    return collect(lambda key: both(STD * jax.random.normal(key, (ROWS, COLUMNS))))


def unformed():
    return collect(lambda key: both(LazyGaussian(key, STD, COLUMNS)))


def differences(first, second):
    """z-scores of all means, variances and covariances, and the smallest Kolmogorov-Smirnov p."""

    def moments(x):
        pairs = np.triu_indices(x.shape[1])
        return np.concatenate([x, (x[:, :, None] * x[:, None, :])[:, *pairs]], axis=1)

    a, b = moments(first), moments(second)
    z = (a.mean(0) - b.mean(0)) / np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
    p = min(stats.ks_2samp(x, y).pvalue for x, y in zip(first.T, second.T, strict=True))
    return np.abs(z).max(), p


def test_joint_law_of_forward_and_backward_products():
    z, p = differences(formed(), unformed())
    assert z < Z_BOUND
    assert p > P_BOUND


def test_a_twin_without_the_projection_is_caught(monkeypatch):
    def backward(std, columns, saved, v):
        key, a, y = saved
        noise = jax.random.normal(jax.random.fold_in(key, 1), a.shape)
        return None, a * (y @ v) / (a @ a) + std * jnp.linalg.norm(v) * noise

    twin = jax.custom_vjp(lazy._product.fun, nondiff_argnums=(0, 1))
    twin.defvjp(lazy._forward, backward)
    monkeypatch.setattr(lazy, "_product", twin)
    z, _ = differences(formed(), unformed())
    assert z > Z_BOUND


@pytest.mark.parametrize("arch", ["mlp", "cnn"])
def test_norms_of_whole_networks_have_the_same_law(arch):
    options = {"width": (5, 8)} if arch == "mlp" else {"width": 3, "depth": 2}
    network = architectures.find(arch).build(classes=3, channels=1, **options)
    norms = [
        sample(network, 4, range(6000), Draws(("loss", "logit"), (1.0, 2.0, np.inf), lazy=choice))
        for choice in (True, False)
    ]
    flat = [np.log(np.maximum(x, 1e-3)).reshape(6000, -1) for x in norms]
    # both samplers start from the same keys: independent halves are compared
    z, p = differences(flat[0][:3000], flat[1][3000:])
    assert z < Z_BOUND
    assert p > P_BOUND


def test_euler_identity_holds_for_unformed_matrices():
    with jax.enable_x64(True):
        network = architectures.mlp(width=(7, 5))
        shape = network.input_shape(4)
        weights = layers.init(network.body, jax.random.key(1), shape, True)
        x = jax.random.normal(jax.random.key(2), shape)
        logits, pull_back = jax.vjp(lambda x: layers.apply(network.body, weights, x), x)
        (gradient,) = pull_back(logits)
        np.testing.assert_allclose(jnp.sum(x * gradient), logits @ logits, rtol=1e-10)


def test_only_gaussian_dense_layers_stay_unformed():
    key, shape = jax.random.key(0), (4, 4, 3)
    gaussian = layers.init(architectures.mlp().body, key, shape, True)
    assert isinstance(gaussian[1], LazyGaussian)
    uniform = layers.init(architectures.mlp(init="pytorch").body, key, shape, True)
    assert isinstance(uniform[1], jax.Array)
    assert isinstance(layers.init(architectures.mlp().body, key, shape)[1], jax.Array)


def test_a_dead_layer_passes_no_nan():
    _, pull_back = jax.vjp(lambda a: a @ LazyGaussian(jax.random.key(0), 1.0, 3), jnp.zeros(5))
    assert np.all(np.isfinite(pull_back(jnp.ones(3))[0]))


def test_sizes_share_the_randomness():
    small, large = (
        sample(architectures.mlp(width=16), side, range(300), Draws(("loss",), (1.0,)))[:, 0, 0]
        for side in (8, 32)
    )
    assert np.corrcoef(np.log(small), np.log(large))[0, 1] > 0.98
