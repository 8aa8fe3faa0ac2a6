"""Bounds from fourth moments: against simulated networks, and against the exact law."""

import numpy as np
import pytest
import sympy as sp
from scipy import stats

from theory import architectures, predict
from theory.initializers import VarianceScaling
from theory.laws import bounds

SEEDS = 4000


def gradients(widths, d, draw, seed):
    """Input gradients (SEEDS, d) of dense ReLU networks with weights `draw(rng, shape)`/√fan-in."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(d)
    value = np.broadcast_to(x, (SEEDS, d))
    slopes = np.broadcast_to(np.eye(d), (SEEDS, d, d))
    for fan_in, width in zip((d, *widths), (*widths, 1), strict=False):
        weight = draw(rng, (SEEDS, width, fan_in)) / np.sqrt(fan_in)
        value = np.einsum("soi,si->so", weight, value)
        slopes = np.einsum("soi,sid->sod", weight, slopes)
        if width > 1:
            mask = value > 0
            value, slopes = np.sqrt(2) * mask * value, np.sqrt(2) * mask[..., None] * slopes
    return slopes[:, 0]


DRAWS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-np.sqrt(3), np.sqrt(3), shape),
    "rademacher": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
}


def chain(widths, distribution):
    init, last = (
        VarianceScaling(2, distribution=distribution),
        VarianceScaling(1, distribution=distribution),
    )
    kurtosis = bounds.kurtosis(init)
    hidden = tuple(bounds.Stage(n, sp.Integer(0), kurtosis) for n in widths)
    return (*hidden, bounds.Stage(1, sp.Integer(1), bounds.kurtosis(last)))


@pytest.mark.parametrize("distribution", DRAWS)
def test_fourth_moments_of_simulated_networks(distribution):
    """Within 4 standard errors of the recursion, which a forgotten kurtosis misses."""
    found = gradients((6, 4), 5, DRAWS[distribution], seed=1)
    fourths = (found**4).mean(axis=1) * 25  # E g² = 1/5 for each of 5 coordinates
    error = fourths.std(ddof=1) / np.sqrt(SEEDS)
    expected = float(bounds.of_stages(chain((6, 4), distribution), dense=True))
    assert abs(fourths.mean() - expected) < 4 * error
    if distribution == "rademacher":
        forgotten = float(bounds.of_stages(chain((6, 4), "normal"), dense=True))
        assert abs(fourths.mean() - forgotten) > 4 * error


def test_kurtosis_of_a_truncated_normal():
    cut = stats.truncnorm(-2, 2)
    assert float(bounds.KURTOSIS["truncated-normal"]) == pytest.approx(
        cut.moment(4) / cut.moment(2) ** 2
    )


@pytest.mark.parametrize("q", [1, 1.5, 2, 3, 4, 7, float("inf")])
@pytest.mark.parametrize("width", [3, 64])
def test_bounds_hold_the_exact_law_of_dense_networks(q, width):
    law = predict(architectures.mlp(width=width), q)
    for d in (12, 3072):
        found = law.bounds(d)
        assert found.lower <= law(d) <= found.upper


@pytest.mark.parametrize("name", ["mlp", "cnn", "convnet-avdim"])
def test_both_bounds_have_the_exponent_of_the_law(name):
    law = predict(architectures.find(name).build(), 1)
    ds = [3 * 64**2, 3 * 128**2]
    found = [law.bounds(d) for d in ds]
    for side in ("lower", "upper"):
        small, large = (getattr(x, side) for x in found)
        assert np.log(large / small) / np.log(4) == pytest.approx(law.slope(ds), abs=0.01)
    assert law.exponent == sp.Rational(1, 2)


def test_no_bounds_where_moments_are_not_known():
    assert predict(architectures.cnn(head="gap"), 1).bounds(768) is None
    assert predict(architectures.mlp(init="orthogonal"), 1).bounds(768) is None
    assert predict(architectures.mlp(), 1, "loss").bounds(768) is None
