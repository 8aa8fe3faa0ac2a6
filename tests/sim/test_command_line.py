"""`python -m sim.scaling` as a process."""

import importlib.resources
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

QUICK = "--arch mlp --widths 8 --sizes 4 8 16 --seeds 32 --input gaussian".split()  # noqa: SIM905


def call(*arguments, **options):
    command = [sys.executable, "-m", "sim.scaling", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_json_is_alone_on_stdout_and_follows_its_schema():
    done = call(*QUICK, "--json", "-", "--quantity", "loss", "logit", "--norms", "1", "1.5", "inf")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    schema = json.loads(importlib.resources.files("sim").joinpath("report.schema.json").read_text())
    jsonschema.validate(result, schema, jsonschema.Draft202012Validator)
    assert len(result["fits"]) == 6
    assert len(result["points"]) == 18
    assert result["points"][0]["d"] == 48
    assert {fit["q"] for fit in result["fits"]} == {"1", "1.5", "inf"}
    assert {fit["basis"] for fit in result["fits"]} == {"wide", "exact"}
    assert "exponent of d" in done.stderr


def test_until_is_a_sentence_of_the_report():
    done = call(*QUICK, "--until", "0.05", "--norms", "1")
    assert "half-width to 0.05 or less." in done.stdout
    done = call(*QUICK, "--until", "0.0001", "--max-seeds", "40", "--norms", "1", "--json", "-")
    assert "--max-seeds 40 stopped it" in done.stderr
    result = json.loads(done.stdout)
    assert (result["seeds"], result["reached"], result["sampler"]) == (40, False, "lazy")


def test_table_is_plain_when_piped():
    done = call(*QUICK)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "‖∂L‖₁" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 110


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_figure(tmp_path, ending):
    path = tmp_path / f"law.{ending}"
    assert call(*QUICK, "--figure", path).returncode == 0
    assert path.stat().st_size > 5000
    assert list(tmp_path.iterdir()) == [path]


def test_json_to_a_file(tmp_path):
    path = tmp_path / "result.json"
    done = call(*QUICK, "--json", path)
    assert "‖∂L‖₁" in done.stdout
    assert json.loads(path.read_text())["config"]["arch"] == "mlp"


def test_check_is_the_exit_status():
    assert call(*QUICK, "--check").returncode == 0
    # two channels are far from the large width that the law of the largest coordinate rests on
    narrow = "--arch cnn --widths 2 --depth 6 --sizes 16 64 --seeds 500 --norms inf"
    done = call(*narrow.split(), "--quantity", "logit", "--input", "gaussian", "--check")
    assert done.returncode == 1
    assert "CONTRADICTS" in done.stdout


BAD = {
    "unknown architecture": ("--arch resnt", "did you mean 'resnet'?"),
    "unknown head": ("--head gapp", "did you mean 'gap'?"),
    "unknown init": ("--init hee", "did you mean 'he'?"),
    "unknown input": ("--input photos", "did you mean 'photo'?"),
    "unknown quantity": ("--quantity los", "invalid choice 'los'"),
    "unknown dtype": ("--dtype float16", "invalid choice 'float16'"),
    "unknown distribution": ("--distribution gauss", "unknown distribution 'gauss'"),
    "unknown border": ("--border mirror", "unknown border 'mirror'"),
    "unknown activation": ("--activation rely", "did you mean 'relu'?"),
    "unknown flag": ("--szes 8 16", "did you mean --sizes?"),
    "not a number": ("--seeds many", "--seeds"),
    "a fraction of a seed": ("--seeds 2.5", "--seeds"),
    "missing value": ("--seeds", "--seeds"),
    "strides": ("--sizes 8 18", "needs a side divisible by 2"),
    "one size": ("--sizes 16", "two sizes or more"),
    "no size": ("--sizes", "--sizes needs at least one value"),
    "the same size twice": ("--sizes 8 8", "lists a value twice"),
    "negative size": ("--sizes -8 16", "must be positive"),
    "zero size": ("--sizes 0 16", "must be positive"),
    "negative seeds": ("--seeds -5", "at least two seeds"),
    "one seed": ("--seeds 1", "at least two seeds"),
    "negative key": ("--seed -1", "--seed must lie"),
    "q below one": ("--norms 0.5 2", "q in [1, inf], not 0.5"),
    "q is a word": ("--norms two", "q in [1, inf], not two"),
    "q is not a number": ("--norms nan", "q in [1, inf], not nan"),
    "zero width": ("--widths 0", "width must be at least 1"),
    "zero depth": ("--depth 0", "depth must be at least 1"),
    "zero classes": ("--classes 0", "classes must be at least 1"),
    "channels of a photograph": ("--channels 2", "photographs have 1 or 3 channels"),
    "no inputs": ("--inputs-per-seed 0", "--inputs-per-seed must be at least 1"),
    "zero std": ("--init constant --std 0", "must be positive"),
    "head of an mlp": ("--arch mlp --head gap", "mlp takes no --head"),
    "too large": ("--arch mlp --widths 1000000000", "more than this machine has"),
    "half-width zero": ("--until 0", "--until must be a positive number"),
    "a cap below the pilot": ("--until 0.1 --max-seeds 5", "--max-seeds must be at least --seeds"),
    "lazy without Gaussians": ("--init pytorch --sampler lazy", "needs dense layers with Gaussian"),
    "unwritable figure": ("--figure /nowhere/at/all.png", "cannot write /nowhere/at/all.png"),
    "unwritable run": ("--out /proc/nowhere", "cannot write /proc/nowhere"),
    "a run in a foreign folder": ("--out /usr", "/usr is not a run"),
    "a run in a file": ("--out /etc/passwd", "/etc/passwd is not a folder"),
    "a run without a name": ("--out", "--out"),
    "unwritable json": ("--json /nowhere/result.json", "cannot write /nowhere/result.json"),
    "a folder as a file": ("--json .", "it is a directory"),
    "unknown picture format": ("--figure law.gif", "must end in .png"),
    "no devices": ("--devices 0", "--devices must be at least 1, not 0"),
    "processes of nothing": ("--processes 2", "--processes needs --distributed"),
    "no coordinator": (
        "--distributed --processes 2 --process 0",
        "--processes needs --coordinator as well",
    ),
    "a coordinator without a port": (
        "--distributed --coordinator host --processes 2 --process 0",
        "--coordinator must be HOST:PORT, not host",
    ),
    "a process out of range": (
        "--distributed --coordinator host:1234 --processes 2 --process 2",
        "--process must lie between 0 and 1, not 2",
    ),
    "no cluster": ("--distributed", "JAX detects no cluster here"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_writes_nothing(case, tmp_path):
    arguments, message = BAD[case]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = call(*arguments.split(), cwd=tmp_path, env=environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_writes_nothing(tmp_path):
    files = ["--figure", str(tmp_path / "law.png"), "--json", str(tmp_path / "result.json")]
    command = [sys.executable, "-m", "sim.scaling", "--arch", "mlp", "--seeds", "1000000", *files]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.strip() == "interrupted; nothing was written."
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error():
    script = f"{sys.executable} -m sim.scaling {' '.join(QUICK)} --json - | head -c 20"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert len(done.stdout) == 20


def test_networks_without_active_units_are_reported():
    done = call(
        "--arch",
        "mlp",
        "--widths",
        1,
        "--depth",
        2,
        "--sizes",
        2,
        4,
        "--seeds",
        20,
        "--input",
        "gaussian",
    )
    assert done.returncode == 0
    assert "samples are zero (no unit active)" in done.stdout
