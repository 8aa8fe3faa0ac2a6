"""What library defaults imply: the table, its page, and laws that must follow from it."""

from pathlib import Path

import pytest
import sympy as sp

from theory import architectures, defaults, predict
from theory.initializers import Scheme, variance
from theory.laws.parts import d
from theory.laws.prediction import exponent

Q = sp.Symbol("q", positive=True)
PAGE = Path(__file__).parents[2] / "docs" / "initialization.md"


def test_the_page_is_what_the_command_prints(capsys):
    assert defaults.main(["--markdown"]) == 0
    assert capsys.readouterr().out == PAGE.read_text()


def test_variances_are_those_that_the_libraries_document():
    n, m = 576, 64
    documented = {
        "PyTorch": sp.Rational(1, n) / 3,  # uniform on ±1/√fan_in
        "Flax": sp.Rational(1, n),
        "Keras": sp.Rational(6, n + m) / 3,  # uniform on ±√(6/(fan_in + fan_out))
        "ViT, GPT-2, BERT": sp.Rational(2, 100) ** 2,
    }
    for default in defaults.DEFAULTS[1:]:
        assert variance(default.scheme.last(), n, m, m) == documented[default.library]


@pytest.mark.parametrize("default", defaults.DEFAULTS, ids=lambda x: x.library)
def test_the_gains_multiply_to_the_second_moment(default):
    """Layer by layer from the table, against the law of the whole network."""
    w, c, classes, features = sp.symbols("w c K F", positive=True)
    kappa = defaults.gains(default.scheme)
    half = sp.Rational(1, 2)
    convolutions = kappa["3×3 convolution 3 → c"] * kappa["3×3 convolution c → c"] ** 3 * half**4
    products = {
        "mlp": kappa["dense d → w"]
        * kappa["dense w → w"] ** 2
        * half**3
        * kappa["dense head F → K"].subs(features, w),
        "cnn, dense head": convolutions
        * kappa["dense head F → K"].subs(features, c * d / (3 * 16)),
        "cnn, global average": convolutions
        * kappa["head c → K behind a global average"]
        * (3 * 16 / d),
    }
    for title, network in defaults.networks(default.scheme, 20, 12).items():
        expected = products[title].subs({w: 20, c: 12, classes: 10})
        for q in (1, 2):
            assert sp.simplify(predict(network, q).second_moment - expected) == 0


def test_slopes_are_those_of_the_law():
    network = architectures.mlp(width=1024, init="glorot")
    he = architectures.mlp(width=1024)
    found = defaults.growth(network, he, (32, 64, 224))
    law = predict(network, 1)
    assert found.slopes[0] == pytest.approx(law.slope([3 * 32**2, 3 * 64**2]), rel=1e-6)
    assert found.slopes[1] == pytest.approx(law.slope([3 * 64**2, 3 * 224**2]), rel=1e-6)
    assert found.slopes[0] > found.slopes[1] > 0.5
    ratio = predict(network, 2).second_moment / predict(he, 2).second_moment
    assert found.ratio == pytest.approx(float(sp.sqrt(ratio.subs(d, 3 * 224**2))))


@pytest.mark.parametrize("init", ["he", "glorot", "constant"])
@pytest.mark.parametrize("head", ["dense", "gap", "gmaxpool"])
def test_the_symbolic_exponent_is_that_of_every_q(init, head):
    network = architectures.cnn(width=4, head=head, init=Scheme(init))
    law = exponent(network, Q)
    for order in (1, sp.Rational(3, 2), 2, 7):
        assert law.subs(Q, order) == predict(network, order).exponent
    assert sp.limit(law, Q, sp.oo) == predict(network, "inf").exponent


def test_an_exponent_needs_a_norm():
    with pytest.raises(ValueError, match="q in"):
        exponent(architectures.mlp(), 0.5)


@pytest.mark.parametrize(
    "arguments",
    [["--width", "0"], ["--channels", "-1"], ["--sides", "32"], ["--sides", "32", "32"]],
)
def test_bad_usage_is_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        defaults.main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
