"""One check of memory and time, which every command makes before it loads jax."""

import importlib
import subprocess
import sys

import pytest

from benchmarks import memory as measuring
from sim.plan import needs as of_plan
from sim.plan.plan import Plan
from sim.running import memory
from sim.running.command_line import Before
from sim.running.needs import DAY, LONGEST, SLOWER, Needs, duration
from sim.scaling.__main__ import main as scaling
from sim.scaling.configuration import Config, needs, planned

MEMORY, TIME = "GiB, more than this machine has free (", f"days, more than {LONGEST:g}."
TRILLION = str(10**12)

REFUSED = {
    "seeds of scaling": ("sim.scaling", "--seeds " + TRILLION, MEMORY),
    "seeds in the end": ("sim.scaling", "--until 0.1 --max-seeds " + TRILLION, MEMORY),
    "devices": ("sim.scaling", "--devices 10000000", MEMORY),
    "devices of another machine": ("sim.scaling", "--devices 1" + 400 * "0", MEMORY),
    "a width": ("sim.scaling", "--arch cnn --widths 10000000000", MEMORY),
    "seeds of vulnerability": ("sim.vulnerability", "--seeds 10000000000", MEMORY),
    "sizes of attacks": ("sim.vulnerability", "--inputs-per-seed 10000000000", MEMORY),
    "steps of vulnerability": ("sim.vulnerability", "--steps " + TRILLION, TIME),
    "classes of vulnerability": ("sim.vulnerability", "--classes 100000000000", MEMORY),
    "restarts": ("sim.vulnerability", "--restarts 1000000000", MEMORY),
    "seeds of an audit": ("sim.audit", "--seeds " + TRILLION, MEMORY),
    "classes of an audit": ("sim.audit", "--classes 100000000000", MEMORY),
    "width of an audit": ("sim.audit", "--arch mlp --widths 10000000", MEMORY),
    "seeds of a penalty": ("sim.penalty", "--seeds 10000000000", MEMORY),
    "epochs of a penalty": ("sim.penalty", "--epochs " + TRILLION, TIME),
    "width of a penalty": ("sim.penalty", "--width 1000000", MEMORY),
    "epochs of training": ("sim.training", "--epochs 10000000", MEMORY),
    "width of training": ("sim.training", "--width 100000", MEMORY),
    "seeds of training": ("sim.training", "--seeds 100000000", MEMORY),
    "workers": ("sim.training", "--workers 1000000000 --width 2000", MEMORY),
    "sides of training": ("sim.training", "--sizes 8 800000", MEMORY),
    "seeds of a calibration": ("sim.calibration", "--seeds 16 10000000000", MEMORY),
    "replicates": ("sim.calibration", "coverage --replicates 10000000000", MEMORY),
    "seeds of statements": ("sim.statements", "--seeds 10000000000", MEMORY),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_machine_has_is_one_sentence(case, capsys):
    command, flags, message = REFUSED[case]
    main = importlib.import_module(f"{command}.__main__").main
    with pytest.raises(SystemExit) as stop:
        main(flags.split())
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1


def test_it_is_refused_before_jax_is_loaded():
    """In one process for all, since loading jax takes longer than to refuse."""
    lines = ["import contextlib, importlib, sys"]
    for command, flags, _ in REFUSED.values():
        lines += [
            f"main = importlib.import_module('{command}.__main__').main",
            f"with contextlib.suppress(SystemExit): main({flags.split()})",
        ]
    lines.append("sys.exit(3 if 'jax' in sys.modules else 0)")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_just_there_is_enough():
    Needs("seeds", 1000, LONGEST * DAY).refuse(free=1000)
    with pytest.raises(ValueError, match="seeds need about "):
        Needs("seeds", 1001, 0).refuse(free=1000)
    with pytest.raises(ValueError, match=r"^seeds take at least 31 days, more than 30\.$"):
        Needs("seeds", 0, 31 * DAY).refuse(free=1000)


def test_what_this_process_has_already_is_its_own():
    assert 0 < memory.free() <= memory.physical()


def small(**more: object) -> Plan[Config]:
    options = {"arch": "mlp", "widths": (8,), "depth": 1, "sizes": (2, 4), "norms": ("1",)} | more
    return planned(Config(**options))  # pyright: ignore[reportArgumentType]


def test_samples_count_as_often_as_they_are_kept():
    few, many = (needs(small(seeds=seeds)).memory for seeds in (10**4, 10**6))
    assert many - few == (of_plan.KEPT + of_plan.FITTED) * 8 * 2 * (10**6 - 10**4)
    assert needs(small(until=1.0, max_seeds=10**6)).memory == pytest.approx(many, rel=1e-3)


def test_weights_that_all_sizes_share_wait_on_every_processor(monkeypatch):
    monkeypatch.setattr(of_plan, "processors", lambda: 3)
    wide, narrow = (
        needs(small(widths=(width,), depth=2, sampler="dense")).memory for width in (4000, 8)
    )
    hidden = 4 * 4000**2
    # two are drawn and wait for both sizes; one is used, with its gradient
    assert wide - narrow == pytest.approx(3 * (2 + 2) * hidden, rel=0.02)


def test_a_run_just_below_the_limit_fits():
    """The bad case of one day: formed matrices of which several are under way."""
    found = measuring.measured(
        "sim.scaling --arch mlp --depth 2 --widths 6000 --sizes 2 4 --sampler dense --seeds 4 "
        "--norms 1 --input gaussian"
    )
    assert 0.5 * found["estimated"] <= found["peak"] <= 1.1 * found["estimated"]
    # an estimate of the weights of one network, without those under way, is caught
    network = small(widths=(6000,), depth=2, sampler="dense").networks[6000]
    alone = memory.bytes_per_seed(network.body, network.input_shape(4), 1)
    assert found["peak"] > 1.1 * alone


COMMANDS = ("scaling", "vulnerability", "audit", "training", "penalty", "calibration", "statements")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_dry_run_says_what_it_takes_and_computes_nothing(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module(f"sim.{name}.__main__").main
    assert main(["--dry-run", "--json", "result.json"]) == 0
    said = capsys.readouterr()
    first, second, third = said.out.splitlines()
    assert first.startswith("would compute ") and first.endswith(".")
    assert second.startswith("memory: about ") and " GiB that are free." in second
    assert third.startswith("time: about ")
    assert said.err == ""
    assert not list(tmp_path.iterdir())


def test_a_dry_run_needs_no_jax_and_refuses_what_the_run_would_refuse(capsys):
    script = (
        "import sys; from sim.scaling.__main__ import main; "
        "main(['--arch', 'mlp', '--dry-run']); sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    with pytest.raises(SystemExit) as stop:
        scaling(["--dry-run", "--seeds", "1"])
    assert stop.value.code == 2


def test_a_long_run_says_so_on_a_terminal_and_a_short_one_does_not(capsys, monkeypatch):
    before = Before()
    assert not before.is_all("much", Needs("much", 0, 100))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert not before.is_all("much", Needs("much", 0, 100))
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith(f"this takes about {duration(SLOWER * 100)} on ")
    assert not before.is_all("little", Needs("little", 0, 1))
    assert capsys.readouterr() == ("", "")


def test_more_networks_take_more_time():
    seconds = [needs(planned(Config(arch="cnn", seeds=n))).expected for n in (128, 1280, 12800)]
    assert seconds[0] < seconds[1] < seconds[2]
    assert seconds[2] - seconds[1] == pytest.approx(10 * (seconds[1] - seconds[0]), rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "words"),
    {
        0: "0 seconds",
        89: "89 seconds",
        90: "1.5 minutes",
        5400: "1.5 hours",
        10**6: "12 days",
    }.items(),
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
