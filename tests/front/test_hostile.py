"""What no command can do ends in one line on standard error and exit status 2, with no work done.

A new command is added to `COMMANDS`; a new case to the end of `CASES`.
"""

import importlib
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.console import run

THEORY = ("theory.__main__", "theory.laws.__main__", "theory.defaults")
EXPERIMENTS = (
    *("scaling", "vulnerability", "audit", "penalty", "training", "pretrained"),
    *("calibration", "statements", "results", "atlas"),
)
COMMANDS = (
    *THEORY,
    *(f"sim.{name}.__main__" for name in EXPERIMENTS),
    *("sim.report", "sim.training_report", "sim.statements.later"),
    *("figures.__main__", "notebooks.make", "benchmarks.__main__"),
)

EVERYWHERE = (
    (["--nonsense"], "--nonsense"),
    (["--nonsense=1"], "--nonsense"),
    ([""], "an argument is empty"),
    ([" "], "an argument is empty"),
    (["--json="], "--json is empty"),
    (["--json", ""], "--json is empty"),
    (["--json", "a", "--json", "b"], "--json is given twice"),
    (["--dry_run", "--dry-run"], "--dry-run is given twice"),
    (["one\ntwo"], r"a character that cannot be shown: 'one\ntwo'"),
    (["--out", "a\x1b[2J"], r"--out has a character that cannot be shown: 'a\x1b[2J'"),
)
"""What no command takes, whichever flags it has."""

DIGITS = "--sizes 2 4 --input gaussian"
MLP = f"--arch mlp --depth 1 --widths 8 {DIGITS}"

CASES = (
    ("theory.__main__", "theorem5", "did you mean 'theorem-5'?"),
    ("theory.__main__", "theorem-4 theorem-5", "unrecognized arguments: theorem-5"),
    ("theory.__main__", "--check --latex", "not allowed with argument --check"),
    ("theory.laws.__main__", "resnt", "did you mean 'resnet'?"),
    ("theory.laws.__main__", "--head gapp", "did you mean 'gap'?"),
    ("theory.laws.__main__", "mlp --head gap", "mlp takes no --head"),
    ("theory.laws.__main__", "--init hee", "did you mean 'he'?"),
    ("theory.laws.__main__", "--activation rely", "did you mean 'relu'?"),
    ("theory.laws.__main__", "--norm layr", "did you mean 'layer'?"),
    ("theory.laws.__main__", "mlp --norms 1e300", "unrecognized arguments: --norms"),
    ("theory.laws.__main__", "--wid 3", "unrecognized arguments: --wid"),
    ("theory.laws.__main__", "mlp --width x", "invalid int value: 'x'"),
    ("theory.laws.__main__", "mlp --width 0", "width must be at least 1, not 0"),
    ("theory.laws.__main__", f"mlp --width {'9' * 60}", "width must be at most 10^12"),
    ("theory.laws.__main__", f"vit --patch {'9' * 60}", "patch must be at most 10^12"),
    ("theory.laws.__main__", "vit --patch 4 --tokens 16", "not both"),
    ("theory.defaults", "--sides 8", "at least two different sides"),
    ("theory.defaults", "--sides 8 8", "at least two different sides"),
    ("theory.defaults", "--sides 0 8", "side must be at least 1, not 0"),
    ("theory.defaults", "--sides 100000000000000 8", "side must be at most 10^12"),
    ("theory.defaults", "--sides", "expected at least one argument"),
    ("theory.defaults", f"--width {'9' * 60}", "width must be at most 10^12"),
    ("theory.defaults", "--channels 0", "channels must be at least 1, not 0"),
    ("sim.scaling.__main__", f"{MLP} --norms 1e300", "a norm needs q up to 500, or inf, not 1e300"),
    ("sim.scaling.__main__", f"{MLP} --norms 501", "a norm needs q up to 500, or inf, not 501"),
    ("sim.scaling.__main__", f"{MLP} --norms 1 1.0", "--norms lists a value twice: 1 1.0"),
    ("sim.scaling.__main__", f"{MLP} --norms inf Infinity", "--norms lists a value twice"),
    ("sim.scaling.__main__", f"{MLP} --quantity loss loss", "--quantity lists a value twice"),
    ("sim.scaling.__main__", "--arch mlp --widths 8 08", "--widths lists a value twice: 8 8"),
    ("sim.scaling.__main__", f"{MLP} --out file://host/x", "file://host/x names another host"),
    ("sim.scaling.__main__", f"{MLP} --seeds 2e3", "--seeds"),
    ("sim.scaling.__main__", "--arch mlp --widths 9999999999999", "width must be at most 10^12"),
    ("sim.scaling.__main__", "--model nothing", "nothing"),
    ("sim.scaling.__main__", "--model nothing:at_all", "nothing"),
    ("sim.scaling.__main__", f"{MLP} --timeout 3", "--timeout needs --distributed"),
    (
        "sim.scaling.__main__",
        f"{MLP} --distributed --timeout 0",
        "--timeout must lie between 1 and 1000000 seconds, not 0",
    ),
    ("sim.training.__main__", "--detail -1", "--detail must lie between 0 and 8"),
    ("sim.training.__main__", "--detail nan", "--detail must lie between 0 and 8"),
    ("sim.vulnerability.__main__", f"{MLP} --eps 0.1 0.10", "--eps lists a value twice"),
    ("sim.vulnerability.__main__", f"{MLP} --eps", "--eps needs at least one value"),
    ("sim.vulnerability.__main__", f"{MLP} --eps 1e400", "--eps must be positive numbers, not inf"),
    ("sim.vulnerability.__main__", f"{MLP} --eps 1e300", "--eps 1e+300 is beyond float32"),
    ("sim.vulnerability.__main__", f"{MLP} --eps 1e-300", "--eps 1e-300 is beyond float32"),
    ("sim.vulnerability.__main__", f"{MLP} --attack-norms 1 1.0", "--attack-norms lists a value"),
    ("sim.vulnerability.__main__", f"{MLP} --attack-norms 1e300", "neither p nor p/(p - 1)"),
    ("sim.vulnerability.__main__", f"{MLP} --attack-norms 1.0000001", "neither p nor p/(p - 1)"),
    ("sim.vulnerability.__main__", f"{MLP} --steps -1", "--steps cannot be negative"),
    ("sim.vulnerability.__main__", f"{MLP} --within nan", "--within must lie between 0 and 1"),
    ("sim.vulnerability.__main__", f"{MLP} --flips --classes 1", "--flips exchanges two classes"),
    ("sim.vulnerability.__main__", f"{MLP} --out file://host/x", "names another host"),
    (
        "sim.scaling.__main__",
        "--arch cnn --norm batch --input constant --inputs-per-seed 4",
        "--norm batch divides by a spread, and --input constant has none",
    ),
    ("sim.audit.__main__", "--arch mlp --widths 8 9", "an audit is of one width, not of 2"),
    ("sim.audit.__main__", "--arch mlp --widths", "--widths needs at least one value"),
    ("sim.audit.__main__", "--arch mlp --sizes", "--sizes needs at least one value"),
    ("sim.audit.__main__", f"{MLP} --seeds 1", "at least two seeds"),
    ("sim.audit.__main__", f"{MLP} --figure law.gif", "must end in .png"),
    ("sim.penalty.__main__", "--attack-norms 2 2.0", "--attack-norms lists a value twice"),
    ("sim.penalty.__main__", "--attack-norms 1e300", "neither p nor p/(p - 1)"),
    ("sim.penalty.__main__", "--eps 1e-7", "an order needs two sizes or more"),
    ("sim.penalty.__main__", "--eps 1e-310 1e-7", "--eps 1e-310 is beyond float64"),
    ("sim.penalty.__main__", "--eps 1e-300 1e-7", "--eps 1e-300 is below 1e-12, where rounding"),
    ("sim.penalty.__main__", "--train-eps 1e300", "--train-eps 1e+300 is beyond float32"),
    ("sim.penalty.__main__", "--train-eps nan", "--train-eps must be a positive number"),
    ("sim.penalty.__main__", "--width 0", "--width and --epochs must be at least 1"),
    (
        "sim.pretrained.__main__",
        "--weights x.pt",
        "--model is needed: a trained network is a model",
    ),
    ("sim.pretrained.__main__", "--model a:b", "--weights is needed: a trained network is a model"),
    ("sim.pretrained.__main__", "--model a:b --weights x --sizes 0", "--sizes must be at least 1"),
    ("sim.pretrained.__main__", "--model a:b --weights x --count 65", "must be at most 64"),
    ("sim.pretrained.__main__", "--model a:b --weights x --images /nowhere", "there is no folder"),
    ("sim.pretrained.__main__", "--model a:b --weights x --input noise", "must be photo or digits"),
    ("sim.pretrained.__main__", "--model a:b --weights nowhere.pt", "there is no file nowhere.pt"),
    ("sim.atlas.__main__", "--models resnet18", "takes LIBRARY:NAME or package.module:factory"),
    ("sim.atlas.__main__", "--models a:b a:b", "--models lists a value twice"),
    ("sim.atlas.__main__", "--sizes 32", "--sizes needs at least two sides"),
    ("sim.atlas.__main__", "--sizes 0 8", "--sizes must be at least 1, not 0"),
    ("sim.atlas.__main__", "--workers 0", "--workers must be at least 1, not 0"),
    ("sim.atlas.__main__", "--seeds 1", "at least two seeds"),
    ("sim.atlas.__main__", "--csv -", "--csv needs the name of a file, not standard output"),
    ("sim.training.__main__", "--workers 0", "--workers must be at least 1, not 0"),
    ("sim.training.__main__", "--compared-size 0", "--compared-size 0 is not among --sizes"),
    ("sim.training.__main__", "--sizes", "--sizes needs at least one value"),
    ("sim.training.__main__", "--sizes 7", "7 is no multiple of it"),
    ("sim.training.__main__", "--trainings", "--trainings needs at least one value"),
    (
        "sim.training.__main__",
        "--trainings pgd-linf:0.1 pgd-linf:0.10",
        "--trainings lists a value twice: pgd-linf:0.1 pgd-linf:0.10",
    ),
    ("sim.training.__main__", "--trainings pgd-linf:0.1:2", "pgd-linf needs a positive strength"),
    ("sim.training.__main__", "--data cifar10 --data-dir nowhere", "there is no folder nowhere"),
    ("sim.training.__main__", "--out file://host/x", "names another host"),
    ("sim.calibration.__main__", "nothing", "unknown table 'nothing'"),
    ("sim.calibration.__main__", "coverage coverage", "TABLE lists a value twice"),
    ("sim.calibration.__main__", "--seeds 3 03", "--seeds lists a value twice: 3 3"),
    ("sim.calibration.__main__", "--seeds 2", "at least three seeds"),
    ("sim.calibration.__main__", "--replicates 1", "at least 16 --replicates"),
    ("sim.statements.__main__", "nothing", "unknown statement 'nothing'"),
    ("sim.statements.__main__", "theorem-4 theorem-4", "NAME lists a value twice"),
    ("sim.statements.__main__", "--seeds 1", "at least two seeds"),
    ("sim.results.__main__", "0", "there is no row 0"),
    ("sim.results.__main__", "1 1", "ROW lists a value twice: 1 1"),
    ("sim.results.__main__", "--table readme readme", "--table lists a value twice"),
    ("sim.results.__main__", "--table", "--table needs at least one value"),
    ("sim.results.__main__", "--check /bin/sh", "cannot read /bin/sh: it is no text"),
    ("sim.results.__main__", "--check nowhere", "cannot read nowhere: No such file or directory"),
    ("sim.report", "", "name at least one run"),
    ("sim.report", "nowhere", "nowhere does not exist"),
    ("sim.report", "file://host/x", "file://host/x names another host"),
    ("sim.training_report", "", "name a study: python -m sim.training_report runs/NAME"),
    ("sim.training_report", "nowhere", "nowhere does not exist"),
    ("sim.training_report", "a b", "b"),
    ("figures.__main__", "nothing", "unknown figure 'nothing'"),
    ("figures.__main__", "scaling scaling --folder .", "NAMES lists a value twice"),
    ("figures.__main__", "training_growth --folder .", "needs --study"),
    ("figures.__main__", "--folder nowhere", "there is no folder nowhere"),
    ("sim.statements.later", "nothing", "unknown later theorem 'nothing'"),
    ("sim.statements.later", "lazy-training lazy-training", "NAME lists a value twice"),
    ("sim.statements.later", "--seeds 16", "--seeds must be at least 160, not 16"),
    ("notebooks.make", "nothing", "unknown notebook 'nothing'"),
    ("notebooks.make", "1_law 1_law", "NAMES lists a value twice"),
    ("benchmarks.__main__", "--repeats 0", "repeats must be at least 1, not 0"),
    ("benchmarks.__main__", "--sides 7", "a sweep needs two sides or more"),
    ("benchmarks.__main__", "--sides 7 8", "needs a side divisible by 2"),
    ("benchmarks.__main__", "--sides 8 8", "--sides lists a value twice"),
    ("benchmarks.__main__", "--only machine machine", "--only lists a value twice"),
    ("benchmarks.__main__", "--only nothing", "invalid choice: 'nothing'"),
    ("benchmarks.__main__", "--seeds 0", "seeds must be at least 1, not 0"),
    ("benchmarks.__main__", "--until nan", "--until must be a positive number, not nan"),
    ("benchmarks.__main__", "--json /nowhere/x", "cannot write /nowhere/x"),
)
"""Command, arguments, and a part of the sentence."""


def refused(command, arguments, capsys):
    """The line with which a command ends in this process."""
    module = importlib.import_module(command)
    with pytest.raises(SystemExit) as stop:
        run(lambda: module.main(arguments))
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out) == (2, ""), printed.err
    (line,) = printed.err.splitlines()
    assert "Warning" not in line
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_what_no_command_takes(command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for arguments, sentence in EVERYWHERE:
        assert sentence in refused(command, arguments, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "arguments", "sentence"), CASES)
def test_what_means_nothing(command, arguments, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(command, shlex.split(arguments), capsys)
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_a_case():
    assert {command for command, *_ in CASES} == set(COMMANDS)


# --- any text

TEXT = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["1e400", "-0", "1_0", "١", "0x10", "1:1", "inf", "nan", "--", "-1", "a=b"]),
).filter(lambda text: text not in ("-h", "--help"))

FLAGS = {
    "scaling": ("widths", "sizes", "norms", "quantity", "std", "until", "input", "init", "classes"),
    "vulnerability": ("eps", "attack-norms", "steps", "within", "labels", "arch"),
    "audit": ("head", "sizes", "dtype", "distribution"),
    "penalty": ("eps", "attack-norms", "train-eps", "seeds"),
    "pretrained": ("sizes", "norms", "count", "input", "channels"),
    "atlas": ("models", "sizes", "seeds", "seed", "workers"),
    "training": ("trainings", "sizes", "compared-size", "learning-rate", "data", "workers"),
    "calibration": ("seeds", "replicates", "seed"),
    "statements": ("seeds", "seed"),
    "results": ("table",),
}


def configured(experiment, arguments):
    """The configuration of an experiment, checked as its command does before it begins."""
    from sim.running import command_line

    module = importlib.import_module(f"sim.{experiment}.configuration")
    with command_line.one_sentence():
        (config,) = command_line.parse(
            (module.Config,), f"python -m sim.{experiment}", "", arguments
        )
        for name in ("planned", "check", "rows"):
            if hasattr(module, name):
                getattr(module, name)(config)


@pytest.mark.parametrize(
    ("experiment", "flag"), [(name, flag) for name, flags in FLAGS.items() for flag in flags]
)
def test_any_text_is_a_value_or_one_sentence(experiment, flag, capsys):
    base = "--arch mlp --depth 1 --input gaussian".split()  # noqa: SIM905
    base = base if experiment in ("scaling", "vulnerability", "audit") else []
    base = [
        x
        for pair in zip(base[::2], base[1::2], strict=True)
        if pair[0] != f"--{flag}"
        for x in pair
    ]

    @settings(max_examples=20)
    @given(st.lists(TEXT, min_size=1, max_size=2))
    def holds(values):
        capsys.readouterr()
        try:
            configured(experiment, [*base, f"--{flag}", *values])
        except SystemExit as stop:
            printed = capsys.readouterr()
            assert (stop.code, printed.out) == (2, "")
            assert len(printed.err.splitlines()) == 1, printed.err
            assert "Warning" not in printed.err

    holds()
