"""`sqrt-d-law NAME`: every command is there by its name."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sim.__main__ import COMMANDS, main
from theory.examples import EXAMPLES

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
    assert named == found - {"sim.statements.holdout", "sim.statements.loss_over_logit"}
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


@pytest.fixture(scope="module")
def completion():
    """The script for bash, written once: it asks every command for its help."""
    found = subprocess.run(
        [sys.executable, "-m", "sim", "--completion", "bash"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not found.stderr
    return found.stdout


def completed(script, *words):
    """What bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in ("sqrt-d-law", *words))
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _sqrt_d_law; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.split()


def test_bash_completes_commands_flags_and_values(completion):
    assert set(COMMANDS) < set(completed(completion, ""))
    assert completed(completion, "scal") == ["scaling"]
    assert completed(completion, "scaling", "--ar") == ["--arch"]
    assert set(completed(completion, "scaling", "--arch", "res")) == {"resnet", "resnet-preact"}
    assert completed(completion, "vulnerability", "--arch", "mlp", "--flip") == ["--flips"]
    assert completed(completion, "scaling", "--dtype", "float6") == ["float64"]
    assert completed(completion, "scaling", "--quantity", "loss", "log") == ["logit"]
    assert completed(completion, "theory", "theorem-5") == ["theorem-5"]
    assert completed(completion, "laws", "--ac") == ["--activation"]
    assert completed(completion, "laws", "--activation", "si") == ["silu"]
    assert completed(completion, "audit", "--input", "ph") == ["photo"]
    assert completed(completion, "report", "runs/x", "--comp") == ["--compare"]
    assert completed(completion, "scaling", "--seeds", "1") == []


def test_completion_knows_the_flags_of_every_command_and_no_others(completion):
    from sim.scaling.configuration import Config

    flags = {"--" + name.replace("_", "-") for name in vars(Config())}
    offered = set(completed(completion, "scaling", "--"))
    assert flags < offered
    assert {"--out", "--devices", "--json", "--full", "--dry-run", "--help"} < offered
    assert "--flips" not in offered
    assert "--out" not in completed(completion, "report", "--")


def test_other_shells():
    for words, status in ((["zsh"], 0), (["tcsh"], 2), ([], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "sim", "--completion", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status
        assert ("bashcompinit" in done.stdout) == (not status)


@pytest.mark.parametrize("module", [module for module, _ in COMMANDS.values()])
def test_help_ends_in_three_examples_that_can_be_run(module, capsys, tmp_path, monkeypatch):
    """Those of experiments are accepted up to where something would be computed."""
    from sim.__main__ import help_of

    said = help_of(module)
    assert said.count(f"\n  python -m {module}") == len(EXAMPLES[module]) == 3
    assert said.rstrip().endswith(EXAMPLES[module][-1][1])
    if "--dry-run" not in said:
        return
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module(f"{module}.__main__").main
    for arguments, _ in EXAMPLES[module]:
        assert main([*arguments.split(), "--dry-run"]) == 0
        assert capsys.readouterr().out.startswith("would compute ")
