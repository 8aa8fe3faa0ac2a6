"""The random energy cascade: right mean, right spread, reproducible."""

import numpy as np

from theory import architectures
from theory.initializers import Scheme
from theory.laws.cascade import norm_value, sample_energy_maps
from theory.laws.positions import coherent_energy_map
from theory.network import Conv, Dense, Flatten, ReLU, serial

Z_BOUND = 4.5
HE = Scheme("he").hidden(0.5)


def test_mean_of_the_maps_is_the_energy_map():
    reflecting = architectures.convnet_avdim(width=8, depth=2, head="gap")
    for net in (
        architectures.cnn(width=8, border="zero"),
        architectures.resnet(width=8),
        reflecting,
    ):
        shape = net.input_shape(8)
        maps = sample_energy_maps(net.body, shape, 4000)
        expected, _ = coherent_energy_map(net.body, shape)
        z = (maps.mean(axis=0) - expected) / (maps.std(axis=0) / 4000**0.5)
        assert np.abs(z).max() < Z_BOUND


def test_relative_variance_of_one_relu_layer_is_five_over_n():
    body = serial(Conv(40, HE, kernel=1), ReLU(), Flatten(), Dense(1, HE))
    maps = sample_energy_maps(body, (2, 2, 3), 40_000)
    assert np.abs(maps.var(axis=0) / maps.mean(axis=0) ** 2 - 5 / 40).max() < 0.01


def test_numbers_are_reproducible_and_narrow_nets_have_larger_maxima():
    shape = architectures.cnn().input_shape(16)
    narrow, wide = architectures.cnn(width=8), architectures.cnn(width=512)
    assert norm_value(narrow.body, shape, 1) == norm_value.__wrapped__(narrow.body, shape, 1)
    assert norm_value(narrow.body, shape, np.inf) > norm_value(wide.body, shape, np.inf)
    assert norm_value(narrow.body, shape, 1) < norm_value(wide.body, shape, 1)
