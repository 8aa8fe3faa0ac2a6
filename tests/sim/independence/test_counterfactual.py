"""The backward pass with copied weights, against networks that are written with both by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.independence import interpretation
from sim.independence.backward import Backward, Reading
from sim.independence.counterfactual import counterfactual, initialized, read
from tests.sim.independence.models import (
    MODELS,
    SIDE,
    both,
    branches,
    dense,
    flat,
    init,
    matmul,
    plain,
    scan_of_constants,
    scan_over_layers,
)


def pulled(function, x):
    """The logits, and the gradient of a random combination of them."""
    logits, pull = jax.vjp(function, x)
    cotangent = jax.random.normal(jax.random.key(5), logits.shape, logits.dtype)
    return logits, pull(cotangent)[0]


def by_oracle(model, weights, copies, x):
    pairs = {name: (weights[name], copies[name]) for name in weights}
    return pulled(partial(model, both, pairs), x)


ALL_COPIES = Backward()


def by_reading(model, weights, copies, x, backward=ALL_COPIES):
    everything = [True] * len(weights)
    return pulled(counterfactual(partial(model, plain), weights, copies, everything, backward), x)


WEIGHTS, COPIES = init(jax.random.key(0)), init(jax.random.key(1))
X = jax.random.normal(jax.random.key(2), (2, SIDE, SIDE, 3))


def is_close(one, other):
    """To the rounding of float32."""
    return all(
        bool(jnp.allclose(a, b, rtol=1e-4, atol=1e-4 * float(jnp.abs(b).max())))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_backward_pass_uses_copies(name):
    model = MODELS[name]
    found = by_reading(model, WEIGHTS, COPIES, X)
    assert is_close(found, by_oracle(model, WEIGHTS, COPIES, X))
    _, gradient = pulled(partial(model, plain, WEIGHTS), X)
    assert not is_close([found[1]], [gradient])
    assert not read(partial(model, plain), WEIGHTS, X, [True] * len(WEIGHTS)).coupled


@pytest.mark.parametrize("name", MODELS)
def test_copies_that_are_the_weights_give_the_gradient(name):
    found = by_reading(MODELS[name], WEIGHTS, WEIGHTS, X)
    assert is_close(found, pulled(partial(MODELS[name], plain, WEIGHTS), X))


@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"branches"}))
def test_the_last_weights_need_no_copy(name):
    model, everything = MODELS[name], [True] * len(WEIGHTS)
    head = read(partial(model, plain), WEIGHTS, X, everything).head
    found = by_reading(model, WEIGHTS, COPIES, X, Backward(head=head))
    own = COPIES | {name: WEIGHTS[name] for name in ("out", "head")}
    assert is_close(found, by_oracle(model, WEIGHTS, own, X))
    assert not is_close(found, by_oracle(model, WEIGHTS, COPIES, X))


def test_last_weights_that_others_may_read_are_copied():
    def autoencoder(w, x):
        h = jax.nn.relu(flat(x) @ w["in"])
        return h @ w["in"].T

    def recurrent(w, x):
        h, _ = jax.lax.scan(lambda h, _: (jnp.tanh(h @ w["square"]), None), flat(x) @ w["in"],
                            length=2)  # fmt: skip
        return h @ w["square"]

    # the branches are given all weights, and are not looked into for those that they read
    for model in (autoencoder, recurrent, partial(branches, plain)):
        assert read(model, WEIGHTS, X, [True] * len(WEIGHTS)).head is None


def test_a_forgotten_copy_in_a_scan_is_caught(monkeypatch):
    monkeypatch.setattr(interpretation.Interpretation, "scan", interpretation.Interpretation.plain)
    for model in (scan_of_constants, scan_over_layers):
        found = by_reading(model, WEIGHTS, COPIES, X)
        assert not is_close(found, by_oracle(model, WEIGHTS, COPIES, X))


def test_masks_of_the_copies_are_caught():
    """What would be the gradient of the network with weights W′."""
    _, gradient = pulled(partial(dense, plain, COPIES), X)
    assert not is_close([gradient], [by_oracle(dense, WEIGHTS, COPIES, X)[1]])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_weights_of_half_precision(dtype):
    weights, copies = (init(jax.random.key(seed), dtype) for seed in (0, 1))
    x = X.astype(dtype)
    for (one, other), tolerance in zip(
        zip(
            by_reading(dense, weights, copies, x), by_oracle(dense, weights, copies, x), strict=True
        ),
        (0.05, 0.1),
        strict=True,
    ):
        assert one.dtype == dtype
        scale = float(jnp.abs(other).max())
        np.testing.assert_allclose(
            np.asarray(one, float), np.asarray(other, float), atol=tolerance * scale
        )


def test_a_backward_pass_that_is_not_linear_stays_coupled_and_is_named():
    @jax.custom_vjp
    def layer(w, h):
        return jax.nn.relu(h @ w)

    def forward(w, h):
        return layer(w, h), (w, h)

    def backward(saved, g):
        w, h = saved
        g = g * (h @ w > 0)
        return h.T @ g, g @ w.T

    layer.defvjp(forward, backward)

    def model(use, w, x):
        return use(matmul, w["out"], layer(w["in"], flat(x)))

    found = read(partial(model, plain), WEIGHTS, X, [True] * len(WEIGHTS))
    (sentence,) = found.coupled
    assert sentence.startswith("test_counterfactual.py:")
    assert "jax.custom_vjp" in sentence
    half = {**COPIES, "in": WEIGHTS["in"]}
    assert is_close(by_reading(model, WEIGHTS, COPIES, X), by_reading(model, WEIGHTS, half, X))


def test_weights_that_are_not_random_are_their_own_copies():
    def some(key):
        return {"random": jax.random.normal(key, (3,)), "zeros": jnp.zeros(3), "ones": jnp.ones(3)}

    assert initialized(some)[1] == [False, True, False]  # by name
    found = read(
        lambda w, x: x * w["random"] * w["ones"], some(jax.random.key(0)), X, [False, True, False]
    )
    assert len(found.places) == 1


def test_from_a_place_on():
    """Places below the first one keep their weights: between the gradient and all copies."""
    for first, copied in ((0, ("in", "out")), (1, ("out",)), (2, ())):
        mixed = {**WEIGHTS, **{name: COPIES[name] for name in copied}}
        expected = by_reading(dense, WEIGHTS, mixed, X)
        assert is_close(by_reading(dense, WEIGHTS, COPIES, X, Backward(first)), expected)
        traced = Backward(jnp.array(first))
        assert is_close(by_reading(dense, WEIGHTS, COPIES, X, traced), expected)


@pytest.mark.parametrize(
    ("name", "is_rectified"),
    [("dense", True), ("compiled", False), ("grouped", True), ("remat", False)],
)
def test_masks_are_coins_from_a_place_on(name, is_rectified):
    model, key = MODELS[name], jax.random.key(3)
    everything = [True] * len(WEIGHTS)
    found = read(partial(model, plain), WEIGHTS, X, everything, masks=True)
    assert found.is_rectified == is_rectified
    count = len(found.places)
    kept = by_reading(model, WEIGHTS, COPIES, X, Backward(0, count, key))
    assert is_close(kept, by_reading(model, WEIGHTS, COPIES, X))
    tossed = by_reading(model, WEIGHTS, COPIES, X, Backward(0, 0, key))
    assert is_close([tossed[1]], [kept[1]]) == (not any(p.kind == "mask" for p in found.places))


def test_leaky_relus_have_masks_too():
    def model(w, x):
        return jax.nn.leaky_relu(flat(x) @ w["in"], 0.1) @ w["out"]

    found = read(model, WEIGHTS, X, [True] * len(WEIGHTS), masks=True)
    assert [place.kind for place in found.places] == ["weights", "mask", "weights"]
    assert found.is_rectified


def test_taps_tell_of_energies():
    """Of a dense network: in front of the first matrix is the input gradient."""
    model, count = partial(dense, plain), 3
    everything, key = [True] * len(WEIGHTS), jax.random.key(3)

    def run(x, taps):
        backward = Backward(count, count, key, taps)
        return counterfactual(model, WEIGHTS, COPIES, everything, backward)(x)

    logits, pull = jax.vjp(run, X, jnp.zeros((count, 4)))
    cotangent = jnp.ones_like(logits)
    gradient, told = pull(cotangent)
    hidden = flat(X) @ WEIGHTS["in"]
    first, mask, last = np.asarray(told)
    behind = cotangent @ WEIGHTS["out"].T
    np.testing.assert_allclose(last[:2], [jnp.sum(cotangent**2), jnp.sum(behind**2)], rtol=1e-5)
    passed = jnp.where(hidden > 0, behind, 0)
    np.testing.assert_allclose(
        mask, [jnp.sum(behind**2), jnp.sum(passed**2), jnp.mean(hidden > 0), 1], rtol=1e-5
    )
    np.testing.assert_allclose(first[:2], [jnp.sum(passed**2), jnp.sum(gradient**2)], rtol=1e-5)


def test_nothing_is_read_where_there_are_no_weights():
    found = Reading()
    run = counterfactual(lambda w, x: x.sum(axis=(1, 2)), {}, {}, [], reading=found)
    assert run(X).shape == (2, 3)
    assert found.places == []
