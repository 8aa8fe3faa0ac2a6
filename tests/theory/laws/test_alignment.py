"""α, the share of gradient energy that is known along the features: against real networks."""

import numpy as np
import pytest
import sympy as sp

from theory import architectures, predict
from theory.initializers import VarianceScaling
from theory.laws import loss, softmax
from theory.laws.alignment import head
from theory.laws.masked_sum import MaskedSum
from theory.laws.parts import d, gains
from theory.laws.wide import needed
from theory.network import (
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    ReLU,
    residual,
    serial,
)

HE, LAST = VarianceScaling(2), VarianceScaling(1)
DRAWS = 400
FIRST_ORDER = 0.12
"""What the first order leaves out at the widths below, relative to α: a few times 1/width."""


def measured(networks):
    """E‖Jᵀĥ‖² / E‖J‖_F² and E‖h‖², over networks."""
    along, energy, squares = [], [], []
    for h, jacobian in networks:
        flat = jacobian.reshape(len(h), -1)
        along.append(np.sum((flat.T @ h) ** 2) / np.sum(h**2))
        energy.append(np.sum(flat**2))
        squares.append(np.sum(h**2))
    return np.mean(along) / np.mean(energy), np.mean(squares)


def residual_networks(n, blocks, size, rng, draws=DRAWS):
    """Features of pre-activation residual networks and their Jacobians."""
    for _ in range(draws):
        x = rng.standard_normal(size)
        weights = rng.standard_normal((n, size)) * np.sqrt(2 / size)
        stream, slopes = weights @ x, weights
        for _ in range(blocks):
            branch, inner = stream, slopes
            for _ in range(2):
                mask = branch > 0
                weights = rng.standard_normal((n, n)) * np.sqrt(2 / n)
                branch, inner = weights @ (mask * branch), weights @ (mask[:, None] * inner)
            stream, slopes = stream + branch, slopes + inner
        yield stream * (stream > 0), slopes * (stream > 0)[:, None]


def averaged_networks(n, side, channels, rng):
    """Features of two 1×1 convolutions and a global average, and their Jacobians."""
    for _ in range(DRAWS):
        h = rng.standard_normal((side**2, channels))
        slopes = np.broadcast_to(np.eye(channels), (side**2, channels, channels))
        for fan_in in (channels, n):
            weights = rng.standard_normal((n, fan_in)) * np.sqrt(2 / fan_in)
            h, slopes = h @ weights.T, weights @ slopes
            h, slopes = h * (h > 0), slopes * (h > 0)[:, :, None]
        yield h.mean(axis=0), np.moveaxis(slopes, 1, 0) / side**2


def residual_body(n, blocks):
    block = residual(serial(ReLU(), Dense(n, HE), ReLU(), Dense(n, HE)))
    return serial(Flatten(), Dense(n, HE), *[block] * blocks, ReLU(), Dense(2, LAST))


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_residual_networks_have_this_alignment(blocks):
    found, _ = measured(residual_networks(32, blocks, 48, np.random.default_rng(1)))
    known = float(head(residual_body(32, blocks), (4, 4, 3)).alignment)
    assert known == pytest.approx(found, rel=FIRST_ORDER)
    assert known / 2 != pytest.approx(found, rel=FIRST_ORDER)  # twin: a mask that passes half


def test_what_is_left_out_vanishes_with_the_width():
    blocks, errors = 4, {}
    for n, draws in ((16, 3000), (64, 600)):
        found, _ = measured(residual_networks(n, blocks, 48, np.random.default_rng(4), draws))
        errors[n] = float(head(residual_body(n, blocks), (4, 4, 3)).alignment) / found - 1
    assert errors[16] > 0.05 > abs(errors[64])


def test_one_block_of_many_units_knows_this():
    """By hand, in `gaussian-head`: (15/4 + 1/π)/N for large d."""
    n = 10**6
    known = float(head(residual_body(n, 1), (2**12, 2**12, 3)).alignment)
    known = n * (known - 1 / (3 * 4**12))
    assert known == pytest.approx(15 / 4 + 1 / np.pi, rel=5e-3)
    # twin: what both ways know in other directions than that of the stream left out
    assert pytest.approx(7 / 2, rel=5e-3) != known


def test_averaged_networks_have_this_alignment_and_mean_square():
    body = serial(
        *(Conv(32, HE, kernel=1), ReLU(), Conv(32, HE, kernel=1), ReLU()),
        *(GlobalAvgPool(), Dense(2, LAST)),
    )
    share, square = measured(averaged_networks(32, 4, 32, np.random.default_rng(2)))
    known = head(body, (4, 4, 32))
    # squares that differ between positions, by the variance 2/channels + 5/width, have less in
    # common, by a quarter of that
    few = (2 / 32 + 5 / 32) / 4
    assert float(known.averaged) == pytest.approx(square / 32, rel=few)
    assert float(known.alignment) == pytest.approx(share, rel=FIRST_ORDER)
    assert pytest.approx(square / 32, rel=few) != 1  # twin: an average that keeps mean squares


@pytest.mark.parametrize("slope", [0, sp.Rational(1, 5), 1])
def test_the_exact_law_of_dense_networks_has_it_to_first_order(slope):
    n, size = 512, 48
    activation = ReLU() if slope == 0 else LeakyReLU(slope)
    net = architectures.mlp((n, n), activation=activation)
    share = float(head(net.body, (4, 4, 3)).alignment)
    mass = 2 * (1 + slope**4) / (1 + slope**2) ** 2
    assert 1 - share == pytest.approx(float((1 - 1 / sp.Integer(size)) * (1 - mass / n) ** 2))
    hidden = (MaskedSum(n, sp.sympify(slope)),) * 2
    exact = loss.moment_ratio(hidden, 10, 1.0, size, 2)
    assert softmax.residual_value(1.0, 10, 2, share) == pytest.approx(exact, rel=4e-3)
    # twin: the residual independent of the gradients
    assert softmax.residual_value(1.0, 10, 2) != pytest.approx(exact, rel=4e-3)


def test_large_images_forget_it_unless_they_are_averaged():
    side = sp.Symbol("side", positive=True)
    dense, averaged = (architectures.cnn(8, head=name).body for name in ("dense", "gap"))
    assert sp.limit(head(dense, (side, side, 3)).alignment, side, sp.oo) == 0
    assert sp.limit(head(averaged, (side, side, 3)).alignment, side, sp.oo) > 0.1


def test_the_loss_of_convolutions_says_what_it_rests_on():
    for build in (architectures.cnn, architectures.resnet, architectures.resnet_preact):
        law = predict(build(8), 1, "loss")
        assert any("Euler" in sentence for sentence in law.assumptions)
        assert law(3 * 16**2) / predict(build(8), 1)(3 * 16**2) == pytest.approx(
            float((law.norm / predict(build(8), 1).norm).subs(d, 3 * 16**2).evalf()), rel=1e-4
        )
    smooth = predict(architectures.cnn(8, activation="tanh"), 1, "loss")
    assert not any("Euler" in sentence for sentence in smooth.assumptions)  # nor a norm has it
    assert head(architectures.cnn(8, norm="layer").body, (8, 8, 3)) is None


MEASURED = [
    (architectures.cnn, 16, {}, 0.0557, 1.0016, 0.0043),
    (architectures.cnn, 16, {"head": "gap"}, 0.1814, 1.0045, 0.0062),
    (architectures.resnet, 16, {"head": "gap"}, 0.2136, 1.1979, 0.0096),
    (architectures.resnet_preact, 16, {}, 0.0563, 1.1862, 0.0071),
    (architectures.resnet_preact, 16, {"head": "gap"}, 0.1733, 1.2373, 0.0093),
    (architectures.cnn, 64, {"head": "gap"}, 0.0603, 0.9937, 0.0075),
    (architectures.resnet, 64, {"head": "gap"}, 0.0733, 1.1351, 0.0121),
    (architectures.resnet_preact, 64, {}, 0.0180, 1.1450, 0.0126),
    (architectures.resnet_preact, 64, {"head": "gap"}, 0.0560, 1.1356, 0.0134),
]
"""A network, its width, α, loss over logit and its standard error, at side 8: rows that
`python -m sim.statements.loss_over_logit` prints."""


@pytest.mark.parametrize(("build", "width", "options", "share", "ratio", "error"), MEASURED)
def test_convolutional_networks_as_measured(build, width, options, share, ratio, error):
    net = build(width, **options)
    shape = net.input_shape(8)
    known = float(head(gains(net.body, shape, needed(net.body))[0], shape).alignment)
    # of the order of 1/width, and the sampling of units
    assert known == pytest.approx(share, rel=FIRST_ORDER / 2 * 16 / width + 0.01)
    law = predict(net, 2, "loss")(192) / predict(net, 2)(192)
    assert law == pytest.approx(ratio, abs=3.2 * error)  # 1 in 100, for nine networks


def test_borders_that_reflect_are_a_limit():
    """Gradients that meet there are taken to be those of a logit: docs/limits.md says how much."""
    net = architectures.cnn(16, border="reflect")
    known = float(head(net.body, (8, 8, 3)).alignment)
    assert known < 0.1039 / 1.5  # measured by the same command


def test_very_deep_networks_have_a_loss():
    """The share is at most 1, whatever the depth; at width 1, where it is not, it counts as 1."""
    net = architectures.cnn(2, depth=60, head="gap")
    assert 0.9 < float(head(net.body, (16, 16, 3)).alignment) <= 1 + 1e-9
    assert np.isfinite(predict(net, 2, "loss")(768))
