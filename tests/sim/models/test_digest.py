"""Digests tell apart what computes something else, and nothing more."""

import jax
import jax.numpy as jnp
import pytest

from sim.models import digest

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


def outputs(key):
    first, second = jax.random.split(key)
    return {"a": jax.random.normal(first, (2,)), "b": 2 * jax.jit(jax.random.uniform)(second)}


def changed(key):
    first, second = jax.random.split(key)
    extra = jax.random.normal(key, (7,)).sum()
    return {"a": jax.random.normal(first, (2,)), "b": 3 * jax.random.uniform(second), "c": extra}


def test_each_output_has_the_digest_of_what_it_is_computed_from():
    key = jax.eval_shape(lambda: jax.random.key(0))
    first, second = digest.of_outputs(outputs, key)
    same, other, extra = digest.of_outputs(changed, key)
    assert first == same
    assert len({first, second, other, extra}) == 4
    inlined = digest.of_outputs(jax.jit(outputs), key)
    assert inlined == [first, second]


@pytest.mark.parametrize("name", OTHERS)
def test_an_output_that_computes_something_else_has_another_digest(name):
    assert digest.of_outputs(OTHERS[name], X) != digest.of_outputs(original, X)


def test_outputs_know_which_argument_they_read_and_which_of_several_results():
    one, other = digest.of_outputs(lambda x, y: (x + 1, y + 1), X, X)
    assert one != other
    low, high = digest.of_outputs(lambda x: jax.lax.top_k(x, 2), X)
    assert low != high
