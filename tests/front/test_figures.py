"""Every figure can be drawn, says where it comes from, and is committed as the command draws it."""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from studies import CONFIG, invented, kept

from figures import __main__ as figures
from sim.drawing import style
from sim.predictions import prediction
from sim.scaling import experiment

# imported here because the shapes' checks parse what they import, and Python 3.11 fails where two
# threads do so at once
from sim.storage import store  # noqa: F401

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "figures/pictures"


def descriptions(folder, name):
    """What the files of a figure say of themselves."""
    svg = ElementTree.parse(folder / f"{name}.svg").getroot()
    (text,) = (e.text for e in svg.iter() if e.tag.endswith("}description"))
    with Image.open(folder / f"{name}.png") as png:
        return json.loads(text), json.loads(png.info["Description"])


def drawn(name, folder, capsys):
    """Draws a figure, and looks at what came of it."""
    assert figures.main([name, "--quick", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [str(folder / f"{name}.{x}") for x in ("svg", "png")]
    for about in descriptions(folder, name):
        assert about["command"] == f"python -m figures {name} --quick"
        assert about["runs"] and about["versions"]["jax"]
    with Image.open(folder / f"{name}.png") as png:
        shares = np.asarray(png.convert("L")) < 128
    assert 0.002 < shares.mean() < 0.5


OF_RUNS = (
    *("scaling", "constants", "exponents", "initializations", "spread", "sampling"),
    *("limits", "orders"),
)
"""Figures of nothing but scaling runs, most of whose time goes by in compilation."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=pytest.mark.slow if x in OF_RUNS else ()) for x in figures.FIGURES],
)
def test_it_is_drawn(name, tmp_path, capsys):
    drawn(name, tmp_path, capsys)


@pytest.mark.parametrize("name", OF_RUNS)
def test_it_is_drawn_from_invented_norms(name, tmp_path, capsys, monkeypatch):
    """Plans, laws, labels and fits are those of the figure; the norms are powers of d."""

    def norms(seeds, sides, quantities, orders):
        own = np.exp(0.3 * np.random.default_rng(0).normal(size=(seeds, 1, quantities, 1)))
        powers = np.array([[(3.0 * side**2) ** (1 / q - 0.5) for q in orders] for side in sides])
        return own * powers[:, None]

    def measured(plan, *_):
        config = plan.config
        orders = [float(q) for q in config.norms]
        found = norms(config.seeds, plan.sizes, len(config.quantity), orders)
        return np.stack([found.swapaxes(0, 1)] * len(plan.networks)).astype(np.float32)

    def predicted(network, sizes, quantities, orders, beside, advance):
        found = norms(beside.seeds, sizes, len(quantities), [float(q) for q in orders])
        return found.transpose(2, 3, 1, 0), ()

    monkeypatch.setattr(experiment, "_sample", measured)
    monkeypatch.setattr(prediction, "_sampled", predicted)
    drawn(name, tmp_path, capsys)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("study") / "run")
    kept(folder)
    return folder


@pytest.mark.parametrize("name", figures.OF_STUDIES)
def test_it_is_drawn_from_a_study(name, study, tmp_path, capsys):
    assert figures.main([name, "--study", study, "--folder", str(tmp_path)]) == 0
    for about in descriptions(tmp_path, name):
        assert about["command"] == f"python -m figures {name} --study RUN"
        assert about["runs"]["training"]["data"] == "digits"
    with Image.open(tmp_path / f"{name}.png") as png:
        shares = np.asarray(png.convert("L")) < 128
    assert 0.002 < shares.mean() < 0.5


@pytest.mark.parametrize(
    "changed",
    [
        {"sizes": (16,)},
        {"trainings": ("pgd-linf:0.1",), "compared": ()},
        {"attack_norms": ("1",), "eps": (0.1,)},
    ],
)
@pytest.mark.parametrize("name", figures.OF_STUDIES)
def test_other_studies_can_be_drawn_as_well(name, changed):
    """One side; one regularizer and no ordinary training; one attack, and not in ℓ_∞."""
    figure = importlib.import_module(f"figures.{name}").figure_of(
        invented(replace(CONFIG, **changed))
    )
    figure.draw_without_rendering()


OF_STUDIES = tuple(
    name for name in figures.OF_STUDIES if (PICTURES / f"{name}.svg").exists()
)  # a study takes an hour, and a change of what it says may come without its pictures


@pytest.mark.parametrize("name", (*figures.FIGURES, *OF_STUDIES))
def test_it_is_committed_and_explained(name):
    flags = " --study RUN" if name in OF_STUDIES else ""
    for about in descriptions(PICTURES, name):
        assert about["command"] == f"python -m figures {name}{flags}"
    assert (PICTURES / f"{name}.svg").stat().st_size < 300_000
    assert (PICTURES / f"{name}.png").stat().st_size < 200_000
    page = (ROOT / "docs/figures.md").read_text(encoding="utf-8")
    assert f"(../figures/pictures/{name}.svg)" in page


def test_nothing_else_is_committed():
    known = {*figures.FIGURES, *OF_STUDIES}
    assert {path.stem for path in PICTURES.iterdir()} == known
    assert set(OF_STUDIES) in (set(), set(figures.OF_STUDIES))  # of one study, all or none


@pytest.mark.slow
def test_samples_are_kept_and_used_again(tmp_path):
    pictures, runs = tmp_path / "pictures", tmp_path / "runs"
    pictures.mkdir()
    runs.mkdir()
    command = ["heads", "--quick", "--folder", str(pictures), "--runs", str(runs)]
    assert figures.main(command) == 0
    first = (pictures / "heads.svg").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in runs.rglob("c/*") if path.is_file()}
    assert figures.main(command) == 0
    assert (pictures / "heads.svg").read_bytes() == first
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_bad_usage(tmp_path, capsys):
    for args in (
        ["nothing"],
        ["heads", "--folder", str(tmp_path / "none")],
        ["training_growth"],
        ["training_growth", "--study", str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as stop:
            figures.main(args)
        assert stop.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_labels_do_not_overlap():
    moved = style.spread([10.0, 11.0, 12.0, 50.0], 9, 0, 100)
    assert np.all(np.diff(moved) > 8.9)
    assert abs(np.mean(moved[:3]) - 11) < 1
    assert moved[3] == 50


def test_series_differ_in_grey():
    """By their marks and dashes, and the colours that are used together by their lightness."""
    assert len(set(style.MARKERS)) == len(set(map(str, style.DASHES))) == len(style.COLOURS) == 6
    light = [
        np.dot([int(c[i : i + 2], 16) for i in (1, 3, 5)], (0.299, 0.587, 0.114))
        for c in style.COLOURS
    ]
    assert len({round(x) for x in light}) == 6
    assert all(re.fullmatch(r"#[0-9A-F]{6}", colour) for colour in style.COLOURS)
