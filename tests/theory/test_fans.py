"""What initializers count as the inputs and outputs of a weight."""

import pytest
import sympy as sp

from theory.fans import fan_in, fan_out
from theory.initializers import Scheme
from theory.network import Conv, Dense, Flatten, ReLU, output_shape

HE = Scheme("he").hidden(sp.Rational(1, 2))


def test_fans():
    assert fan_in(Dense(7, HE), (5,)) == 5
    assert fan_out(Dense(7, HE), (5,)) == 7
    assert fan_in(Conv(8, HE, kernel=5), (16, 16, 3)) == 75
    assert fan_out(Conv(8, HE, kernel=5), (16, 16, 3)) == 200
    side = sp.Symbol("s")
    assert fan_in(Dense(7, HE), output_shape(Flatten(), (side, side, 3))) == 3 * side**2
    with pytest.raises(TypeError, match="no weights"):
        fan_in(ReLU(), (5,))
