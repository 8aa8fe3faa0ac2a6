"""The atlas: rows are those of a scaling run, the file continues, what fails is a sentence."""

import json
from dataclasses import replace
from importlib import resources
from math import nan
from pathlib import Path

import jsonschema
import pytest

from sim import atlas, scaling
from sim.atlas import rows as kept
from sim.atlas.__main__ import main
from sim.atlas.networks import ENDS, NETWORKS, end_of
from sim.models.names import LIBRARIES
from sim.scaling.report import Report

MODEL = "examples.models:equinox_mlp"
ASKED = ["--models", MODEL, "--sizes", "8", "4", "--seeds", "4"]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The table of one small model, which a command has written."""
    path = tmp_path_factory.mktemp("atlas") / "atlas.csv"
    assert main([*ASKED, "--csv", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def rows(file):
    return kept.read(str(file))


def test_rows_are_those_of_a_scaling_run(rows):
    samples = scaling.run(
        scaling.Config(model=MODEL, sizes=(4, 8), seeds=4, norms=("1", "2", "inf"))
    )
    report = Report.of(samples)
    assert [row.q for row in rows] == ["1", "2", "inf"]
    for row, fit in zip(rows, report.fits, strict=True):
        assert (row.model, row.sizes, row.seeds, row.seed) == (MODEL, "4 8", 4, 0)
        given = (row.exponent, row.predicted, row.ratio)
        assert given == pytest.approx(
            (fit.exponent.value, fit.predicted, fit.ratio.value), rel=1e-5
        )
        (point,) = (p for p in report.points if (p.q, p.size) == (row.q, 8))
        assert row.mean == pytest.approx(point.mean, rel=1e-5)
        assert row.seconds > 0 and row.mebibytes > 100


def test_what_the_file_has_is_not_measured_again(file, capsys, monkeypatch):
    monkeypatch.setattr("sim.atlas.experiment.ProcessPoolExecutor", None)
    before = file.read_bytes()
    assert main([*ASKED, "--csv", str(file), "--json", "-"]) == 0
    assert file.read_bytes() == before
    found = json.loads(capsys.readouterr().out)
    assert [row["q"] for row in found["rows"]] == ["1", "2", "inf"] and found["failed"] == []
    assert found["config"]["models"] == [MODEL] and found["rows"][0]["sizes"] == [4, 8]
    _follows_its_schema(found)


def _follows_its_schema(found):
    text = resources.files("sim.atlas").joinpath("report.schema.json").read_text()
    jsonschema.validate(found, json.loads(text), jsonschema.Draft202012Validator)


def test_a_model_that_fails_is_a_sentence_and_the_others_are_kept(file, capsys):
    asked = ["--models", MODEL, "nowhere:net", *ASKED[2:], "--csv", str(file)]
    assert main(asked) == 1
    printed = capsys.readouterr()
    assert "1 could not be measured" in " ".join(printed.out.split())
    assert printed.err.startswith("nowhere:net: cannot import nowhere")
    assert main(["--models", "nowhere:net", "--sizes", "4", "8", "--seeds", "2"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("nowhere:net: cannot import nowhere")
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)


def test_any_row_is_read_as_it_was_written(rows, tmp_path):
    strange = replace(rows[0], remark='a, "b"\nc', exponent=nan, verdict="no measurement: zero")
    kept.write(str(tmp_path / "one.csv"), [*rows, strange])
    again = kept.read(str(tmp_path / "one.csv"))
    assert again[:-1] == rows
    assert str(again[-1]) == str(strange)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\xff"])
def test_another_file_is_refused(content, file, tmp_path, capsys):
    path = tmp_path / "one.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit) as stop:
        main([*ASKED, "--csv", str(path)])
    assert stop.value.code == 2 and str(path) in capsys.readouterr().err
    assert path.read_bytes() == content.encode("latin-1")
    path.write_text(file.read_text().replace("4 8,4,", "4 8,four,", 1))
    with pytest.raises(ValueError, match="is no table"):
        kept.read(str(path))


@pytest.mark.parametrize(
    ("low", "high", "grows"),
    [
        (0.4, 0.6, "yes"),
        (-0.2, 0.9, "unclear"),
        (-0.1, 0.1, "slower"),
        (0.6, 0.7, "faster"),
        (nan, nan, "–"),
    ],
)
def test_whether_it_grows_like_the_square_root(rows, low, high, grows):
    assert replace(rows[0], low=low, high=high).grows == grows


def test_without_a_gradient_there_are_dashes(rows, tmp_path):
    """As for mixers of timm, whose head is zero at the start."""
    nothing = dict.fromkeys(
        ("exponent", "low", "high", "predicted", "predicted_error", "ratio", "ratio_low",
         "ratio_high", "mean_low", "mean_high"), nan,
    )  # fmt: skip
    zero = [replace(row, mean=0.0, remark="the head is zero.", **nothing) for row in rows]
    found = atlas.report.printout(zero)
    assert found.answer.startswith("0 architectures")
    assert set(found.tables[0].rows[0][1:5]) == {"–"}
    assert found.remarks[0].text == f"{MODEL}: the head is zero."
    failed = [atlas.experiment.Failed("nowhere:net", "cannot import nowhere.")]
    _follows_its_schema(json.loads(atlas.report.to_json(atlas.Config(), zero, failed)))
    atlas.picture.write(zero, str(tmp_path / "none.svg"))


def test_every_network_is_of_a_known_library_and_has_one_end():
    assert len(set(NETWORKS)) == len(NETWORKS) >= 20
    assert {name.partition(":")[0] for name in NETWORKS} <= set(LIBRARIES)
    assert {end_of(name) for name in NETWORKS} == set(ENDS) and end_of(MODEL) == ""


def test_the_page_says_what_the_table_says():
    """docs/atlas.md has the tables that the command prints of docs/atlas.csv."""
    page = (ROOT / "docs" / "atlas.md").read_text(encoding="utf-8")
    found = kept.read(str(ROOT / "docs" / "atlas.csv"))
    assert atlas.report.to_markdown(found) in page
    assert len({row.model for row in found}) >= 20
    assert {row.model for row in found} <= set(NETWORKS)


def test_the_picture(rows, tmp_path):
    atlas.picture.write(rows, str(tmp_path / "one.png"))
    assert (tmp_path / "one.png").stat().st_size > 10_000
