"""The exact law of dense networks: identities between its moments, densities and closed forms."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from theory import architectures, predict
from theory.initializers import Scheme
from theory.laws.dense import DenseLaw, seeds_needed
from theory.laws.gaussian import Groups, masked_chi_value, norm_value, t
from theory.laws.gaussian_norm import largest_coordinate, moment, moment_expression
from theory.laws.masked_sum import MaskedSum
from theory.network import LeakyReLU
from theory.statements.finite_width import fourth_moment_ratio

pytestmark = pytest.mark.slow

HALF = sp.Rational(1, 2)
LAWS = {
    "relu": DenseLaw.of(64, [(20, 0), (30, 0), (10, 0)], 1),
    "narrow": DenseLaw.of(16, [(3, 0)], 1),
    "leaky": DenseLaw.of(9, [(4, sp.Rational(1, 5)), (7, HALF)], sp.Rational(3, 2)),
    "linear": DenseLaw.of(4, [(5, 1), (3, 1)], 2),
    "no hidden layer": DenseLaw.of(5, [], 1),
}
QS = (1, 1.5, 2, 3, np.inf)

networks = st.builds(
    DenseLaw.of,
    st.integers(1, 50),
    st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from([0, sp.Rational(1, 10), HALF, 1])),
        max_size=3,
    ),
    st.fractions(min_value=sp.Rational(1, 100), max_value=100).map(sp.Rational),
)


def test_the_reference_network():
    law = predict(architectures.mlp(width=(20, 30, 10), channels=1)).distribution(64)
    assert law == LAWS["relu"]
    assert law.moment(1, 1) == pytest.approx(5.661206276912299547, rel=1e-12)
    assert law.moment(2, 1) == pytest.approx(0.8834511435565506713, rel=1e-12)
    assert law.fourth_moment_ratio == fourth_moment_ratio(64, (20, 30, 10))
    assert law.seeds_needed(0.01) == 10805


def test_second_moment_is_the_product_of_gains():
    network = architectures.mlp(width=(6, 4), channels=1, init="lecun")
    law = predict(network).distribution(9)
    assert law.second_norm_moment(1) == HALF**2 == predict(network).second_moment
    assert law.scale_squared == sp.Rational(1, 9 * 6 * 4)


@settings(max_examples=60)
@given(law=networks)
def test_orders_agree(law):
    """Numbers, exact rationals and expressions of the same moments of ‖∂f‖_2."""
    for k in (1, 2, 3):
        exact = law.second_norm_moment(k)
        assert exact.is_Rational
        assert law.moment(2, 2 * k) == pytest.approx(float(exact), rel=1e-10)
    expected = float(law.moment_expression(2, HALF).evalf())
    assert law.moment(2, 0.5) == pytest.approx(expected, rel=1e-10)
    assert law.characteristic(np.zeros(1))[0] == pytest.approx(1, abs=1e-12)


@settings(max_examples=20)
@given(law=networks, q=st.sampled_from(QS), r=st.floats(0.1, 6), s=st.floats(0.1, 6))
def test_moments_are_log_convex(law, q, r, s):
    """Hölder: E‖·‖^{(r+s)/2} ≤ √(E‖·‖^r E‖·‖^s); and norms decrease with q."""
    middle = law.moment(q, (r + s) / 2)
    assert middle <= np.sqrt(law.moment(q, r) * law.moment(q, s)) * (1 + 1e-9)
    assert law.moment(np.inf, r) <= law.moment(q, r) * (1 + 1e-9)
    assert law.moment(q, r) <= law.moment(1, r) * (1 + 1e-9)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("q", QS)
def test_first_moment_is_the_norm_of_predict(name, q):
    """`moment` against the other quadrature, the Laplace transform at d^{1/q}."""
    law = LAWS[name]
    norm = norm_value(q, Groups([float(law.scale_squared) ** 0.5], [law.d]))
    for layer in law.hidden:
        norm *= masked_chi_value(layer.units, float(layer.slope))
    assert law.moment(q, 1) == pytest.approx(norm, rel=1e-6)


@pytest.mark.parametrize("q", [sp.Integer(1), sp.Rational(3, 2), sp.Integer(3)])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_closed_forms_of_other_norms(q, k):
    law = LAWS["relu"]
    closed = law.moment_expression(q, k * q)
    assert law.moment(float(q), float(k * q)) == pytest.approx(float(closed.evalf()), rel=1e-10)
    assert law.moment_expression(q, k * q + HALF) is None


@pytest.mark.parametrize("r", [1, 2, 3.5])
def test_largest_coordinate_has_an_integral(r):
    (integral,) = moment_expression(sp.oo, 16, r).atoms(sp.Integral)
    value, _ = integrate.quad(sp.lambdify(t, integral.function, "scipy"), 0, 12, epsabs=1e-12)
    assert moment(np.inf, 16, r) == pytest.approx(value, rel=1e-10)


def test_largest_coordinate_approaches_gumbel():
    """The expansion's error, over its order (log log d)² / (log d)^{3/2}, decreases."""
    scaled, relative = [], []
    for d in (10, 10**2, 10**4, 10**8, 10**12):
        value = moment(np.inf, d, 1)
        excess = float(largest_coordinate(sp.Integer(d)).evalf()) - value
        scaled.append(excess * np.log(d) ** 1.5 / np.log(np.log(d)) ** 2)
        relative.append(excess / value)
    assert np.all(np.diff(scaled) < 0)
    assert scaled[0] < 0.4
    assert 0 < relative[-1] < 6e-4
    leading = np.sqrt(2 * np.log(10**12))
    assert abs(leading / value - 1) > 50 * relative[-1]
    variance = np.pi**2 / 6 / (2 * np.log(10**12))
    assert moment(np.inf, 10**12, 2) - value**2 == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("q", QS)
def test_distribution_has_the_moments(name, q):
    """Density, distribution function and moments: total mass, mean, log mean, log variance."""
    law = LAWS[name]
    y, step = np.linspace(-30, 6, 36_001, retstep=True)
    density = law.density(np.exp(y), q) * np.exp(y)
    mass = density * step
    mean = law.log_mean(q)
    assert mass.min() > -1e-12
    assert mass.sum() == pytest.approx(1, abs=1e-8)
    assert mass @ y == pytest.approx(mean, abs=1e-7)
    assert mass @ (y - mean) ** 2 == pytest.approx(law.log_variance(q), rel=1e-6)
    assert mass @ np.exp(y) * (1 - float(law.dead)) == pytest.approx(law.moment(q, 1), rel=1e-7)
    function = law.distribution_function(np.exp(y), q)
    integral = integrate.cumulative_simpson(density, dx=step, initial=0)
    assert np.max(np.abs(integral - function)) < 1e-8


@pytest.mark.parametrize("name", LAWS)
def test_log_variance_is_the_second_derivative(name):
    law, tau = LAWS[name], np.array([-0.01, 0.01])
    logs = np.log(law.characteristic(tau))
    assert -logs.sum().real / 0.01**2 == pytest.approx(law.log_variance(), rel=1e-3)
    assert logs[1].imag / 0.01 == pytest.approx(law.log_mean(), rel=1e-3)


@pytest.mark.parametrize("slope", [0, sp.Rational(1, 5), 1])
@pytest.mark.parametrize("units", [1, 2, 5])
def test_log_variance_of_a_layer_has_an_expression(slope, units):
    layer = MaskedSum(units, sp.sympify(slope))
    closed = float(layer.log_variance().evalf())
    assert layer.log_moments()[1] == pytest.approx(closed, rel=1e-10)


def test_known_distributions():
    """Rayleigh; the larger of two half-normal variables; a product of two of them, 2 K_0(x)/π."""
    x = np.linspace(0.05, 5, 400)
    rayleigh = DenseLaw.of(2, [], 2)
    assert np.max(np.abs(rayleigh.distribution_function(x) + np.expm1(-(x**2) / 2))) < 1e-9
    assert np.max(np.abs(rayleigh.density(x) - x * np.exp(-(x**2) / 2))) < 1e-7
    below = special.erf(x / np.sqrt(2))
    assert np.max(np.abs(rayleigh.distribution_function(x, np.inf) - below**2)) < 1e-9
    product = DenseLaw.of(1, [(1, 1)], 1)
    assert np.max(np.abs(product.density(x) - 2 / np.pi * special.k0(x))) < 1e-6
    relu = DenseLaw.of(1, [(1, 0)], HALF)
    assert relu.dead == HALF
    assert np.max(np.abs(relu.density(x) - product.density(x))) < 1e-9


@pytest.mark.parametrize("q", [2, np.inf])
def test_far_tails_are_flat(q):
    law = LAWS["narrow"]
    x = np.array([-1.0, 0.0, 1e-300, 1e-40, 1e40, np.inf])
    assert law.distribution_function(x, q) == pytest.approx([0, 0, 0, 0, 1, 1], abs=1e-12)
    assert np.all(law.density(x[[0, 1, 4, 5]], q) == pytest.approx(0, abs=1e-12))


def test_sum_of_two_absolute_values():
    """q = 1, d = 2: the density of |z_1| + |z_2| is (2/√π) e^{−x²/4} erf(x/2)."""
    x = np.linspace(0.05, 6, 300)
    law = DenseLaw.of(2, [], 2)
    expected = 2 / np.sqrt(np.pi) * np.exp(-(x**2) / 4) * special.erf(x / 2)
    assert np.max(np.abs(law.density(x, 1) - expected)) < 1e-7


@pytest.mark.parametrize("r", [-0.5, 0.7, 2.3, 5])
@pytest.mark.parametrize("q", [1, 3, 8])
def test_norm_moments_in_the_plane(q, r):
    """E‖z‖_q^r in polar coordinates, d = 2."""
    direction, _ = integrate.quad(
        lambda a: (np.cos(a) ** q + np.sin(a) ** q) ** (r / q), 0, np.pi / 2, epsabs=1e-12
    )
    expected = DenseLaw.of(2, [], 2).moment(2, r) * 2 / np.pi * direction
    assert DenseLaw.of(2, [], 2).moment(q, r) == pytest.approx(expected, rel=1e-9)


def test_depth_over_width():
    slope = sp.Rational(1, 3)
    factor = 6 * (1 + slope**4) / (1 + slope**2) ** 2 - 1
    law = DenseLaw.of(10, [(4, slope), (6, 0), (5, 1)], 1)
    expected = (1 + sp.Rational(2, 10)) * (1 + factor / 4) * (1 + sp.Rational(5, 6)) * (1 + HALF)
    assert law.fourth_moment_ratio != expected
    assert law.fourth_moment_ratio == expected / (1 + HALF) * (1 + sp.Rational(2, 5))


def test_seeds_give_the_interval():
    law = LAWS["leaky"]
    for logarithm, variance in ((False, law.relative_variance(1)), (True, law.log_variance(1))):
        needed = law.seeds_needed(0.02, 0.9, 1, logarithm)
        quantile = special.ndtri(0.95)
        assert quantile * np.sqrt(variance / needed) <= 0.02
        assert quantile * np.sqrt(variance / (needed - 1)) > 0.02
    assert seeds_needed(1, sp.Rational(1, 10), 2) == 400


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda law: law.moment(0.5, 1), "q in"),
        (lambda law: law.moment(20, 1), "q in"),
        (lambda law: law.moment(2, -1), "order"),
        (lambda law: law.density(1.0, 0), "q in"),
        (lambda law: law.seeds_needed(0), "half width"),
        (lambda law: law.seeds_needed(0.1, 1), "level"),
        (lambda law: DenseLaw.of(0, [], 1), "positive integer"),
        (lambda law: DenseLaw.of(4, [(0, 0)], 1), "0 units"),
    ],
)
def test_bad_values_are_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(LAWS["relu"])


@pytest.mark.parametrize(
    ("network", "quantity"),
    [
        (architectures.cnn(), "loss"),
        (architectures.mlp(init=Scheme("he", "uniform")), "logit"),
        (architectures.cnn(), "logit"),
    ],
)
def test_only_exact_laws_have_a_distribution(network, quantity):
    with pytest.raises(ValueError, match="distribution"):
        predict(network, 2, quantity).distribution(48)


def test_slope_is_taken_as_written():
    law = predict(architectures.mlp(width=3, depth=1, activation=LeakyReLU(0.1))).distribution(12)
    assert law.hidden[0].slope == sp.Rational(1, 10)
