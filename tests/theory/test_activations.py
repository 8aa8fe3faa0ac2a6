"""Gaussian means of activations: closed forms, derivatives, limits, SymPy's own operations."""

import itertools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from theory.activations import (
    CLOSED_FORMS,
    GaussianMean,
    function,
    gaussian_mean,
    mean_square,
    numeric_function,
    numeric_slope,
    reference_gain,
    saturates,
    slope_moment,
    z,
)
from theory.network import (
    GELU,
    Activation,
    Erf,
    Identity,
    LeakyReLU,
    ReLU,
    SiLU,
    SmoothActivation,
    Tanh,
)

SMOOTH = (Tanh(), Erf(), GELU(), SiLU())
ALL = (ReLU(), LeakyReLU(0.3), Identity(), *SMOOTH)
v = sp.Symbol("v", positive=True)
variances = st.floats(1e-6, 1e6)


def by_quadrature(g, variance):
    """E g(√v Z) by adaptive quadrature in the variable u = √v Z, in pieces."""
    root = np.sqrt(variance)
    ends = sorted({0.0, *(s * x for s in (-1, 1) for x in (1, 5, root, 3 * root, 12 * root))})

    def integrand(u):
        return g(u) * np.exp(-(u**2) / (2 * variance)) / (root * np.sqrt(2 * np.pi))

    pieces = (
        integrate.quad(integrand, a, b, epsabs=1e-15, epsrel=1e-10, limit=500)[0]
        for a, b in itertools.pairwise(ends)
        if abs(a) <= 12 * root and abs(b) <= 12 * root
    )
    return sum(pieces)


@pytest.mark.parametrize("layer", ALL, ids=repr)
@pytest.mark.parametrize("variance", [0.01, 1.0, 30.0, 1e4])
def test_moments_against_adaptive_quadrature(layer, variance):
    phi, slope = numeric_function(layer), numeric_slope(layer)
    assert float(mean_square(layer, variance)) == pytest.approx(
        by_quadrature(lambda u: phi(u) ** 2, variance), rel=1e-8
    )
    for power in (2, 4):
        assert float(slope_moment(layer, variance, power)) == pytest.approx(
            by_quadrature(lambda u, power=power: slope(u) ** power, variance), rel=1e-8
        )


@pytest.mark.parametrize("key", CLOSED_FORMS, ids=lambda key: f"{key[0].__name__} {key[1]}")
@given(variance=variances)
def test_closed_forms_are_the_quadrature(key, variance):
    kind, what = key
    mean = mean_square(kind(), v)
    if what.startswith("slope"):
        mean = slope_moment(kind(), v, int(what.split()[1]))
    assert mean.doit() != mean
    assert float(mean.subs(v, variance)) == pytest.approx(
        float(sp.N(mean.doit().subs(v, variance))), rel=1e-9
    )


@pytest.mark.parametrize("layer", SMOOTH, ids=repr)
@given(variance=st.floats(1e-3, 1e3))
def test_derivative_in_the_variance(layer, variance):
    """d/dv E g(√v Z) = E g''(√v Z) / 2, against a central difference."""
    mean, step = mean_square(layer, v), 1e-4 * variance
    difference = mean.subs(v, variance + step) - mean.subs(v, variance - step)
    derivative = float(sp.diff(mean, v).subs(v, variance))
    assert derivative == pytest.approx(float(difference) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("layer", SMOOTH, ids=repr)
def test_means_are_sympy_functions(layer):
    mean = slope_moment(layer, 2 * v)
    assert isinstance(mean, GaussianMean)
    expected = [float(mean.subs(v, x)) for x in (0.5, 2.0)]
    np.testing.assert_allclose(sp.lambdify(v, mean)(np.array([0.5, 2.0])), expected)
    assert mean.rewrite(sp.Integral).has(sp.Integral)
    assert r"\mathbb{E}" in sp.latex(mean)
    assert mean.free_symbols == {v}
    assert sp.N(mean) == mean


@pytest.mark.parametrize("layer", SMOOTH, ids=repr)
def test_small_and_large_inputs(layer):
    slope = sp.diff(function(layer, z), z).subs(z, 0)
    assert float(slope_moment(layer, 1e-12)) == pytest.approx(float(slope**2), rel=1e-5)
    if saturates(layer):
        assert slope_moment(layer, v).growth() == -sp.Rational(1, 2)
        assert mean_square(layer, v).growth() == 0
        assert reference_gain(layer) == slope**2
    else:
        assert slope_moment(layer, v).growth() == 0
        assert mean_square(layer, v).growth() == 1
        assert float(slope_moment(layer, 1e12)) == pytest.approx(
            float(reference_gain(layer)), abs=1e-5
        )


def test_a_wrong_square_is_caught():
    """The twin forgets the square of the slope."""
    twin = gaussian_mean("twin", sp.diff(function(Tanh(), z), z))
    assert abs(float(twin(1.0)) / float(slope_moment(Tanh(), 1.0)) - 1) > 0.1


def test_every_activation_has_a_function():
    leaves = {*Activation.__subclasses__(), *SmoothActivation.__subclasses__()}
    public = {kind for kind in leaves if kind.__module__ == "theory.network"}
    assert {type(layer) for layer in ALL} == public - {SmoothActivation}

    class Strange(Activation):
        pass

    with pytest.raises(TypeError, match="no rule for Strange"):
        function(Strange(), z)
