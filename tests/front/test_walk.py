"""What a new user is told to run runs, and prints what the page shows (`tests/walk.py`)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import walk

LONG = "--arch resnet"
"""In commands that take half a minute."""
SMALL = "--widths 4 --sizes 8 16 --seeds 16"


def small(step):
    """The same step on networks so small that it takes seconds; what it prints is another thing."""
    if LONG not in step.code:
        return step
    code = step.code.replace(" --widths 64", "").replace(LONG, f"{LONG} {SMALL}")
    return step._replace(code=code, shown=None)


@pytest.mark.parametrize("page", walk.PAGES)
def test_a_page_shows_what_is_printed(page, tmp_path):
    found = walk.steps((walk.ROOT / page).read_text(encoding="utf-8"))
    assert found
    for step in map(small, found):
        printed = walk.run(step, tmp_path)
        assert step.shown is None or walk.same(printed, step.shown), printed


@pytest.mark.slow
def test_the_main_experiment_prints_what_the_readme_shows(tmp_path):
    text = (walk.ROOT / "README.md").read_text(encoding="utf-8")
    (step,) = (step for step in walk.steps(text) if LONG in step.code and step.shown)
    printed = walk.run(step, tmp_path)
    assert walk.same(printed, step.shown), printed


def test_the_readme_installs_what_is_run_here():
    """All of its commands are run, but for those that install and the tests themselves."""
    text = (walk.ROOT / "README.md").read_text(encoding="utf-8")
    found = [step for step in walk.steps(text) if step.language == "sh"]
    left = [step.code for step in found if not list(walk.commands(step.code))]
    assert len(found) == 3 and len(left) == 1 and "-m pytest" in left[0]
    assert all("venv" not in command for step in found for command in walk.commands(step.code))


def test_another_number_and_another_word_are_noticed(tmp_path):
    page = "```python\nprint('exponent', 0.5)\n```\n\nIt prints\n\n```text\nexponent 0.5\n```\n"
    (step,) = walk.steps(page)
    printed = walk.run(step, tmp_path)
    assert walk.same(printed, step.shown)
    assert walk.same("0.0104", "0.0102") and not walk.same("0.0104", "0.0060")
    assert not walk.same("64 networks", "65 networks") and not walk.same(printed, "exponent 0.8\n")
    assert not walk.same(printed, "slope 0.5\n")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        walk.run(step._replace(code="1 / 0"), tmp_path)
