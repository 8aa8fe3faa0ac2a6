"""Unformed Gaussian matrices have the law of formed ones; broken twins do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sim.networks import layers, unformed
from sim.networks.unformed import LazyGaussian
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures

SEEDS = 20_000
Z_BOUND = 5.0
"""Some 1500 means, variances and covariances are compared at once: a false alarm in 1 of 1000."""
P_BOUND = 1e-6
ROWS, COLUMNS, STD = 5, 3, 0.7
ONE = jnp.linspace(-1, 2, ROWS)[None]
INPUTS = {
    "one": ONE,
    "a zero": jnp.zeros((1, ROWS)),
    "two": jnp.stack([ONE[0], jnp.cos(jnp.arange(5.0))]),
    "equal, multiple and zero": jnp.stack([1.0, -2.0, 1.0, 0.0])[:, None] * ONE,
    "more than rows": jnp.sin(jnp.arange(6.0)[:, None] * (1 + jnp.arange(ROWS))),
}


def products(matrix, inputs):
    """A W and W Vᵀ with two cotangents at each input, which depend on A W."""
    y, pull_back = jax.vjp(jax.vmap(lambda a: a @ matrix), inputs)
    cotangents = jnp.stack([jax.nn.relu(y) + 0.3, y.at[:, 0].set(1.0)])
    (back,) = jax.vmap(pull_back)(cotangents)
    return jnp.concatenate([y.ravel(), back.ravel()])


def collect(one, start):
    keys = jax.random.split(jax.random.key(start), SEEDS)
    return np.asarray(jax.jit(jax.vmap(one))(keys), float)


def formed(inputs):
    def one(key):
        return products(STD * jax.random.normal(key, (inputs.shape[1], COLUMNS)), inputs)

    return collect(one, 0)


def without_forming(inputs):
    return collect(lambda key: products(LazyGaussian(key, STD, COLUMNS), inputs), 1)


def differences(first, second):
    """z-scores of all means, variances and covariances; the smallest Kolmogorov-Smirnov p.

    The latter of every coordinate, of twelve fixed projections of all and of the squared length.
    """

    def moments(x):
        """Means and variances of the coordinates and of the products of two of them."""
        pairs = np.triu_indices(x.shape[1])
        means = np.concatenate([x.mean(0), (x.T @ x / len(x))[pairs]])
        squares = np.concatenate([(x**2).mean(0), ((x**2).T @ x**2 / len(x))[pairs]])
        return means, np.maximum(squares - means**2, 0)

    (a, var_a), (b, var_b) = moments(first), moments(second)
    spread = np.sqrt(var_a / len(first) + var_b / len(second))
    # what is zero in every draw has no spread
    z = np.abs(a - b) / np.maximum(spread, 1e-5)
    mix = np.random.default_rng(0).standard_normal((first.shape[1], 12))
    both = [np.column_stack([x, x @ mix, (x**2).sum(1)]).T for x in (first, second)]
    p = min(stats.ks_2samp(x, y).pvalue for x, y in zip(*both, strict=True) if np.any(x != 0))
    return z.max(), p


@pytest.mark.parametrize("case", INPUTS)
def test_joint_law_of_all_products_of_one_matrix(case):
    z, p = differences(formed(INPUTS[case]), without_forming(INPUTS[case]))
    assert z < Z_BOUND
    assert p > P_BOUND


def without_projection(std, key, a, v):
    basis, _ = unformed._orthonormal(a)
    flat = v.reshape(-1, v.shape[2])
    _, coefficients = unformed._orthonormal(flat)
    known = unformed._known(key, std, (len(basis), v.shape[2]), a.dtype)
    noise = jax.random.normal(jax.random.fold_in(key, 1), (coefficients.shape[1], a.shape[1]))
    return ((flat @ known.T) @ basis + std * coefficients @ noise).reshape(*v.shape[:2], -1)


def one_noise_for_all_cotangents(std, key, a, v):
    alone = [lazy_pulled_back(std, key, a, v[:, i : i + 1]) for i in range(v.shape[1])]
    return jnp.concatenate(alone, axis=1)


lazy_pulled_back = unformed._pulled_back


@pytest.mark.parametrize(
    ("case", "twin"),
    [
        ("one", without_projection),
        ("two", without_projection),
        ("one", one_noise_for_all_cotangents),
    ],
)
def test_twins_of_the_backward_product_are_caught(monkeypatch, case, twin):
    monkeypatch.setattr(unformed, "_pulled_back", twin)
    z, _ = differences(formed(INPUTS[case]), without_forming(INPUTS[case]))
    assert z > Z_BOUND


def test_a_twin_that_draws_the_same_for_every_input_is_caught(monkeypatch):
    monkeypatch.setattr(
        unformed._Jointly, "__call__", lambda self, *arguments: self.draw(*arguments)
    )
    z, _ = differences(formed(INPUTS["two"]), without_forming(INPUTS["two"]))
    assert z > Z_BOUND


@pytest.mark.parametrize("order", ["inputs of keys", "keys of inputs", "one key after the other"])
def test_the_order_of_maps_does_not_matter(order):
    keys, inputs = jax.random.split(jax.random.key(0), 3), INPUTS["two"]

    def gradient(key, a):
        return jax.grad(lambda a: jnp.sum((a @ LazyGaussian(key, STD, COLUMNS)) ** 2))(a)

    def mapped(keys):
        return jax.vmap(lambda key: jax.vmap(lambda a: gradient(key, a))(inputs))(keys)

    expected = jnp.stack([jax.vmap(lambda a, key=key: gradient(key, a))(inputs) for key in keys])
    found = {
        "inputs of keys": lambda: mapped(keys),
        "keys of inputs": lambda: jax.vmap(
            lambda a: jax.vmap(lambda key: gradient(key, a))(keys), out_axes=1
        )(inputs),
        "one key after the other": lambda: jax.lax.map(lambda key: mapped(key[None])[0], keys),
    }[order]()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-6, 0.0])
def test_products_agree_with_each_other_in_single_precision(distance):
    """a_i · W v = (a_i W) · v for every input and cotangent, however close the inputs are."""
    first, second = jax.random.normal(jax.random.key(1), (2, 3000))
    inputs = jnp.stack([first, first + distance * second])
    matrix = LazyGaussian(jax.random.key(2), 3000**-0.5, 200)
    y, pull_back = jax.vjp(jax.vmap(lambda a: a @ matrix), inputs)
    v = jax.random.normal(jax.random.key(3), (4, 2, 200))
    (back,) = jax.vmap(pull_back)(v)
    scale = jnp.linalg.norm(inputs[0]) * jnp.linalg.norm(back, axis=-1).max()
    forwards, backwards = (jnp.einsum("in,cjn->cij", x, z) for x, z in ((y, v), (inputs, back)))
    assert jnp.abs(forwards - backwards).max() < 2e-6 * scale
    assert jnp.abs(y[1] - y[0]).max() < 5 * distance + 1e-5


def test_a_second_backward_pass_is_an_error():
    matrix = LazyGaussian(jax.random.key(0), STD, COLUMNS)

    def twice(a):
        y, pull_back = jax.vjp(lambda a: a @ matrix, a)
        return pull_back(y)[0] + pull_back(jnp.ones(COLUMNS))[0]

    for one in (twice, jax.jit(twice)):
        with pytest.raises(ValueError, match="one backward pass only"):
            one(ONE[0])
    with pytest.raises(ValueError, match="one backward pass only"):
        jax.vmap(twice)(INPUTS["two"])
    # one pass each, of a compiled function that is traced once
    product = jax.jit(lambda a: a @ matrix)
    for a in INPUTS["two"]:
        assert jax.grad(lambda a: product(a).sum())(a).shape == (ROWS,)


def test_second_derivatives_are_an_error():
    def loss(a):
        return jnp.sum((a @ LazyGaussian(jax.random.key(0), STD, COLUMNS)) ** 2)

    with pytest.raises(TypeError, match="no second derivatives"):
        jax.grad(lambda a: jnp.sum(jax.grad(loss)(a) ** 2))(ONE[0])


@pytest.mark.parametrize(("arch", "inputs"), [("mlp", 1), ("mlp", 3), ("cnn", 2)])
def test_norms_of_whole_networks_have_the_same_law(arch, inputs):
    """With several inputs, the variance of their mean depends on how they are correlated."""
    options = {"width": (5, 8)} if arch == "mlp" else {"width": 3, "depth": 2}
    network = architectures.find(arch).build(classes=3, channels=1, **options)
    quantities, orders = ("loss", "logit"), (1.0, 2.0, np.inf)
    norms = [
        sample(network, 4, range(6000), Draws(quantities, orders, inputs_per_seed=inputs, lazy=x))
        for x in (True, False)
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
