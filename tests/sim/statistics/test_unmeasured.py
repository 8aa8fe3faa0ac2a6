"""Samples that cannot carry a verdict have none, and every report says why."""

import json
from importlib import resources

import jsonschema
import numpy as np
import pytest

from sim import penalty, scaling, vulnerability
from sim.penalty.report import to_json as penalty_to_json
from sim.scaling.page import page
from sim.scaling.report import Report, to_json
from sim.statistics.verdicts import unmeasured
from sim.vulnerability.report import Report as Attacks
from sim.vulnerability.report import to_json as attacks_to_json
from sim.vulnerability.tables import tables

USUAL = np.random.default_rng(0).uniform(1, 2, (16, 3))


def with_column(values):
    rows = USUAL.copy()
    rows[:, 1] = values
    return rows


ALONE = np.eye(1, 16)[0]

DEGENERATE = {
    "zeros": (with_column(0.0), "all samples at a size are zero"),
    "underflow": (with_column(-0.0), "norms below the range of floats"),
    "one seed": (with_column(ALONE), "one seed alone is not zero at a size"),
    "not finite": (with_column(np.inf), "0 finite seeds, fewer than 2"),
    "too few": (USUAL[:1], "1 finite seeds, fewer than 2"),
    "subnormal": (1e-40 * USUAL.astype(np.float32), "norms at the end of the range of float32"),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_samples_have_a_reason(case):
    rows, reason = DEGENERATE[case]
    assert unmeasured(rows) == reason


def test_usual_samples_carry_a_verdict():
    assert unmeasured(USUAL) is None
    assert unmeasured(1e-40 * USUAL) is None  # of float64
    assert unmeasured(USUAL, fewest=17) == "16 finite seeds, fewer than 17"


SMALL = {"arch": "mlp", "depth": 1, "widths": (4,), "sizes": (2, 4), "input": "gaussian"}


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_loss_of_one_class_is_no_measurement():
    config = scaling.Config(**SMALL, classes=1, seeds=16, norms=("1",))
    samples = scaling.run(config)
    (fit,) = json.loads(to_json(Report.of(samples)))["fits"]
    verdict = "no measurement: all samples at a size are zero"
    assert (fit["agrees"], fit["reliable"], fit["verdict"]) == (None, False, verdict)
    assert verdict in page(Report.of(samples), [])
    assert samples.attrs["degenerate"].endswith("the loss of one class is zero whatever its logit.")


def test_attacks_on_gradients_of_zero_are_no_measurement():
    config = vulnerability.Config(
        **SMALL, seeds=16, eps=(1e-3, 1e3), attack_norms=("2",), steps=0, restarts=0,
        init="constant", std=1e-30,
    )  # fmt: skip
    report = Attacks.of(vulnerability.run(config))
    result = json.loads(attacks_to_json(report))
    schema = resources.files("sim.vulnerability").joinpath("report.schema.json").read_text()
    jsonschema.validate(result, json.loads(schema), jsonschema.Draft202012Validator)
    first = result["fits"][0]
    assert (first["agrees"], first["reliable"]) == (None, False)
    assert first["unmeasured"] == "all samples at a size are zero"
    assert not report.contradicted
    assert str(tables(report)[0].rows[0][6]) == f"no measurement: {first['unmeasured']}"


def test_few_seeds_of_a_penalty_are_no_measurement():
    config = penalty.Config(attack_norms=("2",), width=4, seeds=2, epochs=1)
    (result,) = json.loads(penalty_to_json(config, penalty.run(config)))["results"]
    assert (result["agrees"], result["reliable"]) == (None, False)
    assert result["unmeasured"] == "2 finite seeds, fewer than 16"
