"""Decompositions of matrices are computed one at a time, and never wait for each other."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks import rewriting

MATRICES = jax.random.normal(jax.random.key(0), (5, 4, 4))


def in_a_scan(a):
    def step(carry, row):
        q, r = jnp.linalg.qr(a + row)
        return carry + r[0, 0], q

    return jax.lax.scan(step, 0.0, a)


def under_a_condition(a):
    return jax.lax.cond(a[0, 0] > 0, lambda: jnp.linalg.svd(a)[1], lambda: a[0])


def of_a_gradient(a):
    return jax.grad(lambda x: jnp.linalg.solve(x @ x.T + jnp.eye(4), x[:, 0]).sum())(a)


def of_a_model(a):
    def logits(x):
        return jnp.linalg.cholesky(x @ x.T + jnp.eye(4))[-1], jnp.linalg.eigh(x + x.T)[0]

    return jax.jit(jax.vmap(logits))(jnp.stack([a, 2 * a]))


@pytest.mark.parametrize("function", [in_a_scan, under_a_condition, of_a_gradient, of_a_model])
def test_a_batch_is_decomposed_one_matrix_at_a_time(function):
    mapped = jax.vmap(function)
    alone = rewriting.rewritten(mapped)
    assert rewriting.is_rewritten(jax.make_jaxpr(mapped)(MATRICES))
    assert not rewriting.is_rewritten(jax.make_jaxpr(alone)(MATRICES))
    for found, expected in zip(
        jax.tree.leaves(jax.jit(alone)(MATRICES)), jax.tree.leaves(mapped(MATRICES)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_what_decomposes_nothing_stays_the_same_program():
    def function(x):
        return jax.nn.relu(x["a"]) @ x["a"], None

    before = jax.make_jaxpr(function)({"a": MATRICES})
    after = jax.make_jaxpr(rewriting.rewritten(function))({"a": MATRICES})
    assert str(before) == str(after)


ORTHOGONAL = """
import jax, jax.numpy as jnp
from sim.models import loading
from sim.sampling import norms
from sim.sampling.draws import Draws
from theory.network import Network, serial

def orthogonal(shape):
    d = shape[0] * shape[1] * shape[2]
    draw = jax.nn.initializers.orthogonal()

    def init(key):
        keys = jax.random.split(key, 4)
        return [draw(keys[0], (d, 64)), *[draw(k, (64, 64)) for k in keys[1:]]]

    def apply(weights, x):
        x = x.ravel()
        for w in weights:
            x = jax.nn.relu(x @ w)
        return x

    return init, apply

network = Network("mine", serial(loading.Own("mine", orthogonal)), 3)
draws = Draws(("loss",), (1.0,))
print(norms.sweep(network, (4, 8), range(32), draws, batch=1).shape)
"""


def test_sampling_orthogonal_weights_in_several_threads_comes_to_an_end():
    # takes about ten seconds; without `rewriting` it hangs in nearly every run
    command = [sys.executable, "-c", ORTHOGONAL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "(2, 32, 1, 1)"
