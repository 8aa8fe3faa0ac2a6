"""Energy gains: the rule, its products and sums, and the map over the image."""

import numpy as np
import pytest
import sympy as sp

from theory import architectures
from theory.architectures import ARCHITECTURES
from theory.initializers import SCHEMES, Scheme
from theory.laws.energy import assumptions, energy_map, gain, logit_energy_map, table
from theory.network import (
    AvgPool,
    Conv,
    GlobalAvgPool,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    ShapeError,
    residual,
    serial,
)

HE = Scheme("he").hidden(sp.Rational(1, 2))


def test_gains_of_single_layers():
    image = (8, 8, 5)
    assert gain(Conv(7, HE), image) == 2
    assert gain(ReLU(), image) == sp.Rational(1, 2)
    assert gain(LeakyReLU(0.5), image) == sp.Rational(5, 8)
    assert gain(AvgPool(2), image) == sp.Rational(1, 4)
    assert gain(GlobalAvgPool(), image) == sp.Rational(1, 64)
    assert gain(MaxPool(2), image) == 1
    assert gain(residual(serial(Conv(5, HE), ReLU())), image) == 2


def test_he_conserves_energy_so_relu_follows_weights():
    net = architectures.mlp(depth=7)
    assert gain(net.body, net.input_shape(sp.Symbol("s", positive=True))) == 1


CONVOLUTIONAL = [name for name, a in ARCHITECTURES.items() if a.has_option("border")]


@pytest.mark.parametrize("init", SCHEMES)
@pytest.mark.parametrize("arch", CONVOLUTIONAL)
def test_map_sums_to_the_product_of_gains_without_a_border(arch, init):
    for head in ARCHITECTURES[arch].heads:
        net = ARCHITECTURES[arch].build(width=4, head=head, init=init, border="circular")
        shape = net.input_shape(32)
        total = logit_energy_map(net.body, shape).sum()
        assert total == pytest.approx(float(gain(net.body, shape)), rel=1e-12)


def test_zero_border_maps_know_more_than_the_mean_rule():
    """Outputs at the border carry less energy and read fewer inputs: the mean rule misses that."""
    net = architectures.cnn(border="zero")
    shape = net.input_shape(16)
    energies = logit_energy_map(net.body, shape)
    assert energies[0, 0] < energies[8, 8]
    assert energies.sum() > 1.05 * float(gain(net.body, shape))


def test_strides_violate_the_symmetry_hypothesis():
    """A 3×3 kernel of stride 2 reads odd pixels twice as often as even ones along each axis."""
    layer = Conv(4, HE, stride=2)
    ones = np.ones((4, 4))
    energies = energy_map(layer, (8, 8, 3), ones)
    assert energies[1, 0] == pytest.approx(2 * energies[0, 0])
    assert energies[1, 1] == pytest.approx(4 * energies[0, 0])


def test_map_needs_an_image():
    with pytest.raises(ShapeError):
        logit_energy_map(ReLU(), (5,))


def test_table_and_assumptions_follow_the_layers():
    net = architectures.resnet(head="gap")
    shape = net.input_shape(16)
    rows = table(net.body, shape)
    assert len(rows) == len(net.body.layers)
    assert sp.prod([row.gain for row in rows]) == gain(net.body, shape)
    sentences = " ".join(assumptions(net.body, shape))
    assert "H1" in sentences
    assert "residual branch" in sentences
    assert "average pool" in sentences


def test_a_layer_without_a_rule_is_named():
    class Strange(Layer):
        pass

    with pytest.raises(TypeError, match="no rule for Strange"):
        gain(Strange(), (4, 4, 1))
