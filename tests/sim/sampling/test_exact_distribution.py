"""Simulated dense networks follow the exact law: mean, variance and the whole distribution.

Seeds are fixed. A z-score beyond Z_BOUND has probability 7e-6 under the law, a Kolmogorov-Smirnov
p-value below P_BOUND has probability 1e-5. Each broken law is rejected at the same bounds.
"""

import dataclasses

import numpy as np
import pytest
import sympy as sp
from scipy import stats

from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures, predict
from theory.laws.masked_sum import MaskedSum
from theory.network import LeakyReLU

Z_BOUND = 4.5
P_BOUND = 1e-5
SEEDS = 6000
QS = (1.0, 2.0, float("inf"))

SHAPES = {
    "a width of 3": (4, {"width": (3, 12)}),
    "leaky": (7, {"width": (5, 8), "activation": LeakyReLU(0.2)}),
    "deep and linear": (2, {"width": (9, 6, 7, 5), "activation": "identity"}),
}
"""Image side and options of each network; d = side²."""


def network_of(shape):
    side, options = SHAPES[shape]
    return side, architectures.mlp(channels=1, **options)


@pytest.fixture(scope="module", params=SHAPES)
def measured(request):
    """The name of a shape, its exact law and the norms of SEEDS simulated gradients."""
    side, network = network_of(request.param)
    norms = sample(network, side, range(SEEDS), Draws(("logit",), QS))[:, 0].astype(float)
    return request.param, predict(network).distribution(side**2), norms


def mean_z(law, norms, q):
    """z-score of the mean of the norms, with the law's own standard deviation."""
    error = np.sqrt((law.moment(q, 2) - law.moment(q, 1) ** 2) / len(norms))
    return (norms.mean() - law.moment(q, 1)) / error


def variance_z(law, norms, q):
    """z-score of the variance of the logarithms, with the standard error of the sample."""
    logs = np.log(norms[norms > 0])
    squares = (logs - logs.mean()) ** 2
    return (squares.mean() - law.log_variance(q)) / (squares.std() / np.sqrt(len(logs)))


def p_value(law, norms, q):
    """Kolmogorov-Smirnov test of the norms that are not zero."""
    return stats.kstest(norms[norms > 0], lambda x: law.distribution_function(x, q)).pvalue


@pytest.mark.parametrize("q", QS)
def test_mean(measured, q):
    _, law, norms = measured
    assert abs(mean_z(law, norms[:, QS.index(q)], q)) < Z_BOUND


@pytest.mark.parametrize("q", QS)
def test_variance(measured, q):
    _, law, norms = measured
    assert abs(variance_z(law, norms[:, QS.index(q)], q)) < Z_BOUND


@pytest.mark.parametrize("q", QS)
def test_distribution(measured, q):
    _, law, norms = measured
    assert p_value(law, norms[:, QS.index(q)], q) > P_BOUND


def test_second_moment_has_the_predicted_spread(measured):
    """The variance of ‖∂f‖_2² is known exactly, and so is the z-score of its mean."""
    _, law, norms = measured
    squares = norms[:, 1] ** 2
    error = np.sqrt(float(law.second_norm_moment(2) - law.second_norm_moment(1) ** 2) / SEEDS)
    assert abs((squares.mean() - float(law.second_norm_moment(1))) / error) < Z_BOUND


def test_dead_networks_are_as_frequent_as_predicted(measured):
    _, law, norms = measured
    chance, dead = float(law.dead), np.mean(norms[:, 1] == 0)
    assert abs(dead - chance) <= Z_BOUND * np.sqrt(chance * (1 - chance) / SEEDS)
    if chance > 0:
        forgotten = float(1 - (1 - sp.Rational(1, 2**4)) * (1 - sp.Rational(1, 2**12)))
        assert abs(dead - forgotten) > Z_BOUND * np.sqrt(forgotten / SEEDS)


def with_sums(law, *sums):
    """The law with other hidden layers and the same E‖∂f‖_2²."""
    hidden = [(layer.units, layer.slope) for layer in sums]
    return type(law).of(law.d, hidden, law.second_norm_moment(1))


BROKEN = {
    "a width of 3": lambda law: [
        with_sums(law, MaskedSum(4), MaskedSum(12)),  # one unit more
        with_sums(law, MaskedSum(3, sp.Integer(1)), MaskedSum(12)),  # χ²_n, not χ²_B
        with_sums(law, MaskedSum(3), MaskedSum(12, sp.Integer(1))),
    ],
    "leaky": lambda law: [
        with_sums(law, MaskedSum(5), MaskedSum(8)),  # plain ReLUs
        with_sums(law, MaskedSum(5, sp.Integer(1)), law.hidden[1]),
        with_sums(law, MaskedSum(7, law.hidden[0].slope), law.hidden[1]),
    ],
    "deep and linear": lambda law: [
        with_sums(law, *law.hidden[1:]),  # a layer forgotten
        with_sums(law, *(MaskedSum(x.units) for x in law.hidden)),
        dataclasses.replace(law, scale_squared=law.scale_squared * sp.Rational(5, 4)),
    ],
}


@pytest.mark.parametrize("q", QS)
def test_broken_laws_are_caught(measured, q):
    """Every broken law fails one of the three tests at least, and some law fails each of them."""
    name, law, norms = measured
    values = norms[:, QS.index(q)]
    caught = [
        (
            abs(mean_z(broken, values, q)) > Z_BOUND,
            abs(variance_z(broken, values, q)) > Z_BOUND,
            p_value(broken, values, q) < P_BOUND,
        )
        for broken in BROKEN[name](law)
    ]
    assert all(any(tests) for tests in caught)
    assert all(any(column) for column in zip(*caught, strict=True))
