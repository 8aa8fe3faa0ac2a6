"""Expected norms: expressions against quadrature, quadrature against sampling."""

import numpy as np
import pytest
import sympy as sp

from theory.laws.gaussian import (
    Groups,
    absolute_moment,
    chi_mean,
    masked_chi_mean,
    masked_chi_value,
    norm_asymptote,
    norm_expression,
    norm_value,
    norm_values,
)
from theory.statements.derivation import number

D = sp.Symbol("d", positive=True)
Z_BOUND = 4.0


@pytest.mark.parametrize("q", [1, 1.3, 2, 3, 7, 40, np.inf])
@pytest.mark.parametrize(
    ("scales", "counts"), [([1.0], [60]), ([1.0, 2.5], [40, 15]), ([3.0, 0.0, 1.0], [1, 9, 2])]
)
def test_values_agree_with_sampling(q, scales, counts):
    rng = np.random.default_rng(3)
    sigma = np.repeat(scales, counts)
    norms = np.linalg.norm(rng.standard_normal((40_000, sigma.size)) * sigma, ord=q, axis=1)
    z = (norms.mean() - norm_value(q, Groups(scales, counts))) / (norms.std() / 200)
    assert abs(z) < Z_BOUND


@pytest.mark.parametrize("q", [1, 1.3, 2, 3, 40, 100, 500, np.inf])
def test_many_vectors_at_once_agree_with_each_by_itself(q):
    """Scales on a common grid: five scales are not moved to it, forty are."""
    rng = np.random.default_rng(4)
    scales = np.exp(rng.normal(size=(8, 5)))
    scales[2, 1:], scales[3] = 0, 0
    counts = rng.integers(1, 50, scales.shape)
    each = [norm_value(q, Groups(*pair)) for pair in zip(scales, counts, strict=True)]
    np.testing.assert_allclose(norm_values(q, Groups(scales, counts)), each, rtol=1e-7)
    assert each[3] == 0


@pytest.mark.parametrize("q", [1.5, 2, 40, 49.9, 50, 100, 500, np.inf])
def test_every_norm_of_one_coordinate_is_its_size(q):
    assert norm_value(q, Groups([3.0], [1])) == pytest.approx(3 * (2 / np.pi) ** 0.5, rel=1e-6)


def test_large_orders_go_on_where_small_ones_end():
    groups = Groups([1.0, 2.0], [10**6, 50])
    below, above = (norm_value(q, groups) for q in (49.999999, 50))
    assert above == pytest.approx(below, rel=1e-6)


@pytest.mark.parametrize("q", [2, sp.oo])
def test_expressions_agree_with_values(q):
    expression = norm_expression(q, [sp.Integer(1)], [sp.Integer(1)], D)
    expected = norm_value(float(q), Groups([1.0], [48]))
    assert float(expression.subs(D, 48).evalf()) == pytest.approx(expected, rel=1e-6)


def test_expression_for_unequal_scales():
    expression = norm_expression(
        1, [sp.Integer(1), sp.Integer(3)], [sp.Rational(1, 4), sp.Rational(3, 4)], D
    )
    assert sp.simplify(expression - sp.sqrt(2 / sp.pi) * sp.Rational(5, 2) * D) == 0


@pytest.mark.parametrize("q", [1, 1.5, 2, 3, 4])
def test_asymptote_is_approached(q):
    one = [sp.Integer(1)]
    ratio = [
        norm_value(q, Groups([1.0], [d])) / float(norm_asymptote(q, one, one, D).subs(D, d))
        for d in (10**3, 10**6)
    ]
    assert abs(ratio[1] - 1) < 1e-4
    assert abs(ratio[1] - 1) <= abs(ratio[0] - 1) + 1e-9


def test_largest_coordinate_grows_like_root_log():
    """The leading term is approached slowly: 12 % too large at d = 10⁴, 8 % at 10⁷."""
    one = [sp.Integer(1)]
    for d, excess in [(10**4, 0.12), (10**7, 0.08)]:
        leading = float(norm_asymptote(sp.oo, one, one, D).subs(D, d))
        value = norm_value(np.inf, Groups([1.0], [d]))
        assert 0 < leading / value - 1 < excess


def test_moments():
    assert absolute_moment(2) == 1
    assert absolute_moment(4) == 3
    assert sp.simplify(chi_mean(1) - sp.sqrt(2 / sp.pi)) == 0


@pytest.mark.parametrize("slope", [0, sp.Rational(1, 100), sp.Rational(1, 2), 1])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_masked_norm_three_ways(n, slope):
    """Integral, quadrature, and for the ReLU the binomial sum over the number of active units."""
    value = masked_chi_value(n, float(slope))
    assert float(number(masked_chi_mean(n, slope), 15)) == pytest.approx(value, rel=1e-7)
    if slope == 0:
        total = sum(sp.binomial(n, b) * chi_mean(b) for b in range(1, n + 1)) / sp.Integer(2) ** n
        assert float(total.evalf(20)) == pytest.approx(value, rel=1e-12)


def test_norms_need_q_of_at_least_one():
    with pytest.raises(ValueError, match="q >= 1"):
        norm_value(0.5, Groups([1.0], [3]))
