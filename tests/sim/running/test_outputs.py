"""Files come first; then the table, in what standard output can show, if anything can be shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim import report, training_report
from sim.scaling.__main__ import main as scaling
from sim.training.__main__ import main as training
from sim.vulnerability.__main__ import main as vulnerability
from theory import console

COMMAND = """
import sys
from sim.running.command_line import Json
from theory import console
from theory.printout import Line, Printout

def printout():
    return Printout("√d → ‖∂L‖₂", remarks=(Line("√d → ‖∂L‖₂"),) * 20000)

def main():
    output = Json("FILE")
    output.refuse()
    output.deliver(printout, lambda: '{"√d": 1}')
    return 1

sys.exit(console.run(main))
"""
"""A command that contradicts a law, with a table that no pipe holds."""


@pytest.mark.parametrize(
    ("where", "status", "said"),
    [
        ("| head -n 1 > table", 1, ""),
        (">&-", 1, ""),
        (">&- 2>&-", 1, ""),
        ("> /dev/full", 2, "cannot write to standard output: No space left on device.\n"),
        ("> table", 1, ""),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", None])
def test_whatever_becomes_of_the_table_the_file_is_there(where, status, said, encoding, tmp_path):
    """None is the locale of the simplest system."""
    (tmp_path / "command.py").write_text(COMMAND.replace("FILE", "file.json"), encoding="utf-8")
    script = f"{sys.executable} command.py {where}; exit ${{PIPESTATUS[0]}}"
    about = {"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    if encoding is None:
        about |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    else:
        about |= {"PYTHONIOENCODING": encoding}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path, env=about
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)
    assert json.loads((tmp_path / "file.json").read_text(encoding="utf-8")) == {"√d": 1}
    if where.endswith("table"):
        first = (tmp_path / "table").read_text(encoding="utf-8").splitlines()[0]
        assert first == ("√d → ‖∂L‖₂" if encoding == "utf-8" else "?d ? ??L??")


def test_json_to_a_closed_standard_output_is_refused(tmp_path):
    (tmp_path / "command.py").write_text(COMMAND.replace("FILE", "-"), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} command.py >&-"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert "cannot write to standard output: it is closed." in done.stderr


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (scaling, "--arch mlp --out new --json new", "cannot write new: that and new, a run"),
        (scaling, "--arch mlp --out new --html new/a.html", "cannot write new/a.html: that and"),
        (scaling, "--arch mlp --out new/a --figure new/a/b.png", "cannot write new/a/b.png"),
        (scaling, "--arch mlp --json a --html ./a", "two results would be written to a."),
        (vulnerability, "--arch mlp --out new --json new", "cannot write new: that and new, a run"),
        (training, "--out new --json new", "cannot write new: that and new, a run"),
        (training, "--json - --markdown -", "two results would be written to standard output."),
        (training, "--batch 100000", "--batch must be at most the 1437 training images, not 1000"),
        (training, "--out ftp:/ --json a/b", "cannot write a/b: No such file or directory."),
        (report.main, "run --json run/zarr.json", "cannot write run/zarr.json: that and run, a"),
        (training_report.main, "run --json run", "cannot write run: "),
    ],
)
def test_outputs_in_each_other_are_refused_before(
    main, arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        console.run(lambda: main(arguments.split()))
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out) == (2, "")
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
