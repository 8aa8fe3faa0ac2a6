"""The command on later theorems: its verdicts and its page, for outcomes that are given."""

import numpy as np
import pytest

from sim import statements
from sim.statements import experiment, later
from sim.statements.configuration import LATER
from sim.statements.outcome import of_mean
from sim.statements.sweeps import Sweep
from theory.statements import STATEMENTS

NAMES = ("gradient-step", "copied-pixels")
RNG = np.random.default_rng(0)
SAMPLES = 0.6 + 0.1 * RNG.standard_normal(400)
MEAN = float(SAMPLES.mean())


def told(monkeypatch, capsys, predicted, *options):
    """What the command prints, and its exit status, if that is what both statements predict."""
    outcome = of_mean("P(a step flips the sign)", predicted, SAMPLES)
    monkeypatch.setattr(experiment, "CHECKS", dict.fromkeys(NAMES, lambda settings: outcome))
    sweep = Sweep(NAMES[0], "law of wide networks", outcome)
    monkeypatch.setattr(statements, "SWEEPS", {NAMES[0]: lambda settings: [sweep]}, raising=False)
    status = later.main([*NAMES, *options])
    return capsys.readouterr().out, status


def test_later_theorems_are_statements():
    assert set(LATER) <= set(STATEMENTS)


def test_what_agrees_and_what_does_not(monkeypatch, capsys):
    error = SAMPLES.std(ddof=1) / len(SAMPLES) ** 0.5
    right, status = told(monkeypatch, capsys, MEAN + error)
    assert (status, "CONTRADICT" in right, "outside" in right) == (0, False, False)
    assert right.startswith("The main claims of 2 later theorems agree.")
    assert max(map(len, right.splitlines())) <= 100
    wrong, status = told(monkeypatch, capsys, MEAN + 6 * error)
    assert (status, "agrees" in wrong, "outside" in wrong) == (1, False, True)
    assert wrong.startswith("gradient-step, copied-pixels of 2 CONTRADICT")


def test_too_few_have_no_verdict():
    few = of_mean("few", 100.0, SAMPLES[:3])
    (row,) = later.claims({NAMES[0]: few}).rows
    assert row[-1] == "no measurement"


def test_the_page_and_what_is_refused(monkeypatch, capsys):
    page, _ = told(monkeypatch, capsys, MEAN, "--markdown")
    assert page.count("| `gradient-step` |") == 2 and "## From where they are seen" in page
    for options, words in ((["nothing"], "unknown later theorem"), (["--seeds", "16"], "160")):
        with pytest.raises(SystemExit) as stop:
            later.main(options)
        assert stop.value.code == 2
        assert words in capsys.readouterr().err
