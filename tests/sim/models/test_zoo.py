"""Public architectures in examples/: logits at several sides, and weights that are drawn."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from examples import convolutional, plain, sequences, zoo
from sim.models import loading

CONSTANT = {"bias", "token"}
"""Matrices and tensors that are zero at first, by name."""


def factories(module):
    """Names of the public functions that a module defines itself."""
    return sorted(
        name
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not name.startswith("_")
    )


NAMES = [name for module in (convolutional, sequences, plain) for name in factories(module)]


def pair_of(name, side):
    (own,) = loading.network(f"examples.zoo:{name}", 3).body.layers
    return loading.pair(own, (side, side, 3))


def constants(init):
    """Names of the weights with several axes that are the same for every key."""
    closed, shapes = jax.make_jaxpr(init, return_shape=True)(jax.random.key(0))
    drawn = set(closed.jaxpr.invars)
    for equation in closed.jaxpr.eqns:
        if any(v in drawn for v in equation.invars if not hasattr(v, "val")):
            drawn.update(equation.outvars)
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    return {
        str(getattr(path[-1], "key", path[-1]))
        for (path, leaf), v in zip(leaves, closed.jaxpr.outvars, strict=True)
        if len(leaf.shape) > 1 and (hasattr(v, "val") or v not in drawn)
    }


def test_the_zoo_is_all_public_functions_of_its_modules():
    assert len(NAMES) == len(set(NAMES)) == 25
    found = {name for name, _ in inspect.getmembers(zoo, inspect.isfunction)}
    assert found == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_architecture_has_ten_logits_and_draws_its_weights(name):
    for side in (16, 32):
        init, apply = pair_of(name, side)
        weights = jax.eval_shape(init, jax.random.key(0))
        logits = jax.eval_shape(apply, weights, jnp.zeros((side, side, 3)))
        assert logits.shape == (10,)
    assert constants(pair_of(name, 16)[0]) <= CONSTANT


def test_weights_that_ignore_their_key_are_found():
    normal = jax.random.normal

    def init(key):
        return {"drawn": normal(key, (2, 2)), "same": normal(jax.random.key(0), (2, 2))}

    assert constants(init) == {"same"}
    assert constants(lambda key: {"zero": jnp.zeros((2, 2))}) == {"zero"}
