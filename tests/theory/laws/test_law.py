"""`predict`: exponents, constants, slopes over given sizes, and what they rest on."""

import numpy as np
import pytest
import sympy as sp

from theory import architectures, predict
from theory.architectures import ARCHITECTURES, HEADS
from theory.initializers import SCHEMES, Scheme
from theory.laws.cascade import norm_value
from theory.laws.parts import d

SIZES = (8, 16, 32, 64)
DS = [3 * side**2 for side in SIZES]
HALF = sp.Rational(1, 2)


def test_exact_finite_width_constants():
    net = architectures.mlp(width=(20, 30, 10), channels=1)
    first, second = predict(net, 1), predict(net, 2)
    assert first(64) == pytest.approx(5.661206, abs=1e-6)
    assert second(64) == pytest.approx(0.883451, abs=1e-6)
    assert first.basis == second.basis == "exact"
    assert float(first.norm.subs(d, 64).evalf()) == pytest.approx(first(64), rel=1e-9)
    assert first.second_moment == 1


def test_exact_law_against_its_own_sampling():
    """‖z‖_q √(2/d) Π √χ²_B drawn term by term gives the same mean."""
    rng = np.random.default_rng(5)
    widths, draws = (3, 50, 7), 200_000
    norms = np.abs(rng.standard_normal((draws, 16))).sum(axis=1) * np.sqrt(2 / 16)
    for layer, n in enumerate(widths):
        norms *= np.sqrt(2 * rng.gamma(rng.binomial(n, 0.5, draws) / 2))
        norms *= np.sqrt((2 if layer < len(widths) - 1 else 1) / n)
    expected = predict(architectures.mlp(width=widths, channels=1), 1)(16)
    assert abs(norms.mean() - expected) < 4 * norms.std() / np.sqrt(draws)


@pytest.mark.parametrize("q", [1, 2, 3, "inf"])
def test_exponents_of_heads(q):
    shift = (0 if q == "inf" else 1 / sp.Integer(q)) - HALF
    for arch in ("cnn", "resnet", "resnet-preact", "convnet-avdim"):
        build = ARCHITECTURES[arch].build
        assert predict(build(head="dense"), q).exponent == shift
        assert predict(build(head="avgpool"), q).exponent == shift
        assert predict(build(head="gap"), q).exponent == shift - HALF
        assert predict(build(head="gmaxpool"), q).exponent == 0


def test_average_pooling_lowers_the_norm_by_the_root_of_its_window():
    dense, pooled = (predict(architectures.cnn(head=head), 1) for head in ("dense", "avgpool"))
    assert sp.simplify(pooled.norm / dense.norm) == HALF
    assert pooled(768) == pytest.approx(dense(768) / 2)


@pytest.mark.parametrize(
    ("init", "exponent"),
    [
        ("he", HALF),
        ("he-fan-out", 1),
        ("lecun", HALF),
        ("glorot", HALF),
        ("pytorch", HALF),
        ("flax", HALF),
        ("constant", 1),
        ("orthogonal", HALF),
    ],
)
def test_exponents_of_schemes_for_a_dense_network(init, exponent):
    assert predict(architectures.mlp(init=init), 1).exponent == exponent


def test_every_scheme_is_tested():
    cases = test_exponents_of_schemes_for_a_dense_network.pytestmark[0].args[1]
    assert {name for name, _ in cases} == set(SCHEMES)


def test_glorot_bends_from_one_to_one_half():
    law = predict(architectures.mlp(width=64, init="glorot"), 1)
    assert law.slope([1, 2]) > 0.95
    assert law.slope([10**6, 10**7]) == pytest.approx(0.5, abs=1e-3)
    assert 0.52 < law.slope(DS) < 0.56


def test_largest_coordinate_has_a_finite_size_slope():
    law = predict(architectures.mlp(), "inf")
    assert law.exponent == -HALF
    assert -0.45 < law.slope(DS) < -0.40
    assert -0.5 < law.slope([10**6, 10**7]) < -0.46
    assert law.asymptote.has(sp.log)


def test_expressions_are_open_to_sympy():
    law = predict(architectures.mlp(width=64, init="glorot", depth=1), 1)
    elasticity = sp.simplify(d * sp.diff(law.norm, d) / law.norm)
    assert sp.limit(elasticity, d, sp.oo) == HALF
    assert sp.limit(elasticity, d, 0) == 1
    loss = predict(architectures.mlp(width=8, depth=1), 1, "loss")
    value = sp.lambdify(d, loss.norm.subs(d, 48).evalf())(0)
    assert float(value) == pytest.approx(loss(48), rel=1e-6)


def test_loss_adds_the_softmax_residual():
    net = architectures.mlp()
    ratio = predict(net, 1, "loss")(3072) / predict(net, 1)(3072)
    assert np.sqrt(1 - 1 / 10) < ratio < np.sqrt(2) * (1 - 1 / 10)
    small = architectures.mlp(init=Scheme("constant", std=1e-4))
    ratio = predict(small, 1, "loss")(3072) / predict(small, 1)(3072)
    assert ratio == pytest.approx(np.sqrt(0.9), rel=1e-3)


def test_basis():
    assert predict(architectures.mlp()).basis == "exact"
    assert predict(architectures.mlp(), 1, "loss").basis == "exact"
    assert predict(architectures.mlp(init="glorot"), 1, "loss").basis == "wide"
    assert predict(architectures.mlp(activation="leaky-relu")).basis == "exact"
    assert predict(architectures.mlp(init="glorot")).basis == "wide"
    assert predict(architectures.cnn()).basis == "hypothesis-H"


def test_unknown_constants_are_not_invented():
    law = predict(architectures.convnet_avdim(pooling="max"), 1)
    assert law.norm is None
    assert law.exponent == HALF
    assert law.slope([3 * s**2 for s in (32, 64, 128)]) is not None
    with pytest.raises(ValueError, match="second moment"):
        law(3072)
    law = predict(architectures.cnn(head="gmaxpool"), 1)
    assert law.norm is None
    assert law.slope(DS) is None


def test_border_effects_are_in_the_numbers():
    """A reflecting border lifts the slope of the paper's network well above ½ at these sizes."""
    sizes = [3 * side**2 for side in (32, 64, 128, 256)]
    assert predict(architectures.convnet_avdim(), 1).slope(sizes) > 0.51
    assert predict(architectures.convnet_avdim(border="circular"), 1).slope(sizes) == pytest.approx(
        0.5, abs=0.003
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: predict(architectures.mlp(), 0.5), "q in"),
        (lambda: predict(architectures.mlp(), 1, "los"), "did you mean 'loss'"),  # type: ignore[arg-type]
        (lambda: predict(architectures.cnn())(1000), "is not 3 · side²"),
        (lambda: predict(architectures.cnn())(3 * 81), "needs a side divisible by 2"),
        (lambda: predict(architectures.mlp()).slope([3]), "two different"),
    ],
)
def test_bad_questions_are_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_laws_render_as_mathematics():
    assert "\\mathbb{E}" in predict(architectures.cnn())._repr_latex_()


@pytest.mark.parametrize("head", HEADS)
def test_wide_limit_of_the_cascade_is_the_expression(head):
    if head == "gmaxpool":
        return
    law = predict(architectures.cnn(width=4096, head=head), 1)
    assert law(3 * 16**2) == pytest.approx(float(law.norm.subs(d, 3 * 16**2).evalf()), rel=2e-3)


def test_cascade_of_a_dense_network_is_the_exact_law():
    """One position per layer: there the cascade must reproduce the closed form."""
    for q in (1, 2, np.inf):
        net = architectures.mlp(width=(12, 6, 20))
        found = norm_value(net.body, net.input_shape(4), q)
        assert found == pytest.approx(predict(net, q)(48), rel=1e-9)


def test_a_law_takes_arrays_of_dimensions():
    law = predict(architectures.cnn(width=8, depth=2), 1)
    ds = np.array([[48, 192], [768, 48]])
    np.testing.assert_array_equal(law(ds), [[law(48), law(192)], [law(768), law(48)]])
    np.testing.assert_array_equal(law([48, 192]), [law(48), law(192)])


def test_a_law_is_shown_in_a_line():
    shown = repr(predict(architectures.mlp(8), 2, "loss"))
    assert shown == "Law(mlp, q = 2, loss: exponent 0, rests on exact)"
