"""Norms with the first matrix integrated out have the same means and smaller variances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from sim.networks import conditional
from sim.networks.gradients import gradient_norms
from sim.networks.layers import init
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures, predict

Z_BOUND = 4.5
"""No more than one in 10⁵ for one normal number."""

DRAWN = 40_000


def drawn_norms(x, y, v, variance, q, rng):
    """‖W v‖_q of matrices W with x W = y, formed one by one."""
    square = x @ x
    noise = np.sqrt(variance) * rng.standard_normal((DRAWN, len(x), len(y)))
    noise += x[:, None] * ((y - np.einsum("i,kij->kj", x, noise)) / square)[:, None, :]
    return np.linalg.norm(noise @ v, q, axis=1)


@pytest.fixture(scope="module")
def point():
    rng = np.random.default_rng(0)
    # one coordinate of x is large, so that it matters that W is known along x
    x = np.array([3.0, *rng.standard_normal(7)])
    y, v = rng.standard_normal(3), rng.standard_normal(3)
    return x, y, v, 0.4, rng


def z_score(expected, point, q):
    drawn = drawn_norms(*point[:4], q, point[4])
    return (drawn.mean() - expected) * np.sqrt(DRAWN) / drawn.std()


@pytest.mark.parametrize("q", conditional.CLOSED_FORMS)
def test_closed_form_against_matrices(point, q):
    x, y, v, variance, _ = point
    expected = float(conditional.expected_norm(*map(jnp.asarray, (x, y, v)), variance, q))
    assert abs(z_score(expected, point, q)) < Z_BOUND


@pytest.mark.parametrize("q", conditional.CLOSED_FORMS)
def test_twin_that_forgets_what_is_known_is_caught(point, q):
    x, y, v, variance, _ = point
    unknown = float(conditional.expected_norm(*map(jnp.asarray, (x, 0 * y, v)), variance, q))
    assert abs(z_score(unknown, point, q)) > 2 * Z_BOUND


def test_dead_networks_have_norm_zero():
    x, y = jnp.ones(9), jnp.ones(4)
    for q in conditional.CLOSED_FORMS:
        assert conditional.expected_norm(x, y, jnp.zeros(4), 1.0, q) == 0


@pytest.mark.parametrize("degrees", [7, 100, 10**7])
def test_quadrature_of_the_mean_of_chi(degrees):
    squares, probabilities = conditional.chi_square(degrees)
    exact = np.sqrt(2) * np.exp(special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2))
    assert abs(float(probabilities @ jnp.sqrt(squares)) / exact - 1) < 1e-5


NETWORK = architectures.mlp(width=(5, 4), channels=1)
SEEDS = 20_000


@pytest.fixture(scope="module")
def by_sampler():
    def norms(integrated):
        draws = Draws(("logit",), (1.0, 2.0), integrate_first=integrated)
        return sample(NETWORK, 4, range(SEEDS), draws)[:, 0]

    return norms(True), norms(False)


@pytest.mark.parametrize("q", conditional.CLOSED_FORMS)
def test_mean_is_that_of_the_exact_law(by_sampler, q):
    integrated, _ = by_sampler
    column = integrated[:, conditional.CLOSED_FORMS.index(q)]
    expected = predict(NETWORK).distribution(16).moment(q, 1)
    assert abs(column.mean() - expected) * np.sqrt(SEEDS) / column.std() < Z_BOUND


def test_differences_from_drawn_norms_are_centred_and_independent_of_the_expectation(by_sampler):
    """The two samplers share everything but the first matrix given its product with the input."""
    integrated, drawn = by_sampler
    for expected, norms in zip(integrated.T, drawn.T, strict=True):
        errors = norms - expected
        assert abs(errors.mean()) * np.sqrt(SEEDS) / errors.std() < Z_BOUND
        products = (expected - expected.mean()) * errors
        assert abs(products.mean()) * np.sqrt(SEEDS) / products.std() < Z_BOUND
        assert expected.var() < norms.var()


def test_labels_of_a_seed_are_averaged():
    network = architectures.mlp(width=6, classes=4, channels=1)
    weights = init(network.body, jax.random.key(0), (3, 3, 1))
    x = jax.random.normal(jax.random.key(1), (3, 3, 1))
    quantities, qs = ("loss", "logit"), (1.0, float("inf"))

    def norms(label, labels):
        found, _ = gradient_norms(
            network.body, weights, x, jnp.array(label), quantities, qs, labels
        )
        return np.asarray(found)

    each = [norms(label, 1)[0] for label in range(4)]
    np.testing.assert_allclose(norms(2, 3)[0], np.mean([each[2], each[3], each[0]], 0), rtol=1e-6)
    np.testing.assert_allclose(norms(0, 4)[0], np.mean(each, 0), rtol=1e-6)
    assert not np.allclose(norms(0, 4)[1], norms(0, 1)[1], rtol=1e-3)
