"""What positions have in common: against enumeration, Monte Carlo and networks without averages."""

from itertools import product

import numpy as np
import pytest

from theory import architectures
from theory.geometry import connections, taps
from theory.initializers import Scheme
from theory.laws import kernels, wide
from theory.laws.energy import logit_energy_map
from theory.laws.parts import gains
from theory.laws.positions import Together, together
from theory.network import (
    GELU,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    LeakyReLU,
    ReLU,
    Tanh,
    serial,
    walk,
)

HE, LAST = Scheme("he").hidden(0.5), Scheme("he").last()
RNG = np.random.default_rng(0)


def excess(network, side=16):
    shape = network.input_shape(side)
    body, _ = gains(network.body, shape, wide.needed(network.body))
    return together(body, shape)[1]


@pytest.mark.parametrize("name", ["cnn", "resnet", "resnet-preact", "densenet", "mlp-mixer"])
def test_nothing_meets_without_a_reflecting_border(name):
    found = excess(architectures.find(name).build(width=8, head="gap"))
    np.testing.assert_allclose(found, 1, rtol=1e-9)


@pytest.mark.parametrize("name", ["cnn", "resnet", "resnet-preact", "convnet-avdim"])
def test_behind_a_dense_head_second_moments_are_those_of_hypothesis_h(name):
    build = architectures.find(name).build
    side = 32 if name == "convnet-avdim" else 16
    np.testing.assert_allclose(excess(build(width=8, border="reflect"), side), 1, rtol=1e-9)
    assert excess(build(width=8, border="reflect", head="gap"), side).max() > 1.1


def test_averages_between_convolutions_let_gradients_meet_behind_every_head():
    assert excess(architectures.densenet(width=8, border="reflect")).max() > 1.1
    assert excess(architectures.convnet_avdim(width=8, pooling="average"), 32).max() > 1.1


def test_the_paper_s_networks_under_averages():
    """Sampled gradient independence: 1.93 ± 0.04 and 1.95 ± 0.04 (500 networks of side 32)."""
    for head in ("gap", "avgpool"):
        network = architectures.convnet_avdim(width=64, head=head)
        energies = logit_energy_map(network.body, (32, 32, 3))
        total = (energies * excess(network, 32)).sum() / energies.sum()
        assert total == pytest.approx(1.9389, abs=1e-4)


def brute_force(layers, side, cross=True):
    """E(∂f/∂x)² of Conv, ReLU, … and an average, from all pairs of positions of the image."""
    size, kernel = side**2, layers[0].kernel ** 2
    k, masks, maps = np.eye(size), [], []
    for layer in layers:
        along = taps(layer, int(np.sqrt(len(k))))
        through = np.einsum("soi,tpj->stopij", along, along)
        through = through.reshape(kernel, along.shape[1] ** 2, along.shape[2] ** 2)
        k = 2 / kernel * np.einsum("koi,ij,kpj->op", through, k, through)
        v = np.diag(k)
        v, w = np.broadcast_arrays(v[:, None], v[None])
        masks.append(kernels.slopes(ReLU(), v, w, k))
        k = kernels.values(ReLU(), v, w, k)
        maps.append(through)
    g = np.full(k.shape, 1 / len(k) ** 2)
    for through, mask in zip(reversed(maps), reversed(masks), strict=True):
        g = g * mask if cross else np.diag(np.diag(g * mask))
        g = 2 / kernel * np.einsum("koi,op,kpj->ij", through, g, through)
    return np.diag(g).reshape(side, side)


@pytest.mark.parametrize("strides", [(1,), (1, 1), (2, 1), (1, 2, 1)])
def test_pairs_that_meet_are_enough(strides):
    convs = [Conv(5, HE, stride=stride, border="reflect") for stride in strides]
    chain = [layer for conv in convs for layer in (conv, ReLU())]
    body = serial(*chain, GlobalAvgPool(), Dense(1, LAST))
    found = logit_energy_map(body, (8, 8, 5)) * together(body, (8, 8, 5))[1]
    np.testing.assert_allclose(found, brute_force(convs, 8), rtol=1e-9)
    without = brute_force(convs, 8, cross=False)
    np.testing.assert_allclose(logit_energy_map(body, (8, 8, 5)), without, rtol=1e-9)
    assert found.sum() > 1.05 * without.sum()  # hypothesis H must be told apart


def test_connections_are_the_taps_together():
    for layer in (Conv(1, HE, border="reflect"), Conv(1, HE, border="zero", stride=2), AvgPool(2)):
        assert np.array_equal(connections(layer, 6), taps(layer, 6).sum(axis=0))
    assert taps(Flatten(), 5).shape == (5, 1, 5)


ACTIVATIONS = [ReLU(), LeakyReLU(0.2), Identity(), Tanh(), GELU()]


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.7, 1.0])
def test_kernels_are_expectations(layer, rho):
    from theory.activations import numeric_function, numeric_slope

    v, draws = 1.3, 400_000
    z, noise = RNG.standard_normal((2, draws))
    pair = np.sqrt(v) * np.stack([z, rho * z + np.sqrt(1 - rho**2) * noise])
    arguments = (np.array([v]), np.array([v]), np.array([rho * v]))
    for found, f in (
        (kernels.values(layer, *arguments), numeric_function(layer)),
        (kernels.slopes(layer, *arguments), numeric_slope(layer)),
        (kernels.slopes(layer, *arguments, power=2), lambda x: numeric_slope(layer)(x) ** 2),
    ):
        one, other = np.broadcast_to(f(pair[0]), draws), np.broadcast_to(f(pair[1]), draws)
        error = np.std(one * other) / draws**0.5
        assert abs(found[0] - np.mean(one * other)) < 4.5 * error + 1e-3


def covariances(body, shape):
    return [x for x in walk(together(body, shape)[0]) if isinstance(x, Together)]


def test_covariances_of_squared_gradients_by_simulation():
    """Two positions of one layer under a global average: equal gradients, correlated masks."""
    body = serial(Conv(8, HE), ReLU(), Conv(8, HE), ReLU(), GlobalAvgPool(), Dense(1, LAST))
    first, second = covariances(body, (6, 6, 8))
    rho = 1 / np.pi  # of values behind one ReLU of uncorrelated ones
    u, z, noise = RNG.standard_normal((3, 400_000))
    squares = u**2 * np.stack([z > 0, rho * z + np.sqrt(1 - rho**2) * noise > 0])
    sampled = np.cov(squares) / np.outer(*[squares.mean(axis=1)] * 2)
    assert second.own == pytest.approx(5) and sampled[0, 0] == pytest.approx(5, rel=0.02)
    assert second.alike.item() == pytest.approx(sampled[0, 1], rel=0.02)
    assert second.alike.item() < 0.8 * second.own  # masks that are taken as equal are found out
    assert 0 == first.other < second.other < first.alike.item() < second.alike.item()


def test_a_dense_head_leaves_what_masks_have_in_common():
    body = serial(Conv(8, HE), ReLU(), Conv(8, HE), ReLU(), Flatten(), Dense(1, LAST))
    for layer in covariances(body, (6, 6, 8)):
        assert np.all(layer.alike == layer.other)


def test_positions_of_other_phases_share_no_gradient():
    body = serial(Conv(8, HE), ReLU(), Conv(8, HE, stride=2), ReLU(), GlobalAvgPool())
    first, second = covariances(serial(*body.layers, Dense(1, LAST)), (8, 8, 8))
    assert first.alike.shape == (2, 2) and second.alike.shape == (1, 1)
    assert np.all(first.alike > first.other) and first.other == 0


def test_a_pixel_on_both_axes():
    """A line of n outputs: 1 + 4/(3n) of H, so its square for an image of linear convolutions."""
    for n, channels in product((3, 5), (1, 4)):
        body = serial(Conv(channels, LAST, border="reflect"), GlobalAvgPool(), Dense(1, LAST))
        energies = logit_energy_map(body, (n, n, 2))
        found = (energies * together(body, (n, n, 2))[1]).sum() / energies.sum()
        assert found == pytest.approx((1 + 4 / (3 * n)) ** 2)
