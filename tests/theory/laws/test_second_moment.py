"""Where second moments are exact, and which layer forbids it."""

from itertools import pairwise

import pytest

from theory import architectures, predict
from theory.initializers import VarianceScaling
from theory.laws.prediction import bases, missing
from theory.laws.second_moment import TRUE_MASKS, breach
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    Identity,
    LeakyReLU,
    ReLU,
    Tanh,
    concat,
    residual,
    serial,
    walk,
)
from theory.statements.enumeration import Convolution, Example, convolutional, second_moments

HE = VarianceScaling(2)
HEAD = (Flatten(), Dense(2, HE))


@pytest.mark.parametrize("init", ["he", "pytorch", "flax", "orthogonal", "constant"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "convnet-avdim"])
def test_dense_heads_are_exact_for_every_symmetric_initialization(name, init):
    law = predict(architectures.find(name).build(init=init), 1)
    assert law.second_moment_basis == "exact"
    assert law.breaking_layer is None


@pytest.mark.parametrize(
    ("name", "head", "layer"),
    [
        ("cnn", "gap", "GlobalAvgPool()"),
        ("cnn", "avgpool", "AvgPool(2)"),
        ("convnet-avdim", "gmaxpool", "GlobalMaxPool()"),
        ("resnet", "dense", "ReLU()"),
    ],
)
def test_the_law_names_the_layer_that_breaks_the_condition(name, head, layer):
    law = predict(architectures.find(name).build(head=head), 1)
    assert law.second_moment_basis == law.basis != "exact"
    assert str(law.breaking_layer).startswith(layer)


@pytest.mark.parametrize(
    "body",
    [
        (Conv(2, HE), LeakyReLU(), Conv(2, HE), ReLU()),
        (AvgPool(2), Conv(2, HE), ReLU()),  # of a pixel one average knows
        (Conv(2, HE, kernel=1), ReLU(), AvgPool(2), Conv(2, HE), ReLU()),
        (Conv(2, HE), Identity(), ReLU()),
        (residual(serial(Conv(2, HE)), serial(Conv(2, HE))), ReLU()),
        (Conv(2, HE), ReLU(), residual(serial(Conv(2, HE), ReLU(), Conv(2, HE)))),
        (Conv(2, HE), concat(serial(Conv(2, HE))), ReLU()),
    ],
)
def test_networks_that_keep_the_condition(body):
    assert breach(serial(*body, *HEAD)) is None


@pytest.mark.parametrize(
    "body",
    [
        (ReLU(), Conv(2, HE)),
        (Conv(2, HE), ReLU(), ReLU()),
        (Conv(2, HE), AvgPool(2)),
        (Conv(2, HE), Tanh()),
        (Conv(2, HE), residual(serial(Conv(2, HE))), ReLU()),
        (Conv(2, HE), ReLU(), residual(serial(Conv(2, HE), ReLU()))),
        (Conv(2, HE), ReLU(), concat(serial(Conv(2, HE))), ReLU()),
    ],
)
def test_networks_that_break_it(body):
    assert breach(serial(*body, *HEAD)) is not None


def test_the_loss_keeps_the_basis_of_its_law():
    law = predict(architectures.cnn(), 1, "loss")
    assert law.second_moment_basis == law.basis


@pytest.mark.parametrize("quantity", ["logit", "loss"])
@pytest.mark.parametrize("name", list(architectures.ARCHITECTURES))
def test_assumptions_have_h1_where_it_is_needed_alone(name, quantity):
    """Exact second moments rest on one sum of symmetric weights for each ReLU, others on H1."""
    found = architectures.find(name)
    for options in [{}, *({"head": head} for head in found.heads), {"init": "glorot"}]:
        network = found.build(**options)
        if missing(network):
            continue
        sentences = predict(network, 2, quantity).assumptions
        has_relu = any(isinstance(layer, ReLU) for layer in walk(network.body))
        is_gaussian = bases(network) == ("exact",)
        needs_h1 = breach(network.body) is not None
        assert any("H1" in x for x in sentences) == (
            has_relu and needs_h1 and "wide" not in bases(network)
        )
        assert (TRUE_MASKS in sentences) == (has_relu and not needs_h1 and not is_gaussian)
    if name == "resnet":
        paper = predict(found.build(), 2, quantity, "hypothesis-H")
        assert any("H1" in x for x in paper.assumptions)


def test_a_kink_is_refused():
    """Two equal pixels with weights of opposite signs: the network has no derivative there."""
    example = Example(convolutional(2, (Convolution(1, 2),)), point=(1, 1))
    with pytest.raises(ValueError, match="kink"):
        second_moments(example)


def test_weights_that_are_not_symmetric_are_not_covered():
    """The broken twin of the enumerations: values −1 and 2 have no mean and no symmetry."""
    units = convolutional(4, (Convolution(1, 3),))
    one, two = (second_moments(Example(units, values)) for values in ((-1, 1), (-1, 2)))
    assert all(a == b for a, b in pairwise(one.values()))
    assert any(a != b for a, b in pairwise(two.values()))
