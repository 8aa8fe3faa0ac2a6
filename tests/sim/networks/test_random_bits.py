"""Random numbers in blocks are those of JAX, to the last bit."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.networks import random_bits, weights

SHAPES = [(), (1,), (2,), (5,), (3, 7), (4097,), (2, 3, 1500)]

AS_USUAL = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}
"""XLA's own options. Where they are others, what is made of the words rounds by where it stands."""


def compiled(draw: Callable[[jax.Array], jax.Array], key: jax.Array) -> jax.Array:
    return jax.jit(draw).lower(key).compile(AS_USUAL)(key)


@pytest.mark.parametrize("name", weights.SAMPLERS)
@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_bit_for_bit(name: str, x64: bool) -> None:
    sampler = weights.SAMPLERS[name]
    with jax.enable_x64(x64):
        key = jax.random.fold_in(jax.random.key(3), 1)
        for shape in SHAPES:
            drawn = compiled(partial(random_bits.draw, sampler, shape=shape), key)
            assert drawn.dtype == jax.dtypes.canonicalize_dtype(float)
            np.testing.assert_array_equal(drawn, compiled(partial(sampler, shape=shape), key))


def test_mapped_over_keys_and_compiled() -> None:
    keys = jax.random.split(jax.random.key(1), 3)
    drawn = jax.jit(jax.vmap(lambda key: random_bits.draw(jax.random.bits, key, (9001,))))(keys)
    plain = jax.vmap(lambda key: jax.random.bits(key, (9001,)))(keys)
    np.testing.assert_array_equal(drawn, plain)


def test_other_generators_are_left_to_jax() -> None:
    key = jax.random.key(0, impl="rbg")
    drawn = random_bits.draw(jax.random.normal, key, (10,))
    np.testing.assert_array_equal(drawn, jax.random.normal(key, (10,)))


KNOWN = [
    ("00000000 00000000", "00000000 00000000", "6b200159 99ba4efe"),
    ("ffffffff ffffffff", "ffffffff ffffffff", "1cb996fc bb002be7"),
    ("13198a2e 03707344", "243f6a88 85a308d3", "c4923a9c 483df7a0"),
]
"""Keys, counters and words: known answers of the generator's authors (Random123)."""


def words(text: str) -> list[jax.Array]:
    return [jnp.uint32(int(word, 16)) for word in text.split()]


def answers() -> list[bool]:
    found = [random_bits._cipher(*words(key), *words(counter)) for key, counter, _ in KNOWN]
    return [
        [int(word) for word in pair] == [int(word) for word in words(answer)]
        for pair, (_, _, answer) in zip(found, KNOWN, strict=True)
    ]


def test_known_answers() -> None:
    assert all(answers())


def test_twin_with_one_wrong_rotation_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_bits, "ROTATIONS", ((13, 15, 26, 6), (17, 29, 16, 25)))
    assert not any(answers())
