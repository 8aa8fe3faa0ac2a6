"""Samples that are all zero or not finite come with the reason."""

import jax
import jax.numpy as jnp
import pytest

from sim.models import loading
from sim.sampling.diagnosis import why_degenerate
from sim.sampling.draws import Draws
from sim.scaling.configuration import Config
from sim.scaling.experiment import run
from sim.scaling.remarks import remarks
from sim.scaling.report import Report
from theory import architectures
from theory.network import Network, serial

DRAWS = Draws(("loss",), (1.0,))


def model(change=lambda weights: weights, of_logits=lambda logits: logits):
    """A network with a hidden layer whose biases are zero, and weights as `change` leaves them."""

    def factory(shape):
        d = shape[0] * shape[1] * shape[2]

        def init(key):
            first, last = jax.random.split(key)
            weights = {
                "hidden": {"bias": jnp.zeros(32), "kernel": jax.random.normal(first, (d, 32))},
                "last": {"bias": jnp.zeros(4), "kernel": jax.random.normal(last, (32, 4)) / d},
            }
            return change(weights)

        def apply(weights, x):
            hidden, last = weights["hidden"], weights["last"]
            x = jax.nn.relu(x.ravel() @ hidden["kernel"] + hidden["bias"])
            return of_logits(x @ last["kernel"] + last["bias"])

        return init, apply

    return Network("mine", serial(loading.Own("mine", factory)), 3)


def last_zero(weights):
    return weights | {"last": jax.tree.map(jnp.zeros_like, weights["last"])}


def kernels_zero(weights):
    return jax.tree.map(jnp.zeros_like, weights)


def not_finite(weights):
    return weights | {"hidden": weights["hidden"] | {"bias": jnp.full(32, jnp.nan)}}


def asleep(weights):
    return weights | {"hidden": weights["hidden"] | {"bias": jnp.full(32, -1e6)}}


REASONS = {
    "a zero head": (model(last_zero), "the weights last/kernel (32×4) are zero"),
    "weights": (model(not_finite), "the weights hidden/bias (32) are not finite"),
    "logits": (model(of_logits=lambda x: x / jnp.zeros(())), "the logits are not finite"),
    "gradient": (
        model(of_logits=lambda x: jnp.sqrt(0 * x)),
        "the gradient is not finite, though the logits are",
    ),
    "softmax": (
        model(of_logits=lambda x: jnp.array([1e4, 0, 0, 0]) + x),
        "the softmax of the logits is saturated",
    ),
    "no unit": (model(asleep), None),
    "as usual": (model(), None),
    "described": (architectures.cnn(width=4, norm="batch"), None),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_what_was_done_to_the_network(name):
    net, expected = REASONS[name]
    found = why_degenerate(net, 4, DRAWS)
    assert (found is None) if expected is None else (found is not None and expected in found)


def test_several_matrices_of_zeros_are_all_named():
    found = why_degenerate(model(kernels_zero), 2, DRAWS)
    assert found is not None
    assert "hidden/kernel (12×32) are zero" in found
    assert "last/kernel (32×4) are zero" in found


def test_the_report_names_the_reason_and_claims_no_other(monkeypatch):
    monkeypatch.setattr(loading, "network", lambda *_: model(last_zero))
    config = Config(model="mine:model", sizes=(2, 4), seeds=4, norms=("1",), input="gaussian")
    said = " ".join(remark.text for remark in remarks(Report.of(run(config))))
    assert "8 of 8 samples are zero; the means include them." in said
    assert "at side 2, the weights last/kernel (32×4) are zero." in said
    assert "no unit active" not in said
