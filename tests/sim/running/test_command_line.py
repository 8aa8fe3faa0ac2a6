"""`python -m sim.scaling`, where the process itself is in question as a process of its own."""

import contextlib
import importlib.resources
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from sim import report
from sim.audit.__main__ import main as audit
from sim.scaling.__main__ import main as scaling
from sim.vulnerability.__main__ import main as vulnerability
from theory.architectures import ARCHITECTURES
from theory.console import run

QUICK = "--arch mlp --widths 8 --sizes 4 8 16 --seeds 32 --input gaussian".split()  # noqa: SIM905


def call(*arguments, **options):
    command = [sys.executable, "-m", "sim.scaling", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def here(capsys):
    """The command in this process: its exit status, standard output and standard error."""

    def called(*arguments):
        status = run(lambda: scaling([*map(str, arguments)]))
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return called


def test_json_is_alone_on_stdout_and_follows_its_schema():
    done = call(*QUICK, "--json", "-", "--quantity", "loss", "logit", "--norms", "1", "1.5", "inf")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    schema = json.loads(
        importlib.resources.files("sim.scaling").joinpath("report.schema.json").read_text()
    )
    jsonschema.validate(result, schema, jsonschema.Draft202012Validator)
    assert len(result["fits"]) == 6
    assert len(result["points"]) == 18
    assert result["points"][0]["d"] == 48
    assert {fit["q"] for fit in result["fits"]} == {"1", "1.5", "inf"}
    assert {fit["basis"] for fit in result["fits"]} == {"exact"}
    assert "exponent of d" in done.stderr


@pytest.mark.parametrize("command", [audit, scaling, vulnerability])
def test_the_help_names_every_architecture(command, capsys):
    with pytest.raises(SystemExit):
        command(["--help"])
    (names,) = re.findall(r"--arch \{([^}]*)\}", capsys.readouterr().out)
    assert names.split(",") == list(ARCHITECTURES)


def test_until_is_a_sentence_of_the_report(here):
    done = here(*QUICK, "--until", "0.05", "--norms", "1")
    assert "half-width to 0.05 or less." in done.stdout
    done = here(*QUICK, "--until", "0.0001", "--max-seeds", "40", "--norms", "1", "--json", "-")
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
def test_figure(tmp_path, ending, here):
    path = tmp_path / f"law.{ending}"
    assert here(*QUICK, "--figure", path).returncode == 0
    assert path.stat().st_size > 5000
    assert list(tmp_path.iterdir()) == [path]


def test_json_to_a_file(tmp_path, here):
    path = tmp_path / "result.json"
    done = here(*QUICK, "--json", path)
    assert "‖∂L‖₁" in done.stdout
    assert json.loads(path.read_text())["config"]["arch"] == "mlp"


def test_check_is_the_exit_status(here):
    assert here(*QUICK, "--check").returncode == 0
    # one channel is far from the large width that the law rests on
    narrow = "--arch resnet --head gap --widths 1 --sizes 4 32 --seeds 1000 --norms inf"
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
    "no labels": ("--labels-per-seed 0", "--labels-per-seed must lie between 1 and --classes, 10"),
    "too many labels": ("--labels-per-seed 11", "--labels-per-seed must lie between 1"),
    "a norm where there is none": ("--arch mlp --norm layer", "mlp takes no --norm"),
    "patches and tokens": ("--arch vit --patch 4 --tokens 16", "not both"),
    "convolution first": (
        "--arch cnn --integrate-first",
        "needs a dense first layer, which cnn lacks",
    ),
    "no closed form": (
        "--arch mlp --integrate-first",
        "closed form for --norms 1 2, not for inf",
    ),
    "no Gaussian matrix": (
        "--arch mlp --integrate-first --norms 1 --distribution uniform",
        "--integrate-first needs a first matrix that is not formed",
    ),
    "too few coordinates": (
        "--arch mlp --integrate-first --norms 1 --sizes 2 4 --channels 1 --input gaussian",
        "--integrate-first needs at least 8 input coordinates, not 4",
    ),
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
    "a depth beyond description": ("--arch mlp --depth 1000000", "--depth must be at most 10000"),
    "too many classes": ("--classes 1000000000", "at most 21201 classes, not 1000000000"),
    "too many logits": (
        "--arch mlp --classes 10000000000 --quantity logit",
        "GiB, more than this machine has",
    ),
    "too large a side": ("--arch mlp --sizes 8 1000000", "GiB, more than this machine has"),
    "too many seeds": ("--seeds 1000000000000", "1000000000000 seeds need about"),
    "too many inputs": ("--inputs-per-seed 1000000000", "GiB, more than this machine has"),
    "too many side by side": ("--batch 1000000000", "GiB, more than this machine has"),
    "too wide a convolution": ("--arch cnn --widths 10000000", "GiB, more than this machine has"),
    "too deep and wide": ("--arch mlp --depth 9000 --widths 10000000 --sampler dense", "GiB, more"),
    "negative batch": ("--batch -1", "--batch must be at least 1"),
    "zero channels": ("--channels 0", "channels must be at least 1"),
    "a key too large": ("--seed 4294967296", "--seed must lie"),
    "half-width is not a number": ("--until nan", "--until must be a positive number"),
    "infinite std": ("--init constant --std inf", "--std must be a finite number"),
    "std is not a number": ("--init constant --std nan", "--std must be a finite number"),
    "until in a kept run": ("--until 0.1 --out run", "--out keeps a number of seeds known"),
    "pooling of a cnn": ("--arch cnn --pooling max", "cnn takes no --pooling"),
    "unknown pooling": ("--arch convnet-avdim --pooling mean", "unknown pooling 'mean'"),
    "a layer that is not there": (
        "--arch convnet-avdim --pool-after 9",
        "must lie between 1 and 8",
    ),
    "too few dilations": ("--arch convnet-avdim --dilation 1 2", "one positive number or 8"),
    "a kernel beyond the mirror": (
        "--arch convnet-avdim --sizes 32 48 --depth 3 --dilation 99",
        "reflects",
    ),
    "distribution of orthogonal": (
        "--init orthogonal --distribution uniform",
        "has no distribution to choose",
    ),
    "lazy orthogonal": ("--init orthogonal --sampler lazy", "needs dense layers with Gaussian"),
    "the same norm twice": ("--norms 1 1.0", "--norms lists a value twice"),
    "infinity twice": ("--norms inf Infinity", "--norms lists a value twice"),
    "no width": ("--widths", "--widths needs at least one value"),
    "figure in a read-only place": ("--figure /proc/law.png", "cannot write /proc/law.png"),
    "an argument too many": ("resnet", "resnet"),
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
}
"""Every flag of python -m sim.scaling. New cases go to the end."""

REPORT = {
    "no run": ("", "name at least one run"),
    "no folder": ("nowhere", "nowhere does not exist."),
    "a folder": ("folder", "folder is not a run."),
    "a file": ("file", "file"),
    "a run of another version": ("old", "old was written by another version of this program."),
    "damaged description": ("broken", "broken is not a run, or its zarr.json"),
    "another dataset": ("other", "other is not a run, or its zarr.json"),
    "unknown flag of a report": ("old --szes 3", "--szes"),
    "unwritable report": ("old --json /nowhere/a.json", "cannot write /nowhere/a.json"),
    "a report as a folder": ("old --json folder", "it is a directory"),
    "unknown picture of a report": ("old --figure law.gif", "must end in .png"),
}
"""python -m sim.report in the folder that `runs` makes."""


def refused(main, arguments, capsys):
    """The sentence with which a command line ends in this process."""
    with pytest.raises(SystemExit) as stop:
        run(lambda: main(arguments.split()))
    printed = capsys.readouterr()
    assert stop.value.code == 2, printed.err
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    return printed.err


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_writes_nothing(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[case]
    assert message in refused(scaling, arguments, capsys)
    assert list(tmp_path.iterdir()) == []


def runs(folder):
    """A folder with what is not a run of this version."""
    (folder / "folder").mkdir()
    (folder / "file").write_text("file")
    for name, content in {
        "old": '{"attributes": {"format": 0}}',
        "broken": "{",
        "other": '{"attributes": {}}',
    }.items():
        (folder / name).mkdir()
        (folder / name / "zarr.json").write_text(content)
    return {path: path.is_file() and path.read_text() for path in folder.rglob("*")}


@pytest.mark.parametrize("case", REPORT)
def test_what_is_no_run_is_one_sentence(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = runs(tmp_path)
    arguments, message = REPORT[case]
    assert message in refused(report.main, arguments, capsys)
    assert {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "arguments",
    ["--json file --figure nowhere/law.png", "--json file --seeds 1", "--out old --json file"],
)
def test_a_refused_run_overwrites_nothing(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = runs(tmp_path)
    refused(scaling, f"--arch mlp {arguments}", capsys)
    assert {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")} == before


NO_CLUSTER = ("--distributed", "JAX detects no cluster here")  # before anything has used JAX
PROCESSES = (NO_CLUSTER, *(BAD[case] for case in ("unknown architecture", "unknown flag")))


@pytest.mark.parametrize(("arguments", "message"), [*PROCESSES, BAD["too large"], BAD["one size"]])
def test_bad_input_of_a_process(arguments, message, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = call(*arguments.split(), cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_writes_nothing(tmp_path):
    files = ["--figure", str(tmp_path / "law.png"), "--json", str(tmp_path / "result.json")]
    command = [sys.executable, "-m", "sim.scaling", "--arch", "mlp", "--seeds", "1000000", *files]
    terminal, stderr = os.openpty()  # only a terminal gets a progress bar
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
    os.close(stderr)
    try:
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            shown = screen.read(4096)
            while b"sampling networks" not in shown:
                shown += screen.read(4096)
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(OSError):  # how the other end of a terminal ends
                while more := screen.read(4096):
                    shown += more
        out, _ = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == b""
    assert shown.rstrip().endswith(b"interrupted; nothing was written.")
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error():
    script = f"{sys.executable} -m sim.scaling {' '.join(QUICK)} --json - | head -c 20"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert len(done.stdout) == 20


def test_networks_without_active_units_are_reported(here):
    done = here(
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
