"""Proposition 3: the augmented and the penalized loss differ in second order."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from sim import penalty
from sim.penalty import Config, check, differences, run
from sim.penalty.report import to_json
from sim.statistics import estimates
from sim.statistics.finite import ratio

QUICK = Config(width=16, seeds=4, epochs=1)


@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_the_difference_is_of_second_order(p):
    """Bound: 4 standard errors; the penalty of another norm leaves first order."""
    eps = np.array(QUICK.eps)
    order = estimates.exponent(differences(QUICK, p), eps)
    assert abs(order.value - 2) < 4 * order.standard_error + 1e-3
    wrong = estimates.exponent(differences(QUICK, p, q=3.0), eps)
    assert wrong.value == pytest.approx(1, abs=0.01)


def test_both_losses_train_to_the_same_norms():
    """Where clean training leaves larger ones; bound: 4 standard errors."""
    config = Config(attack_norms=("2",), width=16, seeds=8, epochs=2, train_eps=0.01)
    clean, augmented, penalized = (
        penalty.trained(config, loss)[:, 0] for loss in ("clean", "augmented", "penalized")
    )
    same = ratio(augmented, penalized)
    assert abs(same.value - 1) < 4 * same.standard_error
    assert ratio(clean, penalized).interval[0] > 1


def test_json_follows_its_schema():
    config = Config(attack_norms=("inf",), width=8, seeds=4, epochs=1)
    result = json.loads(to_json(config, run(config)))
    text = resources.files("sim.penalty").joinpath("report.schema.json").read_text()
    jsonschema.validate(result, json.loads(text), jsonschema.Draft202012Validator)


def test_impossible_configurations_are_one_sentence():
    for config, message in (
        (Config(eps=(1e-3,)), "two sizes or more"),
        (Config(eps=(1e-3, -1.0)), "positive"),
        (Config(attack_norms=("0",)), "p in .1, inf., not 0"),
        (Config(train_eps=0.0), "--train-eps must be"),
        (Config(seeds=1), "at least two seeds"),
        (Config(epochs=0), "at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            check(config)
