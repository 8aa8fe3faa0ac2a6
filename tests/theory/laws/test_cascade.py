"""The random energy cascade: right mean, right spread, reproducible."""

import numpy as np

from theory import architectures
from theory.laws.cascade import norm_value, sample_energy_maps
from theory.laws.energy import logit_energy_map

Z_BOUND = 4.5


def test_mean_of_the_maps_is_the_energy_map():
    for net in (architectures.cnn(width=8, border="zero"), architectures.resnet(width=8)):
        shape = net.input_shape(8)
        maps = sample_energy_maps(net.body, shape, 4000)
        z = (maps.mean(axis=0) - logit_energy_map(net.body, shape)) / (maps.std(axis=0) / 4000**0.5)
        assert np.abs(z).max() < Z_BOUND


def test_relative_variance_of_one_dense_relu_layer_is_five_over_n():
    net = architectures.mlp(width=(40,))
    totals = sample_energy_maps(net.body, net.input_shape(2), 40_000).sum(axis=(1, 2))
    assert abs(totals.var() / totals.mean() ** 2 - 5 / 40) < 0.01


def test_numbers_are_reproducible_and_narrow_nets_have_larger_maxima():
    shape = architectures.cnn().input_shape(16)
    narrow, wide = architectures.cnn(width=8), architectures.cnn(width=512)
    assert norm_value(narrow.body, shape, 1) == norm_value.__wrapped__(narrow.body, shape, 1)
    assert norm_value(narrow.body, shape, np.inf) > norm_value(wide.body, shape, np.inf)
    assert norm_value(narrow.body, shape, 1) < norm_value(wide.body, shape, 1)
