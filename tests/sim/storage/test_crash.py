"""Short versions of `python tests/crash.py` and `python tests/crash_training.py`.

Runs and studies killed with SIGKILL end as if they had never been killed.
"""

import os
import signal
import subprocess
import sys
import time

import crash_training
import pytest
import xarray as xr
from crash import trials

pytestmark = pytest.mark.slow


def test_killed_runs_end_with_the_samples_of_a_run_that_nobody_killed(tmp_path):
    found = trials(3, 100, tmp_path)
    assert len(found) == 3
    assert all(trial.identical for trial in found)
    assert [trial.extended for trial in found] == [False, True, False]


def test_killed_studies_end_with_the_files_of_a_study_that_nobody_killed(tmp_path):
    found = crash_training.trials(2, 20, tmp_path)
    assert [study.identical for study in found] == [True, True]


def test_a_study_that_starts_anew_with_other_draws_is_noticed(tmp_path):
    """The comparison itself: another key gives other files of the same names."""
    for key in ("0", "1"):
        flags = (*crash_training.STUDY, "--epochs", "1", "--seed", key)
        crash_training._finish(tmp_path / key, flags)
    one, other = (crash_training._arrays(tmp_path / key) for key in ("0", "1"))
    assert one.keys() == other.keys()
    assert crash_training._same(one, one)
    assert not crash_training._same(one, other)


def test_signals_end_a_run_with_a_sentence_and_it_continues(tmp_path):
    run = tmp_path / "run"
    flags = "--arch mlp --depth 1 --widths 4 --sizes 2 4 --input gaussian --norms 1"
    command = [sys.executable, "-m", "sim.scaling", *flags.split(), "--out", str(run)]
    finished = [0]
    for sent, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = subprocess.Popen(
            [*command, "--seeds", "100000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while _finished(run) <= finished[-1] and process.poll() is None:
            time.sleep(0.2)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr == f"another process is working on {run}.\n"
        os.kill(process.pid, sent)
        out, err = process.communicate()
        assert process.returncode == status, err
        assert out == ""
        kept = f"what is finished is kept in {run}"
        assert err == f"stopped; {kept}, and the same command continues.\n"
        finished.append(_finished(run))
    assert finished == sorted(set(finished))


def _finished(run):
    try:
        return int(xr.open_zarr(run, chunks=None)["finished"].sum())
    except Exception:  # not there yet
        return 0
