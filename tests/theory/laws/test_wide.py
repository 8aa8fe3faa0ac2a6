"""Gains in the limit of large width, and which networks need them."""

import numpy as np
import pytest
import sympy as sp

from theory import activations, architectures, predict
from theory.architectures import ARCHITECTURES
from theory.laws import units, wide
from theory.laws.energy import gain
from theory.laws.parts import d
from theory.laws.prediction import bases
from theory.network import (
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    Network,
    ReLU,
    Tanh,
    residual,
    serial,
)
from theory.network import walk as layers_of

SHAPE = (32, 32, 3)
HALF = sp.Rational(1, 2)


def resolved_gains(body, shape=SHAPE):
    found = wide.resolve(body, shape).body
    return [float(x.second_moment) for x in layers_of(found) if isinstance(x, wide.Resolved)]


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("mlp", False),
        ("cnn", False),
        ("convnet-avdim", False),
        ("resnet-preact", False),
        ("resnet", True),
    ],
)
def test_which_networks_read_an_activated_stream(arch, expected):
    body = ARCHITECTURES[arch].build(width=4).body
    assert wide.reads_activated_stream(body) is expected
    assert wide.needed(body) is expected
    linear = ARCHITECTURES[arch].build(width=4, activation="identity").body
    assert not wide.needed(linear)
    assert wide.needed(ARCHITECTURES[arch].build(width=4, activation="tanh").body)


def test_one_post_activation_block():
    """P(|z| + z' > 0) = 3/4: the shortcut passes 3/8 where hypothesis H has 1/4."""
    net = architectures.resnet(width=8, depth=1)
    stem, inner, last = resolved_gains(net.body)
    assert last == pytest.approx(5 / 8, rel=1e-3)
    assert inner == pytest.approx(1 / 2, rel=1e-3)
    # κ of the branch is 2: (3/8 + 2 · 5/8 · 1/2) / (5/8 + 2 · 5/8)
    assert stem == pytest.approx(8 / 15, rel=1e-3)
    ratio = predict(net, 2).second_moment / predict(net, 2, basis="hypothesis-H").second_moment
    assert float(ratio) == pytest.approx(4 / 3, rel=1e-3)


def test_deeper_streams_pass_more():
    blocks = [
        serial(Dense(8, architectures.Scheme("he").hidden(HALF)), ReLU(), Dense(8, HE))
        for HE in [architectures.Scheme("he").hidden(HALF)] * 6
    ]
    stem = Dense(8, architectures.Scheme("he").hidden(HALF))
    body = [Flatten(), stem, ReLU()]
    for block in blocks:
        body += [residual(block), ReLU()]
    gains = resolved_gains(serial(*body, Dense(3, architectures.Scheme("he").last())))
    outer = gains[2::2]
    assert len(outer) == len(blocks)
    assert all(0.6 < x < 0.8 for x in outer)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_sampling_agrees_with_gaussian_means(activation):
    """The two ways to resolve a network, where both are right."""
    body = architectures.mlp(width=8, depth=4, activation=activation).body
    exact, sampled = (way(body, SHAPE) for way in (wide.resolve, units.by_sampling))
    assert float(gain(sampled.body, SHAPE)) == pytest.approx(float(gain(exact.body, SHAPE)), 1e-3)
    assert float(sampled.mean_square) == pytest.approx(float(exact.mean_square), rel=1e-3)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_symmetric_networks_keep_their_gains(arch):
    body = ARCHITECTURES[arch].build(width=4).body
    if not wide.needed(body):
        assert gain(wide.resolve(body, SHAPE).body, SHAPE) == gain(body, SHAPE)


def test_bases():
    assert bases(architectures.mlp()) == ("exact",)
    assert bases(architectures.mlp(activation="tanh")) == ("wide",)
    assert bases(architectures.cnn()) == ("hypothesis-H",)
    assert bases(architectures.resnet()) == ("wide", "hypothesis-H")
    assert predict(architectures.resnet()).basis == "wide"
    paper = predict(architectures.resnet(), basis="hypothesis-H")
    assert paper.basis == "hypothesis-H"
    assert paper.second_moment == 6
    assert any("H1" in sentence for sentence in paper.assumptions)
    with pytest.raises(ValueError, match="rests on hypothesis-H, not on exact"):
        predict(architectures.cnn(), basis="exact")
    with pytest.raises(ValueError, match="unknown basis 'hypothesis'"):
        predict(architectures.cnn(), basis="hypothesis")


@pytest.mark.parametrize(
    ("activation", "init", "exponent"),
    [
        ("tanh", "he", HALF),
        ("tanh", "glorot", HALF),
        ("tanh", "constant", sp.Rational(3, 4)),
        ("erf", "he-fan-out", sp.Rational(3, 4)),
        ("gelu", "he", HALF),
        ("gelu", "constant", 1),
        ("silu", "he-fan-out", 1),
        ("tanh", "orthogonal", HALF),
    ],
)
def test_exponents_with_smooth_activations(activation, init, exponent):
    """Where the size of pre-activations grows with d, bounded activations lose a quarter."""
    law = predict(architectures.mlp(activation=activation, init=init), 1)
    assert law.exponent == exponent
    far = [float(sp.N(law.norm.subs(d, x))) for x in (1e12, 1e14)]
    assert np.log(far[1] / far[0]) / np.log(100) == pytest.approx(float(exponent), abs=1e-3)


def test_law_of_a_smooth_network_is_an_expression():
    network = architectures.mlp(width=64, activation="erf", init="glorot")
    law = predict(network, 1)
    numeric = sp.lambdify(d, law.norm)
    assert numeric(3072.0) == pytest.approx(float(sp.N(law.norm.subs(d, 3072))))
    # at width 10⁶ the number, which knows the width, is that of the expression
    broad = predict(architectures.mlp(width=10**6, activation="erf"), 1)
    assert broad(3072) == pytest.approx(float(sp.N(broad.norm.subs(d, 3072))), rel=1e-5)
    slope = float(sp.N((d * sp.diff(law.norm, d) / law.norm).subs(d, 3072)))
    assert law.slope([3000, 3144]) == pytest.approx(slope, abs=1e-3)
    assert not law.norm.doit().atoms(activations.GaussianMean)


def test_irrational_gains_of_a_residual_network_are_near_fractions():
    """Sums over the ways through three blocks are not compared symbol by symbol."""
    network = architectures.resnet(width=16, activation="erf")
    law = predict(network, 1)
    assert law.exponent == HALF
    assert law(3 * 64**2) == pytest.approx(2 * law(3 * 32**2), rel=1e-3)


def test_a_gain_that_grows_with_the_image_is_refused_in_one_sentence():
    hidden = architectures.Scheme("constant").hidden(HALF)
    block = residual(serial(Dense(4, hidden)), Identity())
    body = serial(Flatten(), Dense(4, hidden), ReLU(), block, ReLU(), Dense(2, hidden))
    with pytest.raises(ValueError, match="grows with the image"):
        predict(Network("strange", body), 1)
    assert wide.resolve(body, SHAPE).mean_square > 0


def test_pooling_before_the_head_is_no_obstacle():
    net = architectures.resnet(width=4, head="gap")
    assert isinstance(net.body.layers[-2], GlobalAvgPool)
    assert predict(net, 2).exponent == -HALF
    assert Tanh() in layers_of(architectures.cnn(activation="tanh").body)


@pytest.mark.parametrize("init", ["he", "glorot", "constant"])
def test_leading_terms_with_smooth_activations(init):
    law = predict(architectures.mlp(activation="tanh", init=init), 1)
    ratio = law.norm.subs(d, 10**12) / law.asymptote.subs(d, 10**12)
    assert float(sp.N(ratio)) == pytest.approx(1, rel=1e-6)
    settled = not any(x.has(d) for x in law.asymptote.atoms(activations.GaussianMean))
    assert settled == (init != "constant")
