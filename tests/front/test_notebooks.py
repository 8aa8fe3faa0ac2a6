"""The notebooks run from top to bottom, and what is committed is what they print."""

import re
import shutil

import pytest
import sympy as sp
from nbclient.exceptions import CellExecutionError

import notebooks.make as notebooks
from notebooks import __main__ as command
from notebooks import answers, exercise, versions

NAMES = notebooks.NAMES
SOLUTIONS = notebooks.FOLDER / "solutions"
SMALL = {"x1": (), "x2": (), "h": ("x1", "x2"), "f": ("h", "x1")}


def test_there_are_five():
    assert len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")  # of the library that talks to the kernel
def test_it_runs_and_prints_what_is_committed(name):
    for folder, fresh in notebooks.both(notebooks.executed(name)).items():
        kept = notebooks.text_outputs(notebooks.stored(name, folder))
        found = notebooks.text_outputs(fresh)
        assert len(found) == len(kept) > 5
        for one, other in zip(found, kept, strict=True):
            assert notebooks.same(one, other), f"{one}\n{other}"


@pytest.mark.parametrize("name", NAMES)
def test_text_and_notebooks_belong_together(name):
    for folder, text in notebooks.both(notebooks.of_text(name)).items():
        kept = notebooks.stored(name, folder)
        assert [c.source for c in text.cells] == [c.source for c in kept.cells]
        assert [c.cell_type for c in text.cells] == [c.cell_type for c in kept.cells]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_machine_is_kept(name):
    for folder in (notebooks.FOLDER, SOLUTIONS):
        content = (folder / f"{name}.ipynb").read_text()
        assert not re.search(r"/home/|/tmp/|/root/|/usr/|File \"|\d{4}-\d\d-\d\dT", content)
        assert len(content) < 300_000


@pytest.mark.parametrize("name", NAMES)
def test_students_see_no_answers(name):
    """Three open answers in their version; in the other one the same three, all of them right."""
    ours, theirs = notebooks.stored(name, SOLUTIONS), notebooks.stored(name)
    asked = [c for c in theirs.cells if "check(" in c.source and "import" not in c.source]
    solved = [c for c in ours.cells if "check(" in c.source and "import" not in c.source]
    assert len(asked) == len(solved) == 3
    for one, other in zip(asked, solved, strict=True):
        assert "answer = ...\ncheck(" in one.source
        assert [out.text for out in one.outputs] == [f"{exercise.OPEN}\n"]
        assert [out.text for out in other.outputs] == ["Right.\n"]
        assert re.sub("answer = .*", "", one.source) == re.sub("answer = .*", "", other.source)
    assert not any(versions.is_explanation(cell) for cell in theirs.cells)
    assert any(versions.is_explanation(cell) for cell in ours.cells)
    whole = "\n".join(cell.source for cell in theirs.cells)
    assert "SOLUTION" not in whole and "EXERCISES" not in whole
    for part in ("**You will**", "**Time:**", "**You need:**", "**An open question.**"):
        assert whole.count(part) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_notebook_opened_alone_runs(tmp_path):
    """As a student has it: in a folder of its own, with the answers open."""
    shutil.copy(notebooks.FOLDER / "2_proof.ipynb", tmp_path)
    alone = notebooks.stored("2_proof", tmp_path)
    found = notebooks.text_outputs(notebooks.run(alone, tmp_path))
    kept = notebooks.text_outputs(notebooks.stored("2_proof"))
    assert all(notebooks.same(*pair) for pair in zip(found, kept, strict=True))


def test_every_exercise_is_asked_once():
    code = "\n".join((notebooks.FOLDER / f"{name}.py").read_text() for name in NAMES)
    assert sorted(re.findall(r'^check\("([^"]+)"', code, re.M)) == sorted(answers.EXERCISES)


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("law 1", ..., "Write your answer"),
        ("law 1", sp.Rational(-1, 6), "Right."),
        ("law 1", -1 / 6, "Right."),
        ("law 1", -0.1667, "Nearly"),
        ("law 1", 0.5, "Not yet. The exponent is"),
        ("law 1", "1/2", "not text: leave out the quotation marks."),
        ("law 1", None, "not nothing."),
        ("law 1", [0.5], "not a list."),
        ("law 1", True, "not a truth value."),
        ("law 1", sp.Symbol("d") / 2, "put one in place of d."),
        ("law 1", float("nan"), "that is finite"),
        ("proof 2", False, "Right."),
        ("proof 2", True, "Not yet. Write down"),
        ("proof 2", 0, "True or False, not a number."),
    ],
)
def test_an_answer_is_judged_in_a_sentence(name, answer, said, capsys):
    exercise.check(name, answer, *([SMALL, "f"] if name == "proof 2" else []))
    (line,) = capsys.readouterr().out.splitlines()
    assert said in line
    assert (line == "Right.") == (said == "Right.")


def test_copies_replace_nothing(tmp_path, capsys):
    folder = tmp_path / "new" / "course"
    assert command.main([str(folder)]) == 0
    (folder / "3_break.ipynb").write_text("a student's work")
    (folder / "4_certainty.ipynb").unlink()
    capsys.readouterr()
    assert command.main([str(folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("stays as it is") for line in said] == [True, True, True, False, True]
    assert (folder / "3_break.ipynb").read_text() == "a student's work"
    assert command.main([str(folder), "--solutions"]) == 0
    assert len(list(folder.iterdir())) == 10
    with pytest.raises(SystemExit) as stop:
        command.main([str(folder / "3_break.ipynb")])
    assert stop.value.code == 2


def test_an_address_leads_to_colab_and_to_what_is_installed():
    assert versions.colab(None, "1_law") == versions.colab("https://example.org/x", "1_law") == ""
    here = "https://github.com/someone/something"
    link = "colab.research.google.com/github/someone/something/blob/main/notebooks/1_law.ipynb"
    assert link in versions.colab(here, "1_law")
    assert f'"git+{here}"' in versions.install_cell(here)
    assert 'PROJECT = ".."' in versions.install_cell(None)


@pytest.mark.filterwarnings("ignore")
def test_a_broken_notebook_is_noticed(monkeypatch):
    whole = notebooks.of_text

    def broken(name):
        notebook = whole(name)
        del notebook.cells[3:]
        notebook.cells[2].source = "assert 1 == 2"
        return notebook

    monkeypatch.setattr(notebooks, "of_text", broken)
    with pytest.raises(CellExecutionError):
        notebooks.executed("2_proof")
    assert not notebooks.same("exponent 0.50", "exponent 0.55")
    assert not notebooks.same("order 1", "rank 1")
