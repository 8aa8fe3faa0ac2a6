"""What networks are trained on, against other formulas for the same."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.attacks import losses
from sim.networks import layers
from sim.networks.batch_norm import RunningBatchNorm, apply_batch, with_batch_norm, with_statistics
from sim.networks.gradients import norm
from sim.training import regularizers
from sim.training.configuration import INTERVENTIONS, ORDINARY, REGULARIZERS
from sim.training.regularizers import Batch
from theory.architectures import convnet_avdim
from theory.initializers import Scheme
from theory.network import Dense, Flatten, Network, serial

INF = float("inf")
PLAIN = convnet_avdim(width=3, depth=2, classes=3, channels=1, pool_after=(1,))
NORMED = with_batch_norm(PLAIN)
KEY = jax.random.key(0)


def batch(net, count=5, side=8, dtype=jnp.float32):
    xs = jax.random.normal(jax.random.key(1), (count, side, side, net.channels), dtype)
    weights = layers.init(net.body, jax.random.key(2), net.input_shape(side))
    return jax.tree.map(lambda w: w.astype(dtype), weights), xs, jnp.arange(count) % 3


def gradient_and_value(loss, net, strength=0.3, steps=3, **options):
    weights, xs, labels = batch(net, **options)

    def value(weights):
        return loss(net.body, weights, Batch(xs, labels, KEY, strength, steps))[0]

    return jax.jit(jax.value_and_grad(value))(weights)


def of_one(loss, p, strength=0.3):
    weights, xs, labels = batch(PLAIN)
    size = strength * 64 ** (1 / p)

    def value(weights):
        each = jax.vmap(lambda x, y: loss(PLAIN.body, weights, x, y, p, size))(xs, labels)
        return each.mean()

    return jax.jit(jax.value_and_grad(value))(weights)


def losses_of(names, net, weights, xs, labels, strength, steps):
    """The losses of these regularizers, compiled together."""
    chosen = [regularizers.LOSSES[name] for name in names]

    def values(weights, xs):
        given = Batch(xs, labels, KEY, strength, steps)
        return [f(net.body, weights, given)[0] for f in chosen]

    return [float(value) for value in jax.jit(values)(weights, xs)]


def close(found, wanted, rtol=1e-4):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-5)


@pytest.mark.parametrize("p", [2.0, INF])
def test_without_batch_norm_they_are_the_losses_of_single_inputs(p):
    close(
        gradient_and_value(partial(regularizers.penalized, p), PLAIN), of_one(losses.penalized, p)
    )
    close(
        gradient_and_value(partial(regularizers.single_step, p), PLAIN),
        of_one(losses.augmented, p),
    )


def test_a_penalty_in_the_wrong_norm_is_noticed():
    with pytest.raises(AssertionError):
        close(
            gradient_and_value(partial(regularizers.penalized, 2.0), PLAIN),
            of_one(losses.penalized, INF),
        )


@pytest.mark.parametrize("name", ["penalty-l1", "penalty-l2", "cross-lipschitz"])
def test_derivatives_of_penalties_are_finite_differences(name):
    """Batch normalization included, in float64; activations do not switch within the step."""
    loss = regularizers.LOSSES[name]
    with jax.enable_x64(True):
        weights, xs, labels = batch(NORMED, dtype=jnp.float64)
        along = jax.tree.map(lambda w: jax.random.normal(KEY, w.shape, w.dtype), weights)

        def value(t):
            moved = jax.tree.map(lambda w, v: w + t * v, weights, along)
            return loss(NORMED.body, moved, Batch(xs, labels, KEY, 0.3, 1))[0]

        step, (slope_at, at) = 1e-6, (jax.jit(f) for f in (jax.grad(value), value))
        difference = (at(step) - at(-step)) / (2 * step)
        assert float(slope_at(0.0)) == pytest.approx(float(difference), rel=1e-5)


@pytest.mark.parametrize("side", [8, 16])
def test_penalties_weigh_the_dual_norm_for_a_fixed_change_per_pixel(side):
    """½ ε d^{1 − 1/q} mean ‖∂_x L‖_q, the norm from `sim.networks.gradients`; d = side²."""
    weights, xs, labels = batch(NORMED, side=side)
    names = ("ordinary", "penalty-l1", "penalty-l2")
    ordinary, *found = losses_of(names, NORMED, weights, xs, labels, 0.3, 1)

    @jax.jit
    def norms(xs):
        def total(xs):
            logits, _ = apply_batch(NORMED.body, weights, xs)
            return -jax.nn.log_softmax(logits)[jnp.arange(len(xs)), labels].sum()

        gradients = jax.grad(total)(xs)
        return [jax.vmap(lambda g, q=q: norm(g, q))(gradients).mean() for q in (1.0, 2.0)]

    for q, with_penalty, mean in zip((1.0, 2.0), found, norms(xs), strict=True):
        expected = 0.15 * (side**2) ** (1 - 1 / q) * float(mean)
        assert with_penalty - ordinary == pytest.approx(expected, rel=1e-3)


def test_augmentation_is_a_penalty_to_first_order():
    """Proposition 3 with batch statistics: increases of the loss tend to the penalty's.

    Projected ascent in ℓ_∞ goes 4/3 ε from a uniform start: the mean coordinate ends at 8/9 ε.
    """
    names = ("ordinary", "penalty-l1", "step-linf", "pgd-linf", "penalty-l2", "step-l2", "pgd-l2")
    with jax.enable_x64(True):
        weights, xs, labels = batch(NORMED, dtype=jnp.float64)
        ordinary, *found = losses_of(names, NORMED, weights, xs, labels, 1e-3, 20)
    added = np.array(found).reshape(2, 3) - ordinary
    ratios = added / added[:, :1]
    np.testing.assert_allclose(ratios[:, 1], 1, atol=0.05)
    assert ratios[0, 2] == pytest.approx(8 / 9, abs=0.05)
    assert 0.8 < ratios[1, 2] < 1.05


def test_pgd_finds_the_worst_attack_on_a_linear_network(monkeypatch):
    """Two classes, w = w_1 − w_0, margin m: the worst loss is log(1 + e^{ε‖w‖₁ − m}).

    Steps that go 2.5 ε in all reach it from everywhere.
    """
    monkeypatch.setattr(regularizers, "PGD_REACH", 2.5)
    scheme = Scheme("he")
    net = Network("linear", serial(Flatten(), Dense(2, scheme.last())), 1)
    weights, xs, labels = batch(net, count=4, side=4)
    labels, size = labels % 2, 0.2
    (found,) = losses_of(("pgd-linf",), net, weights, xs, labels, size, 10)
    w = weights[1][:, 1] - weights[1][:, 0]
    margins = (2 * labels - 1) * (xs.reshape(4, -1) @ w)
    clean, worst = (jnp.log1p(jnp.exp(m - margins)) for m in (0.0, size * jnp.abs(w).sum()))
    assert found == pytest.approx(float((clean + worst).mean() / 2), rel=1e-5)


def test_the_cross_lipschitz_penalty_is_right_in_the_mean(monkeypatch):
    """Over all signs, against the Jacobian: ½ ε² d / K² Σ_kl ‖∂f_k − ∂f_l‖²."""
    weights, xs, labels = batch(PLAIN, count=1)
    (ordinary,) = losses_of(("ordinary",), PLAIN, weights, xs, labels, 0.3, 1)

    def added(signs):
        monkeypatch.setattr(jax.random, "rademacher", lambda *_: signs[None])
        given = Batch(xs, labels, KEY, 0.3, 1)
        return regularizers.cross_lipschitz(PLAIN.body, weights, given)[0] - ordinary

    found = jax.jit(jax.vmap(added))(jnp.array(list(product((-1.0, 1.0), repeat=3))))
    jacobian = jax.jit(jax.jacrev(lambda x: layers.apply(PLAIN.body, weights, x)))(xs[0])
    between = jacobian[:, None] - jacobian[None]
    expected = 0.5 * 0.3**2 * 64 / 9 * jnp.sum(between**2)
    assert float(np.mean(found)) == pytest.approx(float(expected), rel=1e-4)


def test_training_normalizes_with_the_batch_and_not_with_running_statistics():
    """The scale of a convolution before it does not matter; with running statistics it does."""
    weights, xs, _ = batch(NORMED)
    larger = (7 * weights[0], *weights[1:])

    def running(body, weights, xs):
        return jax.vmap(lambda x: layers.apply(body, weights, x))(xs), weights

    for apply, same in ((apply_batch, True), (running, False)):
        logits = jax.jit(lambda w, apply=apply: apply(NORMED.body, w, xs)[0])
        one, other = logits(weights), logits(larger)
        assert np.allclose(one, other, rtol=1e-3, atol=1e-3) is same


def test_running_statistics_become_those_of_the_data():
    weights, xs, _ = batch(NORMED)

    @jax.jit
    def moved(weights):
        return with_statistics(NORMED.body, weights, apply_batch(NORMED.body, weights, xs)[1])

    for _ in range(200):
        weights = moved(weights)
    trained, _ = apply_batch(NORMED.body, weights, xs)
    evaluated = jax.vmap(lambda x: layers.apply(NORMED.body, weights, x))(xs)
    np.testing.assert_allclose(trained, evaluated, rtol=1e-4, atol=1e-4)


def test_every_name_of_a_training_has_its_loss():
    assert list(regularizers.LOSSES) == [ORDINARY, *REGULARIZERS, *INTERVENTIONS]


def test_before_training_batch_norm_changes_nothing():
    weights, xs, _ = batch(NORMED)
    kept = [layer for layer in NORMED.body.layers if not isinstance(layer, RunningBatchNorm)]
    assert kept == list(PLAIN.body.layers)
    bare = tuple(
        w
        for layer, w in zip(NORMED.body.layers, weights, strict=True)
        if not isinstance(layer, RunningBatchNorm)
    )
    for x in xs:
        np.testing.assert_allclose(
            layers.apply(NORMED.body, weights, x), layers.apply(PLAIN.body, bare, x), rtol=1e-5
        )
