"""`sqrt-d-law NAME`: every command is there by its name."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sim.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]


def test_every_module_with_a_command_line_has_a_name():
    """`figures` and `benchmarks` work on a checkout of the project, not on what is installed."""
    named = {module for module, _ in COMMANDS.values()}
    found = set()
    for package in ("sim", "theory"):
        for path in (ROOT / package).rglob("*.py"):
            if re.search(r"sys\.exit\([\w.]*run\w*\(main\)\)", path.read_text(encoding="utf-8")):
                module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                found.add(module.removesuffix(".__main__"))
    assert named == found - {"sim.statements.holdout", "sim.statements.later"}
    assert all(importlib.util.find_spec(module) for module in named)


@pytest.mark.parametrize("module", [module for module, _ in COMMANDS.values()])
def test_help_is_for_people(module, capsys):
    """No flag takes or has "None", a word of Python; defaults that are known are shown."""
    is_package = importlib.util.find_spec(module).submodule_search_locations
    path = f"{module}.__main__" if is_package else module
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(path).main(["--help"])
    said = capsys.readouterr().out
    assert not stop.value.code
    assert "-h" in said and "None" not in said
    assert module != "sim.scaling" or "(default: 128)" in said


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_without_a_name_all_are_listed(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sqrt-d-law", *words])
    assert main() == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in COMMANDS)


def test_an_unknown_name_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["sqrt-d-law", "scalin"])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    assert (stop.value.code, said.out) == (2, "")
    assert said.err.startswith("unknown command 'scalin'") and "'scaling'?" in said.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["theory", "theorem-4"], 0, "Fully connected networks"),
        (["laws", "--nothing"], 2, "unrecognized arguments"),
        (["report", "nowhere"], 2, "nowhere"),
    ],
)
def test_a_command_runs_as_its_module_does(words, status, said):
    done = subprocess.run(
        [sys.executable, "-m", "sim", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert said in (done.stderr if status else done.stdout)
