"""Two seeds that have each other's weights, and what a measurement and its prediction both draw."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from sim.models import loading
from sim.sampling import engine, traced
from sim.sampling.draws import Draws
from theory.network import Network, serial

DRAWS = Draws(("logit",), (2.0,))
SIDES = (2, 4)


def factory(shape):
    """A matrix that follows the side, and one that all sides share."""
    d = shape[0] * shape[1] * shape[2]

    def init(key):
        first, last = jax.random.split(key)
        return {"own": jax.random.normal(first, (d, 3)), "shared": jax.random.normal(last, (3, 2))}

    return init, lambda w, x: jax.nn.relu(x.ravel() @ w["own"]) @ w["shared"]


NETWORK = Network("mine", serial(loading.Own("mine", factory)), 3)


def told(weights, xs, labels, others):
    """A number of each of a seed's matrices, of those beside them, and of its input."""
    first = [jnp.stack([w["own"][0, 0], w["shared"][0, 0]]) for w in (weights[0], others[0])]
    return *first, xs[0, 0, 0, 0]


def alone(weights, xs, labels, key):
    return told(weights, xs, labels, weights)


def samples(paired, measure, seeds=range(20)):
    run = engine.sampler(NETWORK, SIDES, DRAWS, lambda side: measure, 20, 0, paired=paired)
    return run(seeds)


def test_seeds_of_a_pair_have_each_other_s_weights():
    by_side, single = samples(True, told), samples(False, alone)
    for (own, others, x), (weights, _, same) in zip(by_side, single, strict=True):
        np.testing.assert_array_equal(own, weights)
        np.testing.assert_array_equal(x, same)
        np.testing.assert_array_equal(others[::2], weights[1::2])
        np.testing.assert_array_equal(others[1::2], weights[::2])
        assert len(np.unique(weights)) == weights.size


def test_pairs_do_not_depend_on_which_others_are_asked_for():
    whole, some = samples(True, told), samples(True, told, [8, 9, 4, 5])
    for one, other in zip(whole, some, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a[[8, 9, 4, 5]], b)


def test_weights_are_compiled_once_for_a_measurement_and_its_prediction():
    """A sampler compiles its draws and a function for each side, another one only the latter."""
    compiled = []

    def counted(name, function, arguments, compile):
        compiled.append(arguments)
        return compile(function.lower(*arguments))

    with mock.patch.object(traced, "compiled", counted):
        engine.once.cache_clear()
        samples(False, alone)
        assert len(compiled) == 1 + len(SIDES)
        samples(True, told)
        assert len(compiled) == 1 + 2 * len(SIDES)
