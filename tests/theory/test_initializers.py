"""Var(w) of every scheme, exactly."""

import pytest
import sympy as sp

from theory.initializers import SCHEMES, Scheme, is_gaussian, variance

HALF = sp.Rational(1, 2)
N, M = sp.symbols("n m", positive=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("he", 2 / N),
        ("he-fan-out", 2 / M),
        ("lecun", 1 / N),
        ("glorot", 2 / (N + M)),
        ("pytorch", 1 / (3 * N)),
        ("flax", 1 / N),
        ("constant", sp.Rational(1, 2500)),
        ("orthogonal", 2 / sp.Max(N, M)),
    ],
)
def test_variance(name, expected):
    assert sp.simplify(variance(Scheme(name).hidden(HALF), N, M, M) - expected) == 0


def test_every_scheme_is_tested():
    cases = test_variance.pytestmark[0].args[1]
    assert {name for name, _ in cases} == set(SCHEMES)


def test_only_he_type_schemes_know_the_activation():
    for name in SCHEMES:
        same = Scheme(name).hidden(HALF) == Scheme(name).last()
        assert same == (name not in ("he", "he-fan-out", "orthogonal"))
    slope = sp.Rational(1, 10)
    leaky = variance(Scheme("he").hidden((1 + slope**2) / 2), 101, 5, 5)
    assert leaky == sp.Rational(200, 101) / 101


def test_gaussian():
    assert is_gaussian(Scheme("he").last())
    assert is_gaussian(Scheme("glorot", distribution="normal").last())
    assert not is_gaussian(Scheme("glorot").last())
    assert not is_gaussian(Scheme("orthogonal").last())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("glorott",), "did you mean 'glorot'"),
        (("Xavier",), "did you mean 'glorot'"),
        (("he", "gaussian"), "unknown distribution"),
        (("orthogonal", "normal"), "no distribution"),
        (("constant", None, 0.0), "positive"),
    ],
)
def test_bad_schemes(arguments, message):
    with pytest.raises(ValueError, match=message):
        Scheme(*arguments)
