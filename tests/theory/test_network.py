"""Descriptions: shapes for integers and symbols, readable errors and reprs."""

import pytest
import sympy as sp

from theory import architectures
from theory.architectures import ARCHITECTURES
from theory.initializers import Scheme
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    ReLU,
    Serial,
    ShapeError,
    output_shape,
    residual,
    serial,
    walk,
)

HE = Scheme("he").hidden(sp.Rational(1, 2))


def networks():
    for architecture in ARCHITECTURES.values():
        heads = architecture.heads or [None]
        for head in heads:
            options = {} if head is None else {"head": head}
            yield pytest.param(
                architecture.build(width=4, **options), id=f"{architecture.name}-{head}"
            )


@pytest.mark.parametrize("network", list(networks()))
def test_symbolic_shapes_agree_with_integer_shapes(network):
    side = sp.Symbol("s", positive=True, integer=True)
    symbolic = network.input_shape(side)
    integer = network.input_shape(64)
    for layer in network.body.layers:
        symbolic, integer = output_shape(layer, symbolic), output_shape(layer, integer)
        assert tuple(sp.sympify(n).subs(side, 64) for n in symbolic) == integer
    assert integer == (10,)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Conv(8, HE, stride=2),
            (7, 7, 3),
            r"Conv\(8.*stride=2\) needs a side divisible by 2.*7×7×3",
        ),
        (AvgPool(3), (8, 8, 4), r"AvgPool\(3\) needs a side divisible by 3"),
        (MaxPool(2), (12,), r"MaxPool\(2\) needs an image.*vector of 12"),
        (GlobalAvgPool(), (12,), r"GlobalAvgPool\(\) needs an image"),
        (Dense(3, HE), (4, 4, 2), r"Dense\(3.*\) needs a vector.*4×4×2.*Flatten"),
        (Conv(8, HE, border="reflect"), (1, 1, 3), r"reflects 1 pixels.*1×1×3"),
        (residual(Conv(8, HE)), (4, 4, 3), r"adds a branch of 4×4×8 to a shortcut of 4×4×3"),
    ],
)
def test_mismatch_is_one_sentence_naming_the_layer(layer, shape, message):
    with pytest.raises(ShapeError, match=message) as error:
        output_shape(serial(layer), shape)
    assert "\n" not in str(error.value)


def test_repr_is_short_and_shows_what_differs():
    assert repr(Conv(8, HE, stride=2)) == "Conv(8, init=2/fan_in normal, stride=2)"
    assert repr(serial(ReLU(), Flatten())) == "Serial(ReLU(), Flatten())"
    assert "0: Flatten()" in repr(architectures.mlp())


def test_descriptions_are_plain_hashable_data():
    assert architectures.resnet() == architectures.resnet()
    assert hash(architectures.resnet()) == hash(architectures.resnet())
    assert sum(isinstance(x, Conv) for x in walk(architectures.resnet().body)) == 9
    assert Serial() == serial()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: architectures.cnn(head="dens"), "did you mean 'dense'"),
        (lambda: architectures.mlp(activation="rely"), "did you mean 'relu'"),
        (lambda: architectures.mlp(init="hee"), "did you mean 'he'"),
        (lambda: architectures.mlp(depth=0), "depth must be at least 1"),
        (lambda: architectures.cnn(width=0), "width must be at least 1"),
        (lambda: architectures.cnn(border="mirror"), "unknown border"),
        (lambda: architectures.convnet_avdim(pooling="mean"), "unknown pooling"),
        (lambda: architectures.convnet_avdim(pool_after=[9]), "between 1 and 8"),
        (lambda: architectures.convnet_avdim(dilation=[1, 2]), "one positive number or 8"),
        (lambda: architectures.find("resnt"), "did you mean 'resnet'"),
    ],
)
def test_bad_options_are_one_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_convnet_avdim_pools_where_it_is_told():
    net = architectures.convnet_avdim(
        pooling="max", pool_after=[2, 4], dilation=[1, 1, 2, 2, 1, 1, 1, 1]
    )
    assert sum(isinstance(x, MaxPool) for x in walk(net.body)) == 2
    assert all(x.stride == 1 for x in walk(net.body) if isinstance(x, Conv))
    assert output_shape(net.body, (32, 32, 3)) == (10,)
