"""Normalizations and concatenations in theory: one over a variance, shares of channels."""

import numpy as np
import pytest
import sympy as sp

from theory import activations, architectures, predict
from theory.activations import gaussian_mean, z
from theory.architectures import ACTIVATIONS
from theory.initializers import Scheme
from theory.laws import wide
from theory.laws.energy import NoRuleError, gain, logit_energy_map
from theory.laws.prediction import bases, missing
from theory.network import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    Network,
    ReLU,
    Serial,
    concat,
    output_shape,
    residual,
    serial,
    walk,
)

HALF = sp.Rational(1, 2)
HE = Scheme("he").hidden(HALF)
SHAPE = (8, 8, 3)


def norm_gains(body, shape=SHAPE):
    found = wide.resolve(body, shape).body
    return [x.gain for x in walk(found) if isinstance(x, wide.ResolvedNorm)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_means_of_activations(name):
    """Closed forms and zeros against quadrature."""
    layer = ACTIVATIONS[name]
    plain = gaussian_mean("plain", activations.function(layer, z))
    for v in (0.3, 2.0):
        expected = float(plain._imp_(v))
        assert float(activations.mean(layer, sp.Float(v))) == pytest.approx(expected, abs=1e-6)


def test_a_layer_norm_undoes_the_variance_of_its_channels():
    """Behind He weights the mean square is 2; behind a ReLU the mean takes 1/π of it away."""
    assert norm_gains(serial(Conv(4, HE), LayerNorm())) == [HALF]
    (behind,) = norm_gains(serial(Conv(4, HE), ReLU(), LayerNorm()))
    assert sp.simplify(behind - 1 / (1 - 1 / sp.pi)) == 0


def test_a_batch_norm_undoes_what_positions_do_not_share():
    """Means of activations are shared by all positions and inputs: 1/π of the energy of a ReLU.

    Each layer of a ReLU network then multiplies the energy by π/(π − 1) (Yang et al. 2019).
    """
    block = (Conv(4, HE), BatchNorm(), ReLU())
    first, second = norm_gains(serial(*block, *block))
    assert first == HALF
    assert sp.simplify(second - 1 / (1 - 1 / sp.pi)) == 0
    per_layer = 2 * second * HALF
    assert sp.simplify(per_layer - sp.pi / (sp.pi - 1)) == 0


def test_a_layer_norm_does_not_see_what_a_mixing_of_positions_gives_to_all_channels():
    net = architectures.mlp_mixer(width=8, depth=1)
    first, second, _ = norm_gains(net.body)
    assert first == 1
    mean, square = (f(ACTIVATIONS["gelu"], sp.Integer(2)) for f in _MOMENTS)
    assert float(second) == pytest.approx(float(1 / (1 + square - mean**2)))


_MOMENTS = (activations.mean, activations.mean_square)


def test_scales_do_not_matter_between_normalizations():
    """Any initialization without a fan-out gives a normalized network the same law."""
    laws = [predict(architectures.cnn(norm="layer", init=x), 1) for x in ("he", "lecun", "pytorch")]
    # the last layer, which no normalization follows, has a third of the variance with pytorch
    moments = [float(law.second_moment) for law in laws]
    assert moments == pytest.approx([moments[0], moments[0], moments[0] / 3])
    assert all(law.exponent == HALF for law in laws)


@pytest.mark.parametrize("arch", ["cnn", "resnet", "resnet-preact"])
@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize(("head", "exponent"), [("dense", HALF), ("gap", 0)])
def test_norms_leave_the_exponents_of_heads(arch, norm, head, exponent):
    net = architectures.find(arch).build(width=8, norm=norm, head=head)
    assert bases(net) == ("wide",)
    assert predict(net, 1).exponent == exponent


@pytest.mark.parametrize("activation", ["tanh", "erf"])
def test_odd_activations_leave_nothing_in_common_to_the_inputs_of_a_batch(activation):
    """The sampled correlation of two inputs, 0 in the limit, may be negative."""
    law = predict(architectures.resnet(width=8, norm="batch", activation=activation), 1)
    assert law.exponent == HALF
    assert law(3 * 32**2) == pytest.approx(2 * law(3 * 16**2), rel=0.01)


@pytest.mark.parametrize(
    ("options", "exponent"),
    [
        ({"head": "gap"}, 0),
        ({"head": "dense"}, HALF),
        ({"head": "gap", "tokens": 16}, HALF),
        ({"head": "dense", "tokens": 16}, HALF),
        ({"head": "gap", "tokens": 4, "init": "constant", "depth": 1}, HALF),
        # here the variances that norms divide by grow with d, and so do those of means within them
        ({"head": "gap", "init": "constant", "width": 64}, 0),
        ({"head": "dense", "init": "constant", "width": 64}, 1),
    ],
)
def test_exponents_of_mixers(options, exponent):
    """Patches that grow with the image are read like an MLP reads it; normalization undoes that a
    constant variance lets them grow."""
    assert predict(architectures.mlp_mixer(**{"width": 8, **options}), 1).exponent == exponent


def test_concatenations_share_energy_like_channels():
    layer = concat(Conv(4, HE))
    assert output_shape(layer, (8, 8, 2)) == (8, 8, 6)
    assert gain(layer, (8, 8, 2)) == sp.Rational(4, 6) * 2 + sp.Rational(2, 6)
    head = (Flatten(), Dense(3, Scheme("lecun").last()))
    energies = logit_energy_map(serial(layer, *head), (8, 8, 2))
    np.testing.assert_allclose(energies, 5 / 3 / 64)
    net = architectures.densenet(width=4)
    assert bases(net) == ("hypothesis-H",)
    assert predict(net, 1).exponent == HALF


POOLED = serial(Conv(4, HE), ReLU(), AvgPool(2), Conv(4, HE), LayerNorm(), ReLU())
STREAM = residual(serial(Conv(4, HE), ReLU(), Conv(4, HE)))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (POOLED, "the variance that LayerNorm"),
        (serial(Conv(4, HE), ReLU(), BatchNorm(), ReLU(), BatchNorm()), "behind weights"),
        (serial(Conv(4, HE), ReLU(), STREAM, BatchNorm(), ReLU()), "behind weights"),
        (serial(Conv(4, HE), ReLU(), concat(Conv(4, HE)), ReLU()), "no rule for Concat"),
        (architectures.densenet(activation="gelu").body, "channels of unequal variances"),
        (architectures.densenet(norm="batch").body, "the variances that BatchNorm"),
        (architectures.vit().body, "no rule for ClassToken"),
    ],
)
def test_where_there_is_no_law_there_is_a_reason(body, message):
    net = Network("unlawful", Serial((*body.layers, Flatten(), Dense(3, HE))))
    assert message in str(missing(net))
    with pytest.raises(NoRuleError, match=message):
        predict(net, 1)


def test_where_there_is_a_law_there_is_no_reason():
    assert missing(architectures.mlp()) is None
    assert missing(architectures.resnet(norm="batch")) is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: architectures.cnn(norm="bach"), "did you mean 'batch'"),
        (lambda: architectures.mlp_mixer(tokens=15), "a square number, not 15"),
        (lambda: architectures.mlp_mixer(tokens=16, patch=4), "not both"),
        (lambda: architectures.mlp_mixer(head="cls"), "unknown head 'cls'"),
        (lambda: architectures.vit(width=30), "divisible by the 4 heads"),
        (lambda: architectures.vit(patch=0), "patch must be at least 1"),
    ],
)
def test_bad_options_are_one_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_patches_that_do_not_fit_are_one_sentence():
    for options in ({"patch": 3}, {"tokens": 9}):
        net = architectures.mlp_mixer(**options)
        with pytest.raises(ValueError, match=r"Patches\(.*needs a side divisible by 3"):
            output_shape(net.body, net.input_shape(16))
