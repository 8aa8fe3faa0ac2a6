"""Weights drawn on the host: by their own code, once a key, whatever is mapped or traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.independence.counterfactual import initialized
from sim.models import digest, host, loading
from sim.sampling import norms, seeds
from sim.sampling.draws import Draws
from theory.network import Network, serial


def draw(side, scale=1.0):
    """Arrays of a linear network and of one more layer, each from random numbers of its own."""

    def of_seed(seed):
        first, second = (np.random.default_rng([seed, i]) for i in range(2))
        d = 3 * side**2
        return {
            "first": (scale * first.normal(size=(d, 8)) / d**0.5).astype(np.float32),
            "second": second.normal(size=(8, 4)).astype(np.float32),
            "bias": np.zeros(4, np.float32),
        }

    return of_seed


def factory(shape):
    def apply(weights, x):
        return x.ravel() @ weights["first"] @ weights["second"] + weights["bias"]

    return host.initializer(draw(shape[0])), apply


def network(of=factory):
    return Network("mine", serial(loading.Own("mine", of)), 3)


def test_an_initializer_draws_what_the_code_draws():
    init = host.initializer(draw(2))
    key = jax.random.key(5)
    expected = draw(2)(host.seed_of(jax.random.key_data(key)))
    for found in (init(key), jax.jit(init)(key)):
        assert set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)


def test_mapped_keys_draw_as_each_of_them_does():
    init = host.initializer(draw(2))
    keys = jax.random.split(jax.random.key(0), 4).reshape(2, 2)
    found = jax.jit(jax.vmap(jax.vmap(init)))(keys)
    for i, j in np.ndindex(2, 2):
        np.testing.assert_array_equal(found["first"][i, j], init(keys[i, j])["first"])
    assert len(np.unique(np.asarray(found["first"]))) == found["first"].size


def test_what_two_draws_have_in_common_is_a_constant():
    init = host.initializer(draw(2))
    names = sorted(jax.eval_shape(init, jax.random.key(0)))
    assert dict(zip(names, initialized(init)[1], strict=True)) == {
        "bias": False,
        "first": True,
        "second": True,
    }


def test_code_that_no_seed_decides_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(loading.ModelError, match="gives other weights each time"):
        host.initializer(lambda seed: {"w": generator.normal(size=3)})


def test_sides_share_what_they_draw_alike():
    draws = Draws(("logit",), (2.0,))
    found = seeds.shared(network(), (2, 4), draws)
    assert {str(path[-1].key) for path in found} == {"bias", "second"}


def test_digests_tell_how_weights_are_drawn():
    key = jax.eval_shape(lambda: jax.random.key(0))

    def of(*arguments):
        return digest.of(host.initializer(draw(*arguments)), key)

    assert of(2) == of(2)
    assert len({of(2), of(2, 1.1), of(3)}) == 3


@pytest.mark.parametrize("scale", [1.0, 1.1])
def test_norms_of_sampled_networks_are_those_of_a_loop(scale):
    # ‖∂f_0‖₂ of a linear network in closed form, for the weights of the seed's own key
    side, count = 2, 6
    draws = Draws(("logit",), (2.0,))
    found = norms.sample(network(), side, range(count), draws, batch=1)[:, 0, 0]

    def loop(seed):
        key, _, _ = seeds.keys(0, jnp.int32(seed))
        of_layer = jax.random.key_data(jax.random.fold_in(key, 0))
        weights = draw(side, scale)(host.seed_of(of_layer))
        return np.linalg.norm(weights["first"] @ weights["second"][:, 0])

    expected = [loop(seed) for seed in range(count)]
    assert np.allclose(found, expected, rtol=1e-5) == (scale == 1.0)
