"""Predictions from traces: which of them are random, and by how much."""

import numpy as np
import pytest

from sim import intervals, predictions
from sim.models import as_own
from sim.trace import prediction
from theory.architectures import ARCHITECTURES
from theory.initializers import Scheme
from theory.network import Dense, Flatten, Network, serial
from theory.tokens import Patches, SelfAttention

SIDES = (4, 8)
HE = Scheme("he").hidden(1)
ATTENTION = Network(
    "attention",
    serial(Patches(2), Dense(8, HE), SelfAttention(2, HE), Flatten(), Dense(3, HE)),
    channels=3,
)
ASKED = (SIDES, ("logit", "loss"), ("1", "inf"))

SINGLE = {
    "mlp": {},
    "cnn": {"head": "gap", "border": "zero"},
    "resnet": {},
    "mlp with smooth activations": {"activation": "gelu"},
    "mlp of random signs": {"init": Scheme("he", "rademacher")},
}


@pytest.fixture
def seeds(monkeypatch):
    """The seeds of the traces that are made."""
    made, traced = [], prediction.traced

    def noted(own, shape, seed=0):
        made.append(seed)
        return traced(own, shape, seed)

    monkeypatch.setattr(prediction, "traced", noted)
    return made


def by_trace(network):
    shapes = [network.input_shape(side) for side in SIDES]
    return predictions._by_trace(as_own(network), shapes, *ASKED[1:])


@pytest.mark.parametrize("name", SINGLE)
def test_a_trace_without_draws_is_made_once_and_has_no_error(name, seeds):
    network = ARCHITECTURES[name.split()[0]].build(width=4, **SINGLE[name])
    found = by_trace(network)
    assert seeds == [0] * len(SIDES)
    assert np.all(found.norm > 0) and np.all(np.isfinite(found.slope))
    assert np.all(found.norm_error == 0) and np.all(found.slope_error == 0)


def test_a_law_has_no_error_and_no_law_none():
    found = predictions.table({8: ARCHITECTURES["mlp"].build(width=8)}, *ASKED)
    assert np.all(found["predicted_error"] == 0) and np.all(found["predicted_slope_error"] == 0)
    batch = ARCHITECTURES["densenet"].build(width=4, depth=1, norm="batch")
    found = predictions.table({4: batch}, *ASKED)
    for name in ("predicted", "predicted_error", "predicted_slope_error"):
        assert np.all(np.isnan(found[name]))


def test_a_trace_with_attention_is_random(seeds):
    """The mean of eight, with the standard errors of norm and slope."""
    found = predictions.of(ATTENTION, *ASKED)
    assert set(seeds) == set(range(predictions.TRACES))
    assert np.all(found.norm_error > 0) and np.all(found.slope_error > 0)
    norms = traced_norms(range(predictions.TRACES))
    np.testing.assert_allclose(found.norm[0, 0], norms.mean(axis=0))
    np.testing.assert_allclose(found.norm_error[0, 0], norms.std(axis=0, ddof=1) / 8**0.5)
    slopes = np.log(norms) @ intervals.slope_weights(3 * np.array(SIDES, float) ** 2)
    assert found.slope[0, 0] == pytest.approx(slopes.mean(), abs=0.01)
    assert found.slope_error[0, 0] == pytest.approx(slopes.std(ddof=1) / 8**0.5, rel=0.1)
    assert np.all(found.basis == "wide")


def test_traces_of_other_seeds_agree_within_their_errors():
    """z of the means of 8 traces each, below 4.5; a prediction 10 % off is caught."""
    found, others = predictions.of(ATTENTION, *ASKED), traced_norms(range(8, 16))
    error = np.hypot(others.std(axis=0, ddof=1) / 8**0.5, found.norm_error[0, 0])
    for factor, agrees in ((1.0, True), (1.1, False)):
        away = np.abs(others.mean(axis=0) - factor * found.norm[0, 0])
        assert np.all(away < 4.5 * error) == agrees


def traced_norms(seeds):
    """E‖∂f_k‖_1 by (seed, size)."""
    own, shapes = as_own(ATTENTION), [ATTENTION.input_shape(side) for side in SIDES]
    return np.array(
        [
            [prediction.norm(prediction.traced(own, shape, seed), 1.0, "logit") for shape in shapes]
            for seed in seeds
        ]
    )
