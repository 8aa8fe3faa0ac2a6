"""The notebooks run from top to bottom, and what is committed is what they print."""

import ast
import re

import pytest
from nbclient.exceptions import CellExecutionError

import notebooks.__main__ as notebooks
from notebooks import exercise

NAMES = notebooks.NAMES


def test_there_are_five():
    assert len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")  # of the library that talks to the kernel
def test_it_runs_and_prints_what_is_committed(name):
    fresh = notebooks.text_outputs(notebooks.executed(name))
    kept = notebooks.text_outputs(notebooks.stored(name))
    assert len(fresh) == len(kept) > 5
    for one, other in zip(fresh, kept, strict=True):
        assert notebooks.same(one, other), f"{one}\n{other}"


@pytest.mark.parametrize("name", NAMES)
def test_text_and_notebook_are_a_pair(name):
    text, kept = notebooks.of_text(name), notebooks.stored(name)
    assert [c.source for c in text.cells] == [c.source for c in kept.cells]
    assert [c.cell_type for c in text.cells] == [c.cell_type for c in kept.cells]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_machine_is_kept(name):
    content = (notebooks.FOLDER / f"{name}.ipynb").read_text()
    assert not re.search(r"/home/|/tmp/|/root/|/usr/|File \"|\d{4}-\d\d-\d\dT", content)
    assert len(content) < 300_000


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_its_solution(name):
    """Three open answers, and three checks against the same right answers at the end."""
    code = "\n".join(c.source for c in notebooks.stored(name).cells if c.cell_type == "code")
    calls = [
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "check"
    ]
    is_open = [ast.unparse(call.args[0]) == "answer" for call in calls]
    rights = [ast.unparse(call.args[1]) for call in calls]
    assert is_open == [True] * 3 + [False] * 3
    assert rights[:3] == rights[3:]


def test_a_wrong_answer_is_refused(capsys):
    exercise.check(..., 2)
    exercise.check(2, 2.0)
    assert capsys.readouterr().out.splitlines()[1] == "Right."
    for wrong, right in ((3, 2), (True, False), (1, True)):
        with pytest.raises(AssertionError):
            exercise.check(wrong, right)


@pytest.mark.filterwarnings("ignore")
def test_a_broken_notebook_is_noticed(monkeypatch):
    whole = notebooks.of_text

    def broken(name):
        notebook = whole(name)
        del notebook.cells[2:]
        notebook.cells[1].source = "assert 1 == 2"
        return notebook

    monkeypatch.setattr(notebooks, "of_text", broken)
    with pytest.raises(CellExecutionError):
        notebooks.executed("2_proof")
    assert not notebooks.same("exponent 0.50", "exponent 0.55")
    assert not notebooks.same("order 1", "rank 1")
