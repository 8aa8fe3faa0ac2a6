"""The audit: what it measures is the gradient, what holds passes, and what is broken is named."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from sim import audit, audit_report, audited, findings, layers, models, montecarlo, taps
from sim.audit import Config
from sim.trace import live
from sim.trace.squared import squared
from theory import architectures
from theory.network import Network, serial

DRAWS = montecarlo.Draws(quantities=("logit",), norms=(2.0,), lazy=False)


def audit_of(network, side, reading, seeds=64, sizes=2):
    """Findings for one size, twice; `reading` is understood, whatever the network is."""
    raw = montecarlo.measured(network, side, range(seeds), DRAWS, reading.measure)
    found = [reading.understood(raw)] * sizes
    config = audit.complete(Config(arch="mlp", sizes=(side, 2 * side)[:sizes]))
    return findings.of(audit.labelled(config, found))


def test_energies_at_the_input_are_those_of_the_gradient():
    network = architectures.resnet(width=4, depth=2)
    shape = network.input_shape(8)
    weights = layers.init(network.body, jax.random.key(0), shape)
    x, key = jax.random.normal(jax.random.key(1), shape), jax.random.key(2)
    found = taps.measure(network.body, weights, x, key)
    signs = jax.random.rademacher(key, (10,)) / 10**0.5
    g = jax.grad(lambda x: signs @ layers.apply(network.body, weights, x))(x)
    np.testing.assert_allclose(found["gradient"], g, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found["energies"][0][0], jnp.sum(g**2, axis=-1), rtol=1e-4)
    names = [type(place.layer).__name__ for place in taps.places(network.body, shape)]
    assert names[:4] == ["Conv", "ReLU", "Residual", "Conv"]


def model():
    """A residual network without convolutions, a smooth and a positive activation."""

    def init(key):
        a, b, c = jax.random.split(key, 3)
        draw = jax.nn.initializers.he_normal()
        return draw(a, (48, 16)), draw(b, (16, 16)), draw(c, (16, 3))

    def apply(w, x):
        z = x.ravel() @ w[0]
        z = z + jax.nn.silu(z) @ w[1]
        return jax.nn.relu(z) @ w[2]

    return init, apply


def test_a_model_run_with_taps_is_the_model():
    init, apply = model()
    network = squared(init, apply, (4, 4, 3))
    weights, key = init(jax.random.key(0)), jax.random.key(2)
    x = jax.random.normal(jax.random.key(1), (4, 4, 3))
    found = live.measure(network, weights, x, key)
    signs = jax.random.rademacher(key, (3,)) / 3**0.5
    g = jax.grad(lambda x: signs @ apply(weights, x))(x)
    np.testing.assert_allclose(found["gradient"], g, rtol=1e-4, atol=1e-6)
    # behind the last weights are the logits, whose gradient has mean square 1/classes
    assert float(found["energies"][-1]) == pytest.approx(1, rel=1e-5)


def test_where_the_law_holds_no_layer_differs_and_a_wrong_initialization_is_named():
    right = architectures.mlp(width=32, depth=2)
    found = audit_of(right, 4, audited.reading(right, 4))
    assert not any(layer.differs for layer in found.layers)
    assert not found.reasons
    assert "no gap" in findings.sentence(found)

    twin = architectures.mlp(width=32, depth=2, init="he-fan-out")
    found = audit_of(twin, 4, audited.reading(right, 4))
    first, *others = [layer for layer in found.layers if layer.kind == "weights"]
    assert first.differs  # 48 inputs, 32 units
    assert first.measured.value == pytest.approx(3, rel=0.05)
    assert not others[0].differs  # as many inputs as units


def test_max_pooling_and_activated_streams_are_named():
    pooled = architectures.convnet_avdim(width=4, depth=1, pooling="max", border="circular")
    found = audit_of(pooled, 4, audited.reading(pooled, 4))
    assert list(found.reasons) == [audited.MAX_POOLING]
    assert found.reasons[audited.MAX_POOLING].value > 1.5

    network = architectures.resnet(width=8, depth=1)
    by_paper = audited.Described(network, network.input_shape(4))
    by_paper.resolved = network.body  # half of the units active, whatever they read
    found = audit_of(network, 4, by_paper, seeds=128)
    assert list(found.reasons) == [audited.POST_ACTIVATION]
    assert audited.POST_ACTIVATION in findings.sentence(found)


@pytest.mark.parametrize(("head", "named"), [("gap", [audited.SHARED_KERNELS]), ("dense", [])])
def test_an_average_over_shared_kernels_is_named_where_there_is_one(head, named):
    network = architectures.cnn(width=4, depth=3, head=head)
    found = audit_of(network, 8, audited.reading(network, 8), seeds=1536)
    assert list(found.reasons) == named
    if named:
        low, high = found.reasons[audited.SHARED_KERNELS].interval
        assert low > 1.1
        # nothing is left over
        assert low < found.total[-1].value < high


def pooled_model(shape):
    """A convolutional model of nothing but jax with a global average."""
    he = jax.nn.initializers.he_normal()

    def init(key):
        a, b, c = jax.random.split(key, 3)
        return he(a, (3, 3, 3, 4)), he(b, (3, 3, 4, 4)), he(c, (4, 3))

    def apply(w, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        for kernel in w[:2]:
            x = jax.lax.conv_general_dilated(
                x[None], kernel, (1, 1), "SAME", dimension_numbers=numbers
            )[0]
            x = jax.nn.relu(x)
        return x.mean(axis=(0, 1)) @ w[2]

    return init, apply


def test_an_average_over_shared_kernels_is_named_in_a_model_too():
    network = Network("pooled", serial(models.Own("pooled", pooled_model)), 3)
    found = audit_of(network, 8, audited.reading(network, 8), seeds=512)
    assert list(found.reasons) == [audited.SHARED_KERNELS]
    assert found.reasons[audited.SHARED_KERNELS].interval[0] > 1.1


def test_a_node_that_says_something_at_one_size_is_a_row_at_all():
    init, _ = model()

    def apply(w, x):
        return jax.nn.relu(2 * (x.ravel() @ w[0])) @ w[1] @ w[2]

    network = Network("scaled", serial(models.Own("scaled", lambda shape: (init, apply))), 3)
    reading = audited.reading(network, 4)
    found = reading.understood(montecarlo.measured(network, 4, range(16), DRAWS, reading.measure))
    hidden = dataclasses.replace(found, shown=np.zeros_like(found.shown))
    config = audit.complete(Config(arch="mlp", sizes=(4, 8)))
    both = audit.labelled(config, [found, hidden])
    assert both.sizes["row"] == int(np.sum(found.shown))
    assert both["name"].values[0] == "0: weights"
    assert audit.labelled(config, [hidden, hidden]).sizes["row"] == 0


@pytest.fixture(scope="module")
def of_a_model():
    config = Config(model="examples.models:plain_mlp", sizes=(4, 8), seeds=256)
    return audit.run(config)


def test_a_model_is_audited_by_its_trace(of_a_model, tmp_path):
    found = findings.of(of_a_model)
    kinds = [layer.kind for layer in found.layers]
    assert kinds == ["weights", "activation", "weights", "activation", "weights"]
    assert all(layer.where.startswith("models.py:") for layer in found.layers)
    assert not any(layer.differs for layer in found.layers)
    result = json.loads(audit_report.to_json(of_a_model, found))
    assert result["sentence"].startswith("examples.models:plain_mlp: at side 8, ")
    assert len(result["layers"]) == 5
    picture = tmp_path / "audit.png"
    audit_report.deliver(of_a_model, None, str(picture))
    assert picture.stat().st_size > 10_000


def test_a_gap_that_grows_with_d_makes_the_exponent_unsafe(of_a_model):
    growing = of_a_model.copy()
    growing["energy"] = growing["energy"] * xr.DataArray([1.0, 2.0], dims="size")
    assert findings.of(growing).safe is False
    assert findings.of(growing).exponent.value == pytest.approx(0.25, abs=0.05)


def test_correlated_weights_are_found(of_a_model):
    twin = of_a_model.copy()
    twin["node"] = twin["node"] * 2
    assert all(estimate.z > 3.5 for *_, estimate in findings.of(twin).correlations)
    assert all(abs(e.z) < 4.5 for *_, e in findings.of(of_a_model).correlations)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arch": "mlp", "widths": (8, 16)}, "an audit is of one width, not of 2"),
        ({"arch": "mlp", "model": "a:b"}, "choose --arch mlp or --model a:b, not both"),
        ({"arch": "mlp", "sizes": (8,)}, "two sizes or more"),
    ],
)
def test_bad_input_is_one_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        audit.check(Config(**options))
