"""Comparisons of measurement and prediction that have random networks in common."""

import numpy as np
import pytest

from sim.statistics import estimates, intervals

DS = np.array([192.0, 768.0, 3072.0, 12288.0])


def paired(rng, repeats, seeds, networks, correlation=0.95, spread=0.4):
    """Log-normal norms with means 3 √d, and others with means 2.5 d^0.4 of the first or more seeds.

    By (repeat, seed, size), NaN where one of the two lacks the seed.
    """
    shape = (repeats, max(seeds, networks), len(DS))
    common = (rng.standard_normal((*shape[:2], 1)) + rng.standard_normal(shape)) / 2**0.5
    common *= correlation**0.5
    noises = (common + rng.standard_normal(shape) * (1 - correlation) ** 0.5 for _ in range(2))
    first, second = (np.exp(spread * noise - spread**2 / 2) for noise in noises)
    first[:, seeds:], second[:, networks:] = np.nan, np.nan
    return 3 * DS**0.5 * first, 2.5 * DS**0.4 * second


def apart(norms, others, compared):
    """The twin that takes the two for independent."""
    nothing = np.full_like(norms, np.nan)
    joined = [np.concatenate(x, axis=1) for x in ((norms, nothing), (nothing, others))]
    return compared(*joined)


def without_the_prediction(norms, others, compared):
    """The twin that takes the prediction for known."""
    known = np.broadcast_to(np.nanmean(others, axis=1, keepdims=True), others.shape)
    return compared(norms, known)


COMPARED = {
    "ratio": (
        lambda a, b, together=1: intervals.log_ratio(a[..., 0], b[..., 0], together),
        np.log(1.2 * DS[0] ** 0.1),
    ),
    "exponent": (
        lambda a, b, together=1: intervals.exponent_difference(a, b, DS, together),
        0.1,
    ),
}


def covered(found, true):
    half = intervals.quantile(estimates.LEVEL, found.degrees) * found.error
    return np.mean(np.abs(found.value - true) <= half)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(
    ("seeds", "networks"), [(64, 64), (128, 32), (48, 24), (200, 16), (32, 64)]
)
def test_paired_comparisons_cover_as_often_as_they_say(name, seeds, networks):
    """95 % ± 1.5 %: 4000 repetitions have a standard error of 0.34 %.

    With few networks in the prediction, the twin that forgets its error covers too seldom.
    """
    compared, true = COMPARED[name]
    norms, others = paired(np.random.default_rng([seeds, networks]), 4000, seeds, networks)
    found = compared(norms, others)
    assert 0.935 <= covered(found, true) <= 0.965
    if seeds > 2 * networks:
        assert covered(without_the_prediction(norms, others, compared), true) < 0.9


@pytest.mark.parametrize("name", COMPARED)
def test_common_seeds_make_a_comparison_sharper(name):
    """The twin that ignores them has intervals that are too wide: it nearly always covers."""
    compared, true = COMPARED[name]
    norms, others = paired(np.random.default_rng(0), 1000, 64, 64, correlation=0.95)
    found, twin = compared(norms, others), apart(norms, others, compared)
    assert np.median(twin.error / found.error) > 1.4
    assert covered(found, true) <= 0.97
    assert covered(twin, true) > 0.985
    np.testing.assert_allclose(twin.value, found.value)


def in_pairs(rng, repeats, seeds, networks, spread=0.2):
    """As `paired`, where seeds 2i and 2i + 1 have each other's weights as copies.

    The weights of a seed change the forward pass and the backward pass by the same factor, which
    is the worst that can happen: two counterfactual networks of a pair have equal norms.
    """
    pairs = max(seeds, networks) // 2
    noise = 0.9 * rng.standard_normal((repeats, pairs, 2, 1))
    noise = spread * (noise + 0.19**0.5 * rng.standard_normal((repeats, pairs, 2, len(DS))))
    own = spread * rng.standard_normal(noise.shape)  # the network as it is differs by more
    norms = np.exp(2 * noise + own - 2.5 * spread**2).reshape(repeats, -1, len(DS))
    others = np.exp(noise + noise[:, :, ::-1] - spread**2).reshape(repeats, -1, len(DS))
    norms[:, seeds:], others[:, networks:] = np.nan, np.nan
    return 3 * DS**0.5 * norms, 2.5 * DS**0.4 * others


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(("seeds", "networks"), [(128, 128), (200, 32), (64, 200), (101, 64)])
def test_networks_that_are_each_other_s_copies_count_as_one(name, seeds, networks):
    """95 % ± 1.5 %; the twin that takes them for independent is caught where they decide."""
    compared, true = COMPARED[name]
    norms, others = in_pairs(np.random.default_rng([seeds, networks]), 4000, seeds, networks)
    assert 0.935 <= covered(compared(norms, others, 2), true) <= 0.965
    if seeds > 2 * networks:
        assert covered(compared(norms, others, 1), true) < 0.91


def test_as_many_degrees_of_freedom_as_pairs():
    norms, others = in_pairs(np.random.default_rng(0), 3, 40, 40)
    for compared, _ in COMPARED.values():
        np.testing.assert_allclose(compared(norms, others, 2).degrees, 19)
    assert np.isnan(estimates.paired_ratio(norms[0, :2, 0], others[0, :2, 0], 2).standard_error)
