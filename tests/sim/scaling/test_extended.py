"""Reports of runs that were extended: the looks are kept, and verdicts allow for them."""

import importlib.resources
import json

import jsonschema
import pytest

from sim import report
from sim.scaling.__main__ import main as scaling
from sim.statistics import fitting
from sim.storage import attributes, merge
from sim.vulnerability.__main__ import main as vulnerability

FEW = "--arch mlp --depth 1 --widths 4 --sizes 2 4 --input gaussian"
SCALING = f"{FEW} --norms 1 --quantity logit"
ATTACKS = f"{FEW} --attack-norms 2 --eps 0.01 --steps 1 --flips"


def extended(main, flags, out, *seeds):
    """The JSON of a run that is extended from one number of seeds to the next."""
    for count in seeds:
        file = out.with_suffix(".json")
        kept = ("--seeds", str(count), "--out", str(out), "--json", str(file))
        assert main([*flags.split(), *kept]) == 0
    return json.loads(file.read_text())


def validate(result, package):
    text = importlib.resources.files(package).joinpath("report.schema.json").read_text()
    jsonschema.validate(result, json.loads(text), jsonschema.Draft202012Validator)


def test_a_run_says_where_it_was_extended(tmp_path, capsys):
    out = tmp_path / "run"
    once = extended(scaling, SCALING, out, 32)
    assert once["extended_from"] == []
    assert once["fits"][0]["ci_any_time"] is None
    assert attributes.EXTENDED_FROM not in merge.read(str(out)).attrs
    assert "may have been looked at" not in capsys.readouterr().out

    again = extended(scaling, SCALING, out, 32, 40, 64, 48)
    assert again["extended_from"] == [32, 40]
    assert attributes.extended_from(merge.read(str(out)).attrs) == [32, 40]
    shown = capsys.readouterr().out
    assert "with 32, 40 seeds" in shown
    for row, names in ((again["fits"][0], ("ci", "ratio_ci")), (again["points"][0], ("ci",))):
        for name in names:
            fixed, any_time = row[name], row[f"{name}_any_time"]
            assert any_time[0] < fixed[0] < fixed[1] < any_time[1]
    validate(again, "sim.scaling")

    page = tmp_path / "page.html"
    assert report.main([str(out), "--html", str(page), "--json", "-"]) == 0
    stored = json.loads(capsys.readouterr().out)
    assert stored["extended_from"] == [32, 40]
    assert "mean, at any time" in page.read_text()
    assert "with 32, 40 seeds" in page.read_text()


def test_other_sizes_are_no_look(tmp_path):
    out = tmp_path / "run"
    extended(scaling, SCALING, out, 16)
    assert extended(scaling, SCALING.replace("2 4", "2 4 8"), out, 16)["extended_from"] == []


def test_merged_runs_have_the_looks_of_all(tmp_path):
    names = [tmp_path / "first", tmp_path / "second"]
    extended(scaling, SCALING, names[0], 16, 20)
    extended(scaling, f"{SCALING} --seed 1", names[1], 16)
    merged = merge.merge([(str(name), merge.read(str(name))) for name in names[::-1]])
    assert attributes.extended_from(merged.attrs) == [16]


def test_the_report_of_an_unfinished_run_is_a_look(tmp_path):
    extended(scaling, SCALING, tmp_path / "run", 16)
    samples = merge.read(str(tmp_path / "run"))
    name, count = "run", samples.sizes["seed"]
    samples["finished"][{"size": 1, "seed": slice(10, None)}] = False
    assert attributes.extended_from(merge.merge([(name, samples)]).attrs) == [10]
    samples["finished"][{"size": 1}] = False  # nothing to look at there
    assert attributes.extended_from(merge.merge([(name, samples)]).attrs) == [count]
    samples["finished"][:] = True
    assert attributes.extended_from(merge.merge([(name, samples)]).attrs) == []


def test_attacks_of_an_extended_run(tmp_path, capsys):
    result = extended(vulnerability, ATTACKS, tmp_path / "run", 16, 32)
    validate(result, "sim.vulnerability")
    assert result["extended_from"] == [16]
    rows = [*result["fits"], *result["points"], *result["flips"]]
    rows += [median for row in result["boundaries"] for median in row["medians"].values()]
    for row in rows:
        if row["ci"][0] is not None and None not in row["ci_any_time"]:
            assert row["ci_any_time"][0] <= row["ci"][0] <= row["ci"][1] <= row["ci_any_time"][1]
    assert "with 16 seeds" in " ".join(capsys.readouterr().out.split())
    once = extended(vulnerability, ATTACKS, tmp_path / "other", 16)
    assert {row["ci_any_time"] for row in [*once["fits"], *once["ranges"]]} == {None}


@pytest.mark.parametrize("is_extended", [True, False])
def test_verdicts_of_an_extended_run_are_those_at_any_time(tmp_path, is_extended):
    """A law that is wrong by three standard errors and a half: beyond 1 %, but not at any time."""
    out = tmp_path / "run"
    extended(scaling, SCALING, out, 32, 64)
    samples = merge.read(str(out))
    (fit,) = fitting.fit(samples)
    off = fit.exponent.value + 3.5 * fit.exponent.standard_error
    samples["predicted_slope"] = samples["predicted_slope"] * 0 + off
    if not is_extended:
        del samples.attrs[attributes.EXTENDED_FROM]
    (fit,) = fitting.fit(samples)
    assert fit.agrees is is_extended
