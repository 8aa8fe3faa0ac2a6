"""Intervals that hold however often a run was looked at."""

import math

import numpy as np
import pytest
from scipy import stats

from sim.calibration import peeking
from sim.calibration.coverage import truth
from sim.statistics import anytime, estimates, numbers
from sim.statistics.anytime import FIXED, Looks
from sim.statistics.finite import ratio
from sim.statistics.verdicts import agrees, mean_agrees

ALPHAS = (0.05, 0.01, 0.01 / 18)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_it_is_where_the_mixture_of_likelihoods_reaches_one_over_alpha(alpha):
    """Robbins: ∫ exp(λS − λ²n/2) dN(0, ρ²)(λ) = exp(ρ²S²/(2(nρ² + 1)))/√(nρ² + 1), at S = c√n."""
    first = 100
    rho = math.sqrt(anytime.mixture(alpha) / first)
    for n in (10, 100, 5000):
        sum_of_terms = anytime.half_width(alpha, n, first) * math.sqrt(n)
        scaled = n * rho**2 + 1
        martingale = math.exp(rho**2 * sum_of_terms**2 / (2 * scaled)) / math.sqrt(scaled)
        assert martingale == pytest.approx(1 / alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_it_is_narrowest_at_the_first_look(alpha):
    u = anytime.mixture(alpha)
    assert u == pytest.approx(math.log1p(u) - 2 * math.log(alpha))
    there = anytime.half_width(alpha, 64, 64)
    assert there == pytest.approx(math.sqrt(1 + u))
    assert all(anytime.half_width(alpha, n, 64) > there for n in (16, 60, 68, 1000))


def test_a_fixed_sample_has_its_level_unchanged():
    assert FIXED.level(0.01, 100) == 0.01
    assert Looks.of([]) == FIXED
    assert Looks.of([256, 128]) == Looks(128)
    slope = estimates.slope_of(0.5, 0.01, 100, 99)
    assert FIXED.beside(slope) == slope
    assert slope.valid == slope.interval


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_level_is_the_chance_of_a_normal_variate_beyond_it(alpha):
    found = Looks(50).level(alpha, 200)
    assert found < alpha
    assert stats.norm.isf(found / 2) == pytest.approx(anytime.half_width(alpha, 200, 50))


def test_every_estimate_has_its_own_method_at_another_level():
    rows = np.random.default_rng(0).gamma(2, size=(200, 3))
    several = (
        estimates.exponent(rows, np.array([1.0, 2.0, 4.0])),
        estimates.mean(rows[:, 0]),
        estimates.paired_ratio(rows[:, 0], rows[:, 1]),
        ratio(rows[:, 0], rows[:, 1]),
    )
    for found in several:
        assert found.at(0.95) == pytest.approx(found.interval)
        looked = Looks(100).beside(found)
        assert looked.valid == looked.any_time
        assert looked.any_time[0] < found.interval[0] < found.interval[1] < looked.any_time[1]
        assert looked.interval == found.interval
        assert 1.4 < (looked.any_time[1] - looked.any_time[0]) / (2 * found.half_width) < 2
        assert " (" in numbers.estimated(looked)
        assert " ([" in numbers.ranged(looked)


def test_verdicts_use_it():
    slope = estimates.slope_of(0.5, 0.01, 1000, 999)
    assert not agrees(slope, 0.5 + 0.03, 1)
    assert agrees(slope, 0.5 + 0.03, 1, Looks(500))
    assert not agrees(slope, 0.5 + 0.06, 1, Looks(500))
    mean = estimates.mean(1 + 0.03 + np.tile([-1.0, 1.0], 5000))
    assert not mean_agrees(mean, 1.0, 1)
    assert mean_agrees(mean, 1.0, 1, Looks(500))


def shares(looks: int = 20, replicates: int = 400) -> np.ndarray:
    """Of analysts whose intervals always cover, and who never see a false alarm.

    By (exponent, mean, no alarm; fixed, any time).
    """
    known = truth("mild")
    norms = known.sample(np.random.default_rng(1), replicates, 32 * looks)
    found = peeking.look(known, norms, 32).mean(axis=2)
    found[2] = 1 - found[2]
    return found


def test_an_analyst_who_looks_twenty_times_is_covered():
    """z < 3.3 below 95 and 99 %; the interval of a fixed sample, the broken twin, is caught."""
    found = shares()
    stated = np.array([0.95, 0.95, 0.99])
    error = np.sqrt(stated * (1 - stated) / 400)
    assert np.all(found[:, 1] > stated - 3.3 * error)
    assert np.all(found[:, 0] < stated - 3.3 * error)
    assert np.all(found[:2, 0] < 0.85)
