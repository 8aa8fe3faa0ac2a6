"""Connections of layers along one axis, against the in-degrees that the symbols give."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory.fans import in_degree
from theory.geometry import connections
from theory.initializers import Scheme
from theory.network import AvgPool, Conv, Flatten, GlobalMaxPool

HE = Scheme("he").last()


@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    border=st.sampled_from(["circular", "zero", "reflect"]),
    outputs=st.integers(5, 9),
)
def test_in_degree_is_the_mean_number_of_connections(kernel, stride, dilation, border, outputs):
    side = outputs * stride
    layer = Conv(4, HE, kernel=kernel, stride=stride, dilation=dilation, border=border)
    if border == "reflect" and side <= dilation * (kernel - 1):
        return
    counts = connections(layer, side)
    assert counts.shape == (outputs, side)
    assert in_degree(layer, (side, side, 3)) == 3 * sp.Rational(int(counts.sum()), outputs) ** 2


def test_zero_border_in_degree_is_also_right_in_symbols():
    side = sp.Symbol("s", positive=True, integer=True)
    layer = Conv(4, HE, kernel=3, border="zero")
    assert sp.simplify(in_degree(layer, (side, side, 1)) - (3 - 2 / side) ** 2) == 0


def test_small_examples():
    circular = connections(Conv(1, HE), 4)
    assert circular.tolist() == [[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]]
    assert connections(Conv(1, HE, border="reflect"), 3)[0].tolist() == [1, 2, 0]
    assert connections(Conv(1, HE, border="zero", stride=2), 4).tolist() == [
        [1, 1, 0, 0],
        [0, 1, 1, 1],
    ]
    assert connections(AvgPool(2), 4).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("layer", [Flatten(), GlobalMaxPool()])
def test_global_layers_read_everything(layer):
    assert np.all(connections(layer, 5) == 1)
