"""The training experiment: studies that stop and go on, what they refuse, what they report."""

import json
import shutil
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from sim import training, training_report
from sim.storage import studies
from sim.storage.refusals import RunError
from sim.training import (
    BEFORE,
    Config,
    as_json,
    check,
    completed,
    design,
    growth,
    picture,
    remarks,
    report,
    run,
    trainer,
)
from sim.training.__main__ import main
from sim.training.configuration import GROWS

TINY = Config(
    sizes=(8, 16),
    trainings=("ordinary",),
    compared=("penalty-l1:1e38",),
    compared_size=8,
    width=2,
    depth=2,
    epochs=2,
    batch=400,
    attack_norms=("inf",),
    eps=(0.05,),
    steps=1,
    measured=8,
    attacked=4,
    seeds=2,
    workers=2,
)
"""The penalty overflows."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study, its folder and what it said."""
    out, said = str(tmp_path_factory.mktemp("study") / "run"), []
    return run(TINY, out, tell=said.append), out, said


def same(one, other):
    for name in one:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


def test_a_loss_that_is_not_finite_is_one_sentence_and_others_are_kept(study):
    samples, _, said = study
    assert said == [
        "penalty-l1:1e38 at side 8: the loss of seed 0 1 is not finite in epoch 1; other seeds and "
        "trainings are kept."
    ]
    at = samples.sel(size=8, set="test")
    assert np.isnan(at["accuracy"].sel(training="penalty-l1:1e38")).all()
    assert np.isfinite(samples["accuracy"].sel(training=["ordinary", BEFORE])).all()
    assert len(remarks.warnings(samples)) == 1


def test_training_learns(study):
    samples, _, _ = study
    loss = samples["curve_loss"].sel(training="ordinary")
    assert (loss.isel(epoch=1) < loss.isel(epoch=0)).all()


def test_what_is_finished_is_not_computed_again(study, monkeypatch):
    samples, out, _ = study

    def forbidden(*_):
        raise AssertionError

    for name in ("start", "epoch", "measured"):
        monkeypatch.setattr(trainer, name, forbidden)
    same(samples, run(TINY, out))
    same(samples, training.stored(out))


def test_a_study_that_was_stopped_goes_on_to_the_same_bits(study, tmp_path):
    """With one worker, and stopped after the first epoch of a training."""
    samples, _, _ = study
    config, out = replace(TINY, workers=1, compared=()), str(tmp_path / "run")
    done = []

    def stop(epochs):
        done.append(epochs)
        if sum(done) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, out, stop)
    assert [file.name for file in (tmp_path / "run/checkpoints").iterdir()] == [
        "ordinary-side8.npz"
    ]
    (tmp_path / "run/cells/.sqrt-d-law-left.npz").write_bytes(b"")  # by a process that was killed
    same(run(config, out), samples.drop_sel(training="penalty-l1:1e38"))
    assert not (tmp_path / "run/cells/.sqrt-d-law-left.npz").exists()
    assert list((tmp_path / "run/checkpoints").iterdir()) == []


def test_ordinary_training_may_have_more_seeds(study):
    """Its first ones are those of a study without them; other trainings have none there."""
    samples, _, _ = study
    more = run(replace(TINY, ordinary_seeds=3))
    same(more.isel(seed=slice(2)), samples)
    accuracy = more["accuracy"].isel(seed=2).sel(size=8, set="test")
    assert np.isfinite(accuracy.sel(training=["ordinary", BEFORE])).all()
    assert np.isnan(accuracy.sel(training="penalty-l1:1e38"))
    assert remarks.title(more).endswith("2 to 3 seeds")
    assert len(remarks.warnings(more)) == 1


def test_damaged_files_are_computed_again(study, tmp_path):
    samples, out, _ = study
    said, name = [], "initialization-side8"
    with training_cells(out, said.append) as there:
        assert there.finished(name) is not None
        file = Path(out) / "cells" / f"{name}.npz"
        whole = file.read_bytes()
        file.write_bytes(whole[:300] + b"damage" + whole[306:])
        assert there.finished(name) is None
    assert said == [f"{file} is damaged and computed again."]
    same(run(TINY, out), samples)


def test_a_study_at_a_url_is_the_study_in_a_folder(study):
    """Memory keeps no files. The second time nothing is trained."""
    samples, _, _ = study
    config, done = replace(TINY, compared=()), []
    for _ in range(2):
        found = run(config, "memory://deep/study", done.append)
        same(found, samples.drop_sel(training="penalty-l1:1e38"))
    same(found, training.stored("memory://deep/study"))
    assert sum(done) == 2 * sum(
        TINY.epochs for cell in design(completed(config)) if cell[0] != BEFORE
    )


def test_a_cell_in_the_place_of_another_is_noticed(study, tmp_path, capsys):
    samples, out, _ = study
    shutil.copytree(out, tmp_path / "run")
    cells, said = tmp_path / "run/cells", []
    shutil.copy(cells / "ordinary-side8.npz", cells / "ordinary-side16.npz")
    for flags in ([], ["--check"]):
        with pytest.raises(SystemExit) as stop:
            training_report.main([str(tmp_path / "run"), *flags])
        assert stop.value.code == 2
        assert capsys.readouterr() == (
            "", f"{cells}/ordinary-side16.npz is damaged; the command that wrote it computes it "
            "again.\n",
        )  # fmt: skip
    same(run(TINY, str(tmp_path / "run"), tell=said.append), samples)
    assert said == [f"{cells}/ordinary-side16.npz is damaged and computed again."]


def test_a_folder_in_the_place_of_a_cell_is_refused(study, tmp_path):
    _, out, _ = study
    shutil.copytree(out, tmp_path / "run")
    cell = tmp_path / "run/cells/ordinary-side16.npz"
    cell.unlink()
    cell.mkdir()
    for read in (training.stored, lambda path: run(TINY, path)):
        with pytest.raises(RunError, match=r"ordinary-side16\.npz is a folder where a file should"):
            read(str(tmp_path / "run"))


def test_an_edited_configuration_is_refused(study, tmp_path):
    _, out, _ = study
    shutil.copytree(out, tmp_path / "run")
    file = tmp_path / "run/zarr.json"
    file.write_text(file.read_text().replace('\\"seed\\": 0', '\\"seed\\": 7'))
    assert '\\"seed\\": 7' in file.read_text()
    for read in (training.stored, lambda path: run(replace(TINY, seed=7), path)):
        with pytest.raises(RunError, match=r"its zarr\.json, which describes it, is damaged or"):
            read(str(tmp_path / "run"))


def test_studies_of_before_are_reported_and_not_continued(study, tmp_path):
    """They had a study.json, and no checksums."""
    samples, out, _ = study
    shutil.copytree(out, tmp_path / "run")
    file = tmp_path / "run/zarr.json"
    about = json.loads(file.read_text())["attributes"]
    content = {"format": 1, "config": json.loads(about["config"]), "sessions": about["sessions"]}
    (tmp_path / "run/study.json").write_text(json.dumps(content))
    file.unlink()
    for cell in (tmp_path / "run/cells").iterdir():
        with np.load(cell) as there:
            arrays = {name: there[name] for name in there.files if name != studies.CHECKSUM}
        np.savez(cell, **arrays)
    same(training.stored(str(tmp_path / "run")), samples)
    with pytest.raises(RunError, match="can be reported, but not continued; choose another --out"):
        run(TINY, str(tmp_path / "run"))
    for damaged in (
        {},
        content | {"sessions": 3},
        content | {"config": []},
        content | {"format": 9},
    ):
        (tmp_path / "run/study.json").write_text(json.dumps(damaged))
        with pytest.raises(RunError):
            training.stored(str(tmp_path / "run"))


def training_cells(out, tell):
    return studies.opened(out, asdict(completed(TINY)), GROWS, "cpu", tell)


def test_other_configurations_and_folders_are_refused(study, tmp_path):
    _, out, _ = study
    with pytest.raises(RunError, match=r"holds a study with --width 2, not --width 3; choose"):
        run(replace(TINY, width=3), out)
    with training_cells(out, print), pytest.raises(RunError, match="another process is working"):
        run(TINY, out)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is not a run"):
        run(TINY, str(tmp_path))
    with pytest.raises(RunError, match="is not a folder"):
        run(TINY, str(tmp_path / "mine.txt"))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_sessions_have_their_ends(study):
    _, out, _ = study
    sessions = json.loads((Path(out) / "zarr.json").read_text())["attributes"]["sessions"]
    assert all(session["started"] <= session["ended"] for session in sessions)


def test_reports_follow_their_schema(study, tmp_path):
    samples, _, _ = study
    result = json.loads(as_json.to_json(samples))
    text = resources.files("sim.training").joinpath("report.schema.json").read_text()
    jsonschema.validate(result, json.loads(text), jsonschema.Draft202012Validator)
    norms = [fit for fit in result["fits"] if fit["quantity"] == "norm"]
    assert len(norms) == 2 * 2 * 3  # initialization and ordinary, two sets, three orders
    assert {fit["predicted"] is None for fit in norms if fit["training"] == BEFORE} == {False}
    lines = report.to_markdown(samples).splitlines()
    assert (
        sum(line.startswith("| ordinary |") for line in lines) == 9
    )  # four are of the parts and the margin
    picture.write(samples, str(tmp_path / "picture.png"))
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_fits_find_the_exponent_that_is_there(study):
    """Norms replaced by d^0.3 times a factor of each seed; and by d of the wrong unit, its side."""
    samples = study[0].copy(deep=True)
    spread = 1 + 0.1 * samples["seed"]
    for unit, exponent in ((samples["d"], 0.3), (samples["size"], 0.15)):
        norm = (spread * unit**0.3).broadcast_like(samples["norm"]).transpose(*samples["norm"].dims)
        fits = growth.fits(samples.assign(norm=norm))
        values = [fit.exponent.value for fit in fits if fit.quantity.kind == "norm"]
        np.testing.assert_allclose(values, exponent, rtol=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "mnist"], "data"),
        (["--data", "cifar10"], "needs --data-dir"),
        (["--data", "cifar10", "--data-dir", "/nowhere"], "there is no folder /nowhere"),
        (["--sizes", "8", "12"], "12 is no multiple"),
        (["--trainings", "pgd-linf"], "needs a positive strength"),
        (["--trainings", "pgd-linf:x"], "needs a positive strength"),
        (["--trainings", "pgd-lnf:1"], "pgd-linf"),
        (["--trainings", "ordinary:1"], "takes no strength"),
        (["--compared-size", "128"], "not among --sizes"),
        (["--seeds", "1"], "at least two seeds"),
        (["--ordinary-seeds", "1"], "--ordinary-seeds must be at least 2"),
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--eps", "-1"], "positive"),
        (["--learning-rate", "0"], "--learning-rate"),
        (["--json", "/nowhere/x.json"], "cannot write"),
        (["--figure", "x.txt"], "must end in"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(flags, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(flags)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_the_default_study_makes_sense():
    check(Config())
    check(Config(quick=True))
    config = completed(Config())
    cells = design(config)
    assert len(cells) == len(set(cells)) == 4 * 5 + 6 * 4 - 3
    assert cells[-1] == ("pgd-linf:0.2", 64)
