"""Sampled gradient independence: against the exact law, and paired with the measurement."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.independence import sampling
from sim.models.loading import Own
from sim.networks import layers
from sim.sampling import norms
from sim.sampling.draws import Draws
from theory import architectures, predict
from theory.network import Network, serial

DRAWS = Draws(("logit", "loss"), (1.0, 2.0))
MLP = architectures.find("mlp").build(width=16, depth=2)
SIDE = 4


def away_from_the_law():
    """z of the mean ‖∂f_k‖_2 of a dense network, whose law is exact and whose masks are coins."""
    norms = sampling.sample(MLP, (SIDE,), DRAWS, 256).norms[:, 0, 0, 1]
    law = predict(MLP, 2, "logit")(3 * SIDE**2)
    return (norms.mean() - law) / (norms.std(ddof=1) / len(norms) ** 0.5)


def test_dense_networks_have_their_exact_law():
    """|z| < 4."""
    assert abs(away_from_the_law()) < 4


def test_copies_of_the_wrong_variance_are_caught(monkeypatch):
    """He's variance over the other fan, in every layer: |z| > 4."""
    right = sampling.counterfactual

    def wrong(apply_model, weights, copies, random, backward, closed):
        copies = jax.tree.map(lambda w: 1.1 * w, copies)
        return right(apply_model, weights, copies, random, backward, closed=closed)

    monkeypatch.setattr(sampling, "counterfactual", wrong)
    assert abs(away_from_the_law()) > 4


def test_seeds_are_those_of_the_measurement(monkeypatch):
    """Copies that are the weights give the measured norms, seed by seed."""
    draws = replace(DRAWS, quantities=("loss",), lazy=False, inputs_per_seed=2)
    measured = norms.sample(MLP, SIDE, range(8), draws)

    def uncopied(apply_model, weights, copies, random, backward, closed):
        return lambda x: apply_model(weights, x)

    monkeypatch.setattr(sampling, "counterfactual", uncopied)
    monkeypatch.setattr(sampling, "LABELS", 1)
    found = sampling.sample(MLP, (SIDE,), draws, 8).norms[:, 0]
    np.testing.assert_allclose(found[:8], measured, rtol=1e-5)


def test_more_seeds_begin_with_the_same_ones():
    few, many = (sampling.sample(MLP, (SIDE,), DRAWS, count).norms for count in (8, 40))
    np.testing.assert_allclose(few, many[: len(few)], rtol=1e-5)


def test_the_error_is_half_of_the_measurement_s():
    """As far as a pilot of 32 networks tells: below 0.65 of it."""
    draws = replace(DRAWS, quantities=("logit",), lazy=False)
    measured = norms.sample(MLP, SIDE, range(128), draws)[:, 0, 0]
    found = sampling.sample(MLP, (SIDE,), draws, 128).norms[:, 0, 0, 0]
    error, other = (x.std(ddof=1) / x.mean() / len(x) ** 0.5 for x in (found, measured))
    assert error < 0.65 * other


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes(classes):
    network = architectures.find("mlp").build(width=8, classes=classes)
    assert np.isfinite(sampling.sample(network, (2,), DRAWS, 4).norms).all()


def test_batches_share_their_statistics():
    """Batch norm of one image: the gradient of an image sees the others of its batch."""
    network = architectures.find("cnn").build(width=4, depth=1, norm="batch")
    draws = replace(DRAWS, inputs_per_seed=4, quantities=("logit",))
    norms = sampling.sample(network, (SIDE,), draws, 4).norms
    assert np.isfinite(norms).all() and (norms > 0).all()


def test_what_stays_coupled_is_told():
    @jax.custom_vjp
    def layer(w, x):
        return jnp.tanh(x @ w)

    layer.defvjp(lambda w, x: (layer(w, x), (w, x)), lambda saved, g: (saved[0], g @ saved[0].T))

    def factory(shape):
        d = int(np.prod(shape))
        return (
            lambda key: (jax.random.normal(key, (d, d)) / d, jax.random.normal(key, (d, 3))),
            lambda w, x: layer(w[1], x.ravel() @ w[0]),
        )

    network = Network("own", serial(Own("own", factory)), 3)
    (sentence,) = sampling.sample(network, (2,), DRAWS, 4).coupled
    assert "jax.custom_vjp" in sentence

    def hidden(shape):
        init, _ = factory(shape)
        return init, lambda w, x: layer(w[1], x.ravel())

    # its prediction would be its measurement
    with pytest.raises(sampling.NotDecoupledError, match=r"no weight can be copied: test_sampling"):
        sampling.sample(Network("own", serial(Own("own", hidden)), 3), (2,), DRAWS, 4)


WIDE = {
    "cnn": {}, "resnet": {}, "resnet-preact": {}, "densenet": {"width": 64}, "convnet-avdim": {},
    "mlp": {}, "mlp gelu": {"activation": "gelu"}, "cnn tanh": {"activation": "tanh"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", WIDE)
def test_wide_laws_are_gradient_independence(name):
    """Within 2 % and four standard errors, each below 1 %, at width 256."""
    architecture = architectures.find(name.split()[0])
    network = architecture.build(**{"width": 256} | WIDE[name])
    side = min(architecture.sizes)
    draws = replace(DRAWS, quantities=("logit",), norms=(1.0,))
    norms = sampling.sample(network, (side,), draws, 128).norms[:, 0, 0, 0]
    error = norms.std(ddof=1) / norms.mean() / len(norms) ** 0.5
    assert error < 0.01
    law = predict(network, 1, "logit")(3 * side**2)
    assert abs(norms.mean() / law - 1) < 0.02 + 4 * error


def test_layers_keep_their_values():
    """The forward pass of the counterfactual network is that of the network, to the last bit."""
    network = architectures.find("resnet").build(width=4)
    init, apply_model = sampling.initializer(network, SIDE), sampling.batched(network)
    weights, copies = init(jax.random.key(0)), init(jax.random.key(1))
    xs = jax.random.normal(jax.random.key(2), (2, *network.input_shape(SIDE)))
    _, random = sampling.initialized(init)
    run = sampling.counterfactual(apply_model, weights, copies, random)
    np.testing.assert_array_equal(jax.jit(run)(xs), jax.jit(apply_model)(weights, xs))
    assert layers.apply(network.body, weights, xs[0]).shape == (10,)


def test_weights_over_positions_are_no_copies():
    """A wider network has no more of them, so that gradients at large width depend on them, too."""
    network = architectures.find("mlp-mixer").build(width=8, depth=1)
    found = sampling.reading(network, 16, 1)
    weights = jax.tree.leaves(layers.init(network.body, jax.random.key(0), (16, 16, 3)))
    coupled = [w.shape for w, copied in zip(weights, found.random, strict=True) if not copied]
    assert coupled == [(16, 16), (16, 16)] and len(weights) > 2
    assert all(sampling.reading(MLP, SIDE, 1).random)  # twin
