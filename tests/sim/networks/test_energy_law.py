"""E‖∂f‖_2² = Πκ, by z-score, for every layer, border and initializer; broken twins are caught.

Seeds are fixed. A z-score beyond Z_BOUND has probability 7e-6 in each test of a true law.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp

from sim.networks import layers
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from theory import architectures, predict
from theory.initializers import SCHEMES, Scheme
from theory.laws.energy import gain, logit_energy_map
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    LeakyReLU,
    Network,
    ReLU,
    concat,
    residual,
    serial,
)
from theory.tokens import MixPositions, Patches

Z_BOUND = 4.5
SEEDS = 8000
HE = Scheme("he").hidden(sp.Rational(1, 2))
LINEAR = Scheme("lecun").last()


def squares(network, side=4, seeds=SEEDS, broken=None, output=lambda logits: logits[0]):
    """‖∂ output/∂x‖² at a Gaussian input for every seed; `broken` is simulated instead."""
    body = (broken or network).body
    shape = network.input_shape(side)

    def one(key):
        weights_key, input_key = jax.random.split(key)
        weights = layers.init(body, weights_key, shape)
        x = jax.random.normal(input_key, shape)
        return jnp.sum(jax.grad(lambda x: output(layers.apply(body, weights, x)))(x) ** 2)

    keys = jax.random.split(jax.random.key(11), seeds)
    return np.asarray(jax.jit(lambda k: jax.lax.map(one, k, batch_size=500))(keys), float)


def z_score(network, measured, side=4):
    expected = logit_energy_map(network.body, network.input_shape(side)).sum()
    return (measured.mean() - expected) / (measured.std() / np.sqrt(len(measured)))


def classifier(*body):
    return Network("test", serial(*body, Flatten(), Dense(3, LINEAR)), channels=2)


# One network for each layer, chosen so that the law is exact: no activation sits between shared
# kernels and a pool, and every activation sees symmetric pre-activations.
SINGLE = {
    "dense": classifier(Flatten(), Dense(6, HE)),
    "conv circular": classifier(Conv(6, HE)),
    "conv zero": classifier(Conv(6, HE, border="zero")),
    "conv reflect": classifier(Conv(6, HE, border="reflect")),
    "conv strided": classifier(Conv(6, HE, stride=2)),
    "conv dilated": classifier(Conv(6, HE, dilation=2, border="zero")),
    "conv even kernel": classifier(Conv(6, HE, kernel=2, border="zero")),
    "two zero borders": classifier(Conv(6, HE, border="zero"), Conv(6, HE, border="zero")),
    "relu": classifier(Conv(6, HE), ReLU()),
    "leaky relu": classifier(Conv(6, HE), LeakyReLU(0.3)),
    "identity": classifier(Conv(6, HE), Identity()),
    "average pool": classifier(Conv(6, HE), AvgPool(2)),
    "global average": classifier(Conv(6, HE), GlobalAvgPool()),
    "residual": classifier(residual(serial(Conv(4, HE), ReLU(), Conv(2, HE)))),
    "concatenation": classifier(concat(Conv(4, HE), Conv(4, LINEAR, kernel=1))),
    "patches": classifier(Patches(2), Dense(6, HE), ReLU()),
    "growing patches": classifier(Patches(tokens=16), Dense(6, HE)),
    "positions": classifier(Patches(2), MixPositions(HE)),
    "projection": classifier(residual(Conv(4, HE, stride=2), Conv(4, HE, kernel=1, stride=2))),
}


@pytest.mark.parametrize("name", SINGLE)
def test_every_layer(name):
    assert abs(z_score(SINGLE[name], squares(SINGLE[name]))) < Z_BOUND


@pytest.mark.parametrize("init", SCHEMES)
def test_every_initializer(init):
    network = architectures.mlp(width=(9, 7), channels=2, classes=4, init=init)
    assert abs(z_score(network, squares(network))) < Z_BOUND
    assert gain(network.body, network.input_shape(4)) == pytest.approx(
        logit_energy_map(network.body, network.input_shape(4)).sum()
    )


@pytest.mark.parametrize("distribution", ["uniform", "truncated-normal", "rademacher"])
def test_every_distribution(distribution):
    network = architectures.mlp(width=(9, 7), channels=2, init=Scheme("he", distribution))
    assert abs(z_score(network, squares(network))) < Z_BOUND


def _replace(network, old, new):
    body = serial(*(new(x) if isinstance(x, old) else x for x in network.body.layers))
    return dataclasses.replace(network, body=body)


TWINS = {
    "gain 1 for 2": lambda n: _replace(n, Dense, lambda x: dataclasses.replace(x, init=LINEAR)),
    "fan-out for fan-in": lambda n: _replace(
        n,
        Dense,
        lambda x: dataclasses.replace(x, init=Scheme("he-fan-out").hidden(sp.Rational(1, 2))),
    ),
    "forgotten mask": lambda n: _replace(n, ReLU, lambda x: Identity()),
    "leaky instead of plain": lambda n: _replace(n, ReLU, lambda x: LeakyReLU(0.3)),
}


@pytest.mark.parametrize("twin", TWINS)
def test_broken_twins_are_caught(twin):
    network = architectures.mlp(width=(9, 7), channels=2)
    measured = squares(network, broken=TWINS[twin](network))
    assert abs(z_score(network, measured)) > Z_BOUND


def test_a_concatenation_taken_for_a_sum_is_caught():
    network, broken = (
        classifier(join(Conv(4, HE), Conv(4, LINEAR, kernel=1))) for join in (concat, residual)
    )
    assert abs(z_score(network, squares(network, broken=broken))) > Z_BOUND


def test_a_gradient_of_the_wrong_thing_is_caught():
    network = architectures.mlp(width=(9, 7), channels=2)
    wrong = squares(network, output=lambda logits: jax.nn.log_softmax(logits)[0])
    assert abs(z_score(network, wrong)) > Z_BOUND


@pytest.mark.parametrize(
    ("widths", "activation"),
    [((3,), "relu"), ((3, 20, 5), "relu"), ((6, 4), "leaky-relu"), ((5, 9), "identity")],
)
def test_exact_finite_width_law(widths, activation):
    """E‖∂f_k‖_q of dense networks with Gaussian weights, constant included, at widths down to 3."""
    orders = (1.0, 2.0, 3.0, float("inf"))

    def described(wider=0):
        own = tuple(w + wider for w in widths)
        return architectures.mlp(width=own, channels=1, activation=activation)

    samples = sample(described(), 4, range(SEEDS), Draws(("logit",), orders))
    for q, norms in zip(orders, samples[:, 0].T, strict=True):
        error = norms.std() / np.sqrt(SEEDS)
        assert abs(norms.mean() - predict(described(), q)(16)) < Z_BOUND * error, q
        if widths == (3,):
            twin = predict(described(wider=1), q)(16)
            assert abs(norms.mean() - twin) > Z_BOUND * error, q
