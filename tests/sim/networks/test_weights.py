"""Draws have the moments that the theory reads from the same object."""

import jax
import numpy as np
import pytest
import sympy as sp

from sim.networks.weights import draw
from theory.initializers import DISTRIBUTIONS, SCHEMES, Scheme, variance

KEY = jax.random.key(7)
Z_BOUND = 4.5
ROWS, COLUMNS = 300, 500
FOURTH = {"normal": 3.0, "uniform": 9 / 5, "rademacher": 1.0}


def drawn(scheme, rows=ROWS, columns=COLUMNS):
    init = scheme.hidden(sp.Rational(1, 2))
    var = float(variance(init, rows, columns, columns))
    return np.asarray(draw(KEY, init, rows, columns, var), float), var


def z_scores(weights, var):
    n = weights.size
    mean = weights.mean() / np.sqrt(var / n)
    spread = np.std(weights**2) / np.sqrt(n)
    second = 0.0 if spread < 1e-6 * var else (np.mean(weights**2) - var) / spread
    return mean, second


@pytest.mark.parametrize("name", [s for s in SCHEMES if s != "orthogonal"])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_mean_and_variance(name, distribution):
    weights, var = drawn(Scheme(name, distribution))
    assert np.abs(z_scores(weights, var)).max() < Z_BOUND
    # the broken twin: 2 % more variance must be seen
    assert distribution == "rademacher" or abs(z_scores(weights, 1.02 * var)[1]) > Z_BOUND
    if distribution in FOURTH:
        assert np.mean(weights**4) / var**2 == pytest.approx(FOURTH[distribution], rel=0.03)


@pytest.mark.parametrize(("rows", "columns"), [(40, 90), (90, 40)])
def test_orthogonal(rows, columns):
    weights, var = drawn(Scheme("orthogonal"), rows, columns)
    small = weights @ weights.T if rows < columns else weights.T @ weights
    np.testing.assert_allclose(small, 2 * np.eye(40), atol=1e-5)
    assert np.mean(weights**2) == pytest.approx(var, rel=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_more_rows_begin_with_the_same_rows(distribution):
    init = Scheme("constant", distribution).last()
    few = draw(KEY, init, 5, 3, 1.0)
    many = draw(KEY, init, 50, 3, 1.0)
    np.testing.assert_array_equal(few, many[:5])
