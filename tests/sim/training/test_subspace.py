"""The data's subspace: what training leaves alone off it, exactly, and what it does not."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from studies import CONFIG, invented

from sim.sampling import datasets
from sim.training import enlarged, growth, subspace, trainer
from sim.training.configuration import BEFORE, check, completed
from sim.training.growth import Quantity

SIDE, OWN = 16, 8
RECIPE = trainer.Recipe(
    network=trainer.network("digits", SIDE, 12, 2, "mlp"), side=SIDE, seed=0,
    regularizer="ordinary", epochs=2, batch=32, learning_rate=3.0, pgd_steps=2, optimizer="sgd",
)  # fmt: skip
STEPS = 2 * (128 // 32)


@pytest.fixture(scope="module")
def images():
    return datasets.digits().training.first(128).standardized()


def off(state):
    """The first layer off the subspace, of the first seed."""
    weights = state[0][1][0]
    rows = weights.T.reshape(-1, SIDE, SIDE, 1)
    return np.asarray(rows - jnp.stack([subspace.projected(row, OWN) for row in rows]))


def trained(recipe, images, strength=0.0):
    state = trainer.start(recipe, 1, strength)
    first = state
    for number in range(recipe.epochs):
        state, _ = trainer.epoch(recipe, state, images, number, strength)
    return first, state


def test_the_parts_are_orthogonal_and_add_up():
    image = jax.random.normal(jax.random.key(0), (SIDE, SIDE, 3))
    on, left = subspace.parts(image, OWN)
    np.testing.assert_allclose(on + left, image, atol=1e-6)
    assert abs(jnp.sum(on * left)) < 1e-4
    np.testing.assert_allclose(subspace.projected(on, OWN), on, atol=1e-6)
    copies = enlarged.copied(image[None, :OWN, :OWN], SIDE)[0]
    np.testing.assert_allclose(subspace.projected(copies, OWN), copies, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_on_copies_leaves_the_first_layer_alone_off_them(optimizer, images):
    """Up to rounding: 1e-5 of the largest weight, while the weights move by more than 2 %."""
    rate = 3.0 if optimizer == "sgd" else 1e-3
    recipe = replace(RECIPE, optimizer=optimizer, learning_rate=rate)
    first, last = trained(recipe, images)
    size = np.abs(off(first)).max()
    assert np.abs(off(last) - off(first)).max() < 1e-5 * size
    moved = last[0][1] - first[0][1]
    assert jnp.linalg.norm(moved) > 0.02 * jnp.linalg.norm(first[0][1])


def test_attacks_leave_the_subspace_and_change_the_first_layer_there(images):
    first, last = trained(replace(RECIPE, regularizer="pgd-linf"), images, 0.1)
    assert np.abs(off(last) - off(first)).max() > 1e-3 * np.abs(off(first)).max()


def test_weight_decay_shrinks_what_is_off_by_a_known_factor(images):
    first, last = trained(replace(RECIPE, regularizer="weight-decay"), images, 0.05)
    rates = [optax.cosine_decay_schedule(3.0, STEPS)(i) for i in range(STEPS)]
    factor = np.prod([1 - 0.05 * float(rate) for rate in rates])
    assert factor < 0.7
    np.testing.assert_allclose(off(last), factor * off(first), atol=1e-5)


def test_starts_are_changed_as_asked(images):
    plain = trainer.start(RECIPE, 1)
    small = trainer.start(replace(RECIPE, regularizer="small-start"), 1, 0.25)
    np.testing.assert_allclose(small[0][1], plain[0][1] / 4)
    np.testing.assert_array_equal(small[0][3], plain[0][3])
    first, last = trained(replace(RECIPE, regularizer="zero-off"), images)
    size = np.abs(off(plain)).max()
    assert max(np.abs(off(state)).max() for state in (first, last)) < 1e-5 * size


def test_measured_parts_are_those_of_the_gradient(images):
    state = trainer.start(RECIPE, 2)
    found = trainer.measured(RECIPE, state[0], images.first(20))
    assert found.parts.shape == (2, 2, 3)
    assert np.all(found.parts[..., 0].sum(axis=1) >= found.norm[:, 0])  # triangle inequality
    small = replace(RECIPE, network=trainer.network("digits", OWN, 12, 2, "mlp"), side=OWN)
    found = trainer.measured(small, trainer.start(small, 2)[0], images.first(20))
    np.testing.assert_allclose(found.parts[:, 0], found.norm, rtol=1e-5)
    assert np.isnan(found.parts[:, 1]).all()


def test_what_is_predicted_of_the_parts():
    """√(m/d) and √(1 − m/d) of the law at first; after training only of dense networks."""
    there = np.array([False, True, True])
    samples = invented(replace(CONFIG, network="mlp"))
    on, left = Quantity("on", "1"), Quantity("off", "1")
    ds = np.array([64.0, 256.0, 1024.0])
    assert growth.predicted_part(samples, BEFORE, on, there | True) == pytest.approx(0, abs=1e-3)
    slope = 0.5 + np.log(np.sqrt((1 - 64 / ds[2]) / (1 - 64 / ds[1]))) / np.log(4)
    for training in (BEFORE, "ordinary", "small-start:0.1", "weight-decay:1"):
        found = growth.predicted_part(samples, training, left, there)
        assert found == pytest.approx(slope, abs=1e-3)
        of_margin = growth.predicted_part(samples, training, Quantity("margin-off", "1"), there)
        assert of_margin == found
    assert growth.predicted_part(samples, "ordinary", on, there) == 0
    filled = invented(replace(CONFIG, network="mlp", detail=2.0))  # the data leave the subspace
    assert growth.predicted_part(filled, "ordinary", left, there) is None
    assert growth.predicted_part(filled, BEFORE, left, there) == pytest.approx(slope, abs=1e-3)
    assert growth.predicted_part(samples, "pgd-linf:0.1", left, there) is None
    convolutional = invented()
    assert growth.predicted_part(convolutional, "ordinary", left, there) is None


def test_configurations_of_dense_networks():
    config = completed(replace(CONFIG, network="mlp"))
    assert (config.optimizer, config.learning_rate) == ("sgd", 3.0)
    check(replace(CONFIG, network="mlp", trainings=("ordinary", "zero-off", "weight-decay:0.1")))
    for wrong, message in (
        (replace(CONFIG, trainings=("zero-off",)), "zero-off needs --network mlp"),
        (replace(CONFIG, network="cnn"), "network"),
        (replace(CONFIG, optimizer="rmsprop"), "optimizer"),
        (replace(CONFIG, trainings=("weight-decay",)), "needs a positive strength"),
    ):
        with pytest.raises(ValueError, match=message):
            check(wrong)
