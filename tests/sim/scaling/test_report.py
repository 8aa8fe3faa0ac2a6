"""`python -m sim.report`: stored runs reported again, and merged."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import resources

import jsonschema
import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sim import audit
from sim.running import command_line
from sim.scaling.configuration import Config, planned
from sim.scaling.dataset import labelled, predictions
from sim.scaling.deliver import printout
from sim.scaling.remarks import audit_command, notes, remarks
from sim.scaling.report import Report, to_json
from sim.scaling.table import columns
from sim.statistics import fitting, intervals
from sim.statistics.fits import times, verdict
from sim.storage import layout, merge, store
from sim.storage.refusals import RunError
from theory.printout import show

CONFIG = Config(arch="mlp", widths=(8,), sizes=(4, 8), seeds=30, norms=("1",))
DS = np.array([48.0, 192.0])


def stored(seeds=30, key=0, finished=None, shift=0.0, **changed):
    """A stored run whose samples depend on their key and seed alone."""
    plan = planned(Config(**{**vars(CONFIG), "seeds": seeds, "seed": key, **changed}))
    norms = np.random.default_rng(key).uniform(1, 2, (1000, 1, 2, 1, 1))[:seeds] + shift
    sampled = norms.transpose(1, 2, 0, 3, 4).astype(np.float32)
    samples = labelled(plan, sampled, predictions(plan))
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


def sampled_by_independence(seeds=30, networks=20, factor=1.0, **changed):
    """A run whose prediction is the mean over its first networks, of their norms times a factor."""
    samples = stored(seeds, **changed)
    order = ("width", "quantity", "q", "size", "seed")
    norms = samples["norm"].isel(seed=slice(networks)).transpose(*order)
    shaken = np.random.default_rng(1).normal(1, 0.01, norms.shape)
    samples["independent"] = ((*order[:4], "network"), factor * norms.values * shaken)
    samples = samples.assign_coords(network=np.arange(networks))
    others = samples["independent"]
    slope, error = intervals.exponent(others.transpose(..., "network", "size").values, DS)
    samples["predicted"] = others.mean("network")
    samples["predicted_error"] = others.std("network", ddof=1) / networks**0.5
    samples["predicted_slope"] = samples["predicted_slope"].copy(data=slope)
    samples["predicted_slope_error"] = samples["predicted_slope_error"].copy(data=error)
    samples["predicted_slope_error"].attrs = {}
    samples["basis"] = xr.full_like(samples["basis"], "gradient-independence", "<U21")
    samples.attrs["rests"] = json.dumps(["the labels stay coupled.", "masks are shared."])
    return samples


def valid(report):
    """The report as JSON, if it follows its schema."""
    found = json.loads(to_json(report))
    schema = json.loads(resources.files("sim.scaling").joinpath("report.schema.json").read_text())
    jsonschema.validate(found, schema, jsonschema.Draft202012Validator)
    return found


def test_a_sampled_prediction_is_shown_with_its_interval():
    samples = sampled_by_independence()
    report = Report.of(samples)
    (fit,) = valid(report)["fits"]
    error = float(samples["predicted_slope_error"].squeeze())
    assert fit["predicted_error"] == error
    slope, half = columns(report)["predicted"][0].split(" ± ")
    assert float(slope) == pytest.approx(float(samples["predicted_slope"].squeeze()), abs=1e-3)
    assert float(half) == pytest.approx(2.093 * error, abs=1e-3)  # t with 19 degrees
    assert "where it is sampled" in notes(report)[0]
    assert any(
        note.startswith("rests on: gradient-independence: the mean") for note in notes(report)
    )
    told = [remark.text for remark in remarks(report) if remark.style == "dim"]
    assert told == valid(report)["rests"] == ["the labels stay coupled.", "masks are shared."]
    report = Report.of(stored(30))
    assert "±" not in columns(report)["predicted"][0]
    assert "sampled" not in notes(report)[0]
    assert not any("gradient-independence" in note for note in notes(report))


def test_norms_of_a_prediction_are_no_samples(tmp_path):
    samples = sampled_by_independence()
    assert layout.sampled(samples) == ["norm"]
    with store.opened(
        str(tmp_path / "run"),
        json.loads(samples.attrs["config"]),
        lambda config: samples.drop_vars("finished"),
        store.Where("cpu"),
    ):
        pass  # fmt: skip
    again = merge.read(str(tmp_path / "run"))
    np.testing.assert_array_equal(again["independent"], samples["independent"])
    assert layout.sampled(again) == ["norm"]


def test_merged_keys_have_no_seeds_in_common_with_a_prediction():
    """Other numbers of networks and other norms of theirs are no obstacle."""
    one, other = sampled_by_independence(), sampled_by_independence(25, networks=10, key=5)
    merged = merge.merge([("a", one), ("b", other)])
    assert not {"independent", "network"} & set(merged.variables)
    (fit,), (alone,) = Report.of(merged).fits, Report.of(one).fits
    assert fit.expected == alone.expected
    assert fit.expected.degrees == 19
    low, high = alone.ratio.interval
    assert np.diff(fit.ratio.interval) > high - low
    same = merge.merge([("a", one), ("b", sampled_by_independence(40))])
    assert same.sizes["network"] == 20


def times_the_prediction(factor, at=(0, 1), seeds=60, basis=None, predicted=None):
    """A report of norms that are so many times the prediction, at some of the two sizes."""
    samples = stored(seeds)
    law = samples["predicted"].values[0, 0, 0]
    spread = np.random.default_rng(3).uniform(0.9, 1.1, (seeds, 2))
    factors = np.where(np.isin([0, 1], at), factor, 1.0)
    samples["norm"] = samples["norm"].copy(data=(law * factors * spread)[:, None, :, None, None])
    samples["basis"] = xr.full_like(samples["basis"], basis or "wide", "<U21")
    if predicted is not None:
        samples["predicted_slope"] += predicted
    return Report.of(samples)


WORDS = {
    (1.0, (0, 1), None, None): "agrees",
    (1.02, (0, 1), None, None): "agrees",
    (1.09, (0, 1), None, None): "exponent agrees; norm 1.09 times the prediction",
    (0.5, (0, 1), None, None): "exponent agrees; norm 0.50 times the prediction",
    (7.4, (0, 1), None, 1.0): "CONTRADICTS; norm 7.4 times the prediction",
    (1.43, (0,), None, None): "CONTRADICTS; norm 1.43 times the prediction at side 4",
    (1.2, (0, 1), "exact", None): "CONTRADICTS (constant); norm 1.20 times the prediction",
    (150.0, (0, 1), None, None): "exponent agrees; norm 150 times the prediction",
}


@pytest.mark.parametrize("case", WORDS)
def test_a_norm_that_is_off_is_told_in_the_verdict(case):
    factor, at, basis, predicted = case
    report = times_the_prediction(factor, at, basis=basis, predicted=predicted)
    (fit,) = valid(report)["fits"]
    said = WORDS[case].split()
    words = fit["verdict"].split()
    assert [w for w in words if "." not in w] == [w for w in said if "." not in w]
    numbers = [[float(w) for w in text if "." in w] for text in (words, said)]
    np.testing.assert_allclose(*numbers, rtol=0.02)
    assert str(columns(report)["verdict"][0]) == fit["verdict"]
    assert report.contradicted == ("CONTRADICTS" in fit["verdict"])
    commands = [remark.text for remark in remarks(report) if remark.is_command]
    assert len(commands) == (fit["norm_off"] is not None) == ("norm" in words)
    if fit["norm_off"]:
        assert fit["norm_off"]["size"] == (8 if 1 in at else 4)
        assert fit["norm_off"]["ratio"] == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("seeds", [2, 3, 5, 60])
@pytest.mark.parametrize("factor", [7.0, 1 / 7])
def test_no_plain_word_beside_a_ratio_of_seven(factor, seeds):
    """However few the seeds, and however wide the interval."""
    rng = np.random.default_rng(seeds)
    for basis in ("exact", "wide", "hypothesis-H"):
        for spread in (0.01, 0.5, 2.0):
            (fit,) = times_the_prediction(factor, seeds=seeds, basis=basis).fits
            half = spread * fit.ratio.value
            value = fit.ratio.value * rng.uniform(1, 1.2)
            ratio = replace(fit.ratio, value=value, interval=(value - half, value + half))
            off = fitting.norm_off([8], [ratio])
            found = verdict(replace(fit, ratios={8: ratio}, norm_off=off, agrees=True))
            assert found != "agrees"
            assert f"norm {times(ratio)} the prediction" in found
    samples = sampled_by_independence(factor=1 / factor)
    (fit,) = Report.of(samples).fits
    assert fit.agrees is True
    assert verdict(fit).startswith(f"exponent agrees; norm {times(fit.ratio)}")


def test_the_command_that_explains_a_norm_that_is_off_can_be_given():
    flags = {
        "--arch cnn --head gap --widths 16 8 --sizes 4 8 16 --init lecun": (
            "--arch cnn --head gap --widths 8 --sizes 4 16 --init lecun --input photo"
        ),
        "--arch mlp --input gaussian --depth 3 --widths 8": (
            "--arch mlp --widths 8 --sizes 4 16 --depth 3"
        ),
        "--model examples.models:plain_mlp": (
            "--sizes 4 16 --input photo --model examples.models:plain_mlp"
        ),
    }
    (fit,) = times_the_prediction(2.0).fits
    points = [replace(times_the_prediction(2.0).points[0], size=size) for size in (4, 8, 16)]
    fit = replace(fit, norm_off=replace(fit.norm_off, size=16))
    for given, expected in flags.items():
        (config,) = command_line.parse((Config,), "", "", given.split())
        report = replace(
            Report.of(stored()), config=json.loads(json.dumps(vars(config))), points=points
        )
        command = audit_command(report, fit)
        start, said = command[:20].strip(), command[20:].split()
        assert start == "python -m sim.audit"
        (asked,) = command_line.parse((audit.Config,), "", "", said)
        (same,) = command_line.parse((audit.Config,), "", "", expected.split())
        assert asked == same


def test_norms_over_what_the_law_says():
    samples = stored()
    assert "ratio to law" not in columns(Report.of(samples))
    samples["law"] = samples["predicted"] / 2
    report = Report.of(samples)
    (fit,) = report.fits
    assert columns(report)["ratio to law"][0].split()[0] == f"{2 * fit.ratio.value:.3f}"
    assert [p["law"] for p in valid(report)["points"]] == pytest.approx(
        [p["predicted"] / 2 for p in valid(report)["points"]]
    )
    assert any(note.startswith("ratio to law") for note in notes(report))


def test_a_model_is_shown_without_a_width():
    samples = stored()
    config = json.loads(samples.attrs["config"]) | {"model": "mine:model", "arch": "mine:model"}
    samples.attrs["config"] = json.dumps(config)
    report = Report.of(samples)
    assert "width" not in columns(report)
    found = valid(report)
    assert [x["width"] for x in (*found["fits"], *found["points"])] == [None] * 3


@pytest.mark.parametrize("width", [80, 100, 130, 200])
def test_words_are_whole_in_narrow_terminals(width, monkeypatch, capsys):
    monkeypatch.setattr("theory.printout.for_tables", lambda *_: Console(width=width))
    report = times_the_prediction(1.09)
    show(printout(report))
    text = capsys.readouterr().out
    said = verdict(report.fits[0])
    assert all(word in text.split() for word in said.split())
    assert f"\n{audit_command(report, report.fits[0])} says which layers.\n" in text
    assert "…" not in text


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
