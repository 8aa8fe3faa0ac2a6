"""Digests tell apart what computes something else, and nothing more."""

import jax
import jax.numpy as jnp
import pytest

from sim import digest

X = jax.ShapeDtypeStruct((3,), jnp.float32)
TABLE = jnp.arange(3.0)


def original(x):
    return jnp.sum(jax.nn.relu(x) * TABLE) + 2 * x[0]


@jax.custom_vjp
def twice(x):
    return 2 * x


twice.defvjp(lambda x: (2 * x, None), lambda _, g: (3 * g,))

OTHERS = {
    "a constant": lambda x: jnp.sum(jax.nn.relu(x) * TABLE) + 3 * x[0],
    "a table": lambda x: jnp.sum(jax.nn.relu(x) * TABLE[::-1]) + 2 * x[0],
    "an activation": lambda x: jnp.sum(jax.nn.gelu(x) * TABLE) + 2 * x[0],
    "an index": lambda x: jnp.sum(jax.nn.relu(x) * TABLE) + 2 * x[1],
    "a gradient": lambda x: jnp.sum(jax.nn.relu(x) * TABLE) + twice(x[0]),
}


def of(function):
    return digest.of(jax.value_and_grad(function), X)


def test_names_and_comments_do_not_matter():
    table = TABLE + 0

    def renamed(values):  # with a comment
        total = jnp.sum(jax.nn.relu(values) * table)
        return total + 2 * values[0]

    assert of(renamed) == of(original)


@pytest.mark.parametrize("name", OTHERS)
def test_what_computes_something_else_has_another_digest(name):
    assert of(OTHERS[name]) != of(original)


def test_other_shapes_are_other_computations():
    assert digest.of(jnp.sum, X) != digest.of(jnp.sum, jax.ShapeDtypeStruct((4,), jnp.float32))
