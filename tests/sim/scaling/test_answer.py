"""The answer that a scaling report begins with says what its table says, and no more."""

from dataclasses import replace

import pytest
from test_report import stored, times_the_prediction

from sim.scaling.answer import answer
from sim.scaling.report import Report
from sim.statistics.fits import verdict


def test_a_row_that_agrees():
    report = times_the_prediction(1.0)
    said = answer(report)
    (fit,) = report.fits
    assert verdict(fit) == "agrees"
    assert f"{fit.exponent.value:.3f}" in said and f"(predicted {fit.predicted:.4f})" in said
    assert "The only row agrees with the prediction." in said
    assert said.endswith("--seeds 240 would halve the intervals.")
    assert said.count(". ") == 2


@pytest.mark.parametrize(("factor", "basis"), [(1.43, None), (0.5, None), (1.2, "exact")])
def test_agreement_is_claimed_of_no_norm_that_is_off(factor, basis):
    report = times_the_prediction(factor, basis=basis)
    said = answer(report)
    assert "agrees with the prediction" not in said
    assert "audit named below" in said
    assert ("CONTRADICTS" in said) == report.contradicted == (basis == "exact")
    if basis is None:
        assert f"not in the norm, {factor:.2f} times it (‖∂L‖₁ at width 8)" in said


def test_a_contradiction_is_not_softened():
    report = times_the_prediction(1.0, predicted=0.2)
    said = answer(report)
    assert "The only row CONTRADICTS" in said and "1% of runs" in said


def test_what_has_no_verdict_is_not_said_to_agree():
    report = Report.of(stored())
    fits = [replace(fit, unmeasured="all samples at a size are zero") for fit in report.fits]
    said = answer(replace(report, fits=fits))
    assert "nothing could be measured" in said and "agree" not in said
    assert "without a verdict" in said
