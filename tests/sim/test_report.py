"""`python -m sim.report`: stored runs reported again, and merged."""

import json
import subprocess
import sys

import numpy as np
import pytest

from sim import merge
from sim.layout import RunError
from sim.report import Report, columns, notes, to_json
from sim.scaling import Config, labelled

CONFIG = Config(arch="mlp", widths=(8,), sizes=(4, 8), seeds=30, norms=("1",))


def stored(seeds=30, key=0, finished=None, shift=0.0, **changed):
    """A stored run whose samples depend on their key and seed alone."""
    config = Config(**{**vars(CONFIG), "seeds": seeds, "seed": key, **changed})
    norms = np.random.default_rng(key).uniform(1, 2, (1000, 1, 2, 1, 1))[:seeds] + shift
    samples = labelled(config, norms.transpose(1, 2, 0, 3, 4).astype(np.float32))
    flags = np.ones((seeds, 1, 2), bool) if finished is None else finished
    samples["finished"] = ("seed", "width", "size"), flags
    samples["norm"] = samples["norm"].where(samples["finished"])
    return samples


def test_the_report_of_a_stored_run_is_that_of_the_live_run(tmp_path):
    run, figure = tmp_path / "run", tmp_path / "law.svg"
    quick = "--arch mlp --widths 8 --sizes 8 4 --seeds 20 --input gaussian --norms 1 2"
    live = call("sim.scaling", *quick.split(), "--out", run, "--json", "-")
    again = call("sim.report", run, "--json", "-", "--figure", figure)
    assert live.returncode == again.returncode == 0, live.stderr + again.stderr
    assert again.stdout == live.stdout
    assert again.stderr == live.stderr
    assert figure.stat().st_size > 5000


def call(module, *arguments):
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_other_keys_are_other_seeds():
    merged = merge.merge([("a", stored(30)), ("b", stored(20, key=5)), ("c", stored(10, key=2))])
    assert merged.sizes["seed"] == 60
    assert merged["seed"].values.tolist() == list(range(60))
    assert merged["key"].values.tolist() == [0] * 30 + [5] * 20 + [2] * 10
    np.testing.assert_array_equal(merged["norm"][30:50], stored(20, key=5)["norm"])
    report = Report.of(merged)
    assert report.config["seed"] == [0, 5, 2]
    assert report.config["seeds"] == 60
    assert [fit.exponent.seeds for fit in report.fits] == [60]


ERRORS = ["predicted_error", "predicted_slope_error"]


def test_runs_of_versions_without_the_errors_of_predictions():
    old, new = stored(30).drop_vars(ERRORS), stored(20, key=5)
    for runs in ([("a", old)], [("a", old), ("b", new)], [("b", new), ("a", old)]):
        (fit,) = Report.of(merge.merge(runs)).fits
        assert fit.predicted_error == 0


def test_a_random_prediction_is_shown_with_its_interval():
    samples = stored(30)
    slope = samples["predicted_slope"]
    samples["predicted_slope"] = slope.copy(data=np.full(slope.shape, 0.5))
    errors = samples["predicted_slope_error"]
    samples["predicted_slope_error"] = errors.copy(data=np.full(errors.shape, 0.01))
    report = Report.of(samples)
    assert columns(report)["predicted"] == ["0.500 ± 0.024"]  # t with 7 degrees: 2.36
    assert "random traces" in notes(report)[0]
    (fit,) = json.loads(to_json(report))["fits"]
    assert fit["predicted_error"] == 0.01
    report = Report.of(stored(30))
    assert "±" not in columns(report)["predicted"][0]
    assert "random traces" not in notes(report)[0]


def test_the_same_seeds_count_once():
    merged = merge.merge([("a", stored(30)), ("b", stored(50)), ("c", stored(50))])
    assert merged.sizes["seed"] == 50
    np.testing.assert_array_equal(merged["norm"], stored(50)["norm"])
    assert json.loads(merged.attrs["config"])["seed"] == 0


def test_two_halves_make_a_whole():
    flags = np.zeros((30, 1, 2), bool)
    flags[:10], flags[:20, :, 0] = True, True
    merged = merge.merge([("a", stored(finished=flags)), ("b", stored(finished=~flags))])
    assert merged["finished"].all()
    np.testing.assert_array_equal(merged["norm"], stored()["norm"])


def test_what_is_not_finished_is_not_called_infinite():
    flags = np.ones((30, 1, 2), bool)
    flags[25:, 0, 1] = False
    samples = stored(finished=flags)
    samples["norm"][3] = np.inf
    report = Report.of(samples)
    assert (report.samples, report.unfinished, report.nonfinite) == (55, 5, 2)
    assert [fit.exponent.seeds for fit in report.fits] == [24]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (stored(shift=0.5), "a and b have the same --seed, but other samples for it."),
        (
            stored(key=1, init="lecun"),
            "a and b differ in more than their seeds: --init he and --init lecun.",
        ),
        (
            stored(key=1, sizes=(4, 6)),
            "a and b differ in more than their seeds: --sizes 4 8 and --sizes 4 6.",
        ),
    ],
)
def test_runs_that_do_not_fit_are_refused(other, sentence):
    with pytest.raises(RunError) as refused:
        merge.merge([("a", stored()), ("b", other)])
    assert str(refused.value) == sentence


def test_bad_input_is_one_sentence(tmp_path):
    (tmp_path / "mine").mkdir()
    for arguments, sentence in {
        (): "name at least one run: python -m sim.report runs/NAME.",
        (tmp_path / "nowhere",): f"{tmp_path}/nowhere does not exist.",
        (tmp_path / "mine",): f"{tmp_path}/mine is not a run.",
    }.items():
        done = call("sim.report", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == sentence + "\n"
