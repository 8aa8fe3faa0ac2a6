"""One run over several devices and processes: the same bits, and an end for all of them."""

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from sim.sampling import hosts
from sim.scaling.configuration import Config
from sim.scaling.experiment import run

CONFIG = Config(
    arch="mlp", depth=1, widths=(4,), sizes=(2, 4), norms=("1",), input="gaussian", seeds=128
)
FLAGS = "--arch mlp --depth 1 --widths 4 --sizes 2 4 --norms 1 --input gaussian".split()  # noqa: SIM905
COMMAND = [sys.executable, "-m", "sim.scaling", *FLAGS]


class Processes:
    """`python -m sim.scaling` as several processes on this machine."""

    def __init__(self, count, *flags):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        common = ["--distributed", "--coordinator", address, "--processes", str(count)]
        self.started = [
            subprocess.Popen(
                [*COMMAND, *common, "--process", str(index), *map(str, flags)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for index in range(count)
        ]  # fmt: skip

    def end(self):
        """(status, stdout, stderr) of each."""
        both = [process.communicate() for process in self.started]
        return [
            (process.returncode, *texts) for process, texts in zip(self.started, both, strict=True)
        ]


def bits(samples):
    return samples["norm"].values.view(np.uint32)


def test_two_processes_of_two_devices_sample_the_bits_of_one_process(tmp_path):
    path = tmp_path / "run"
    first, second = Processes(2, "--seeds", 128, "--devices", 2, "--out", path, "--json", "-").end()
    assert (first[0], second) == (0, (0, "", "")), (first, second)
    assert json.loads(first[1])["points"][0]["seeds"] == 128
    assert "exponent of d" in first[2]
    assert "Gloo" not in first[2]
    samples = xr.open_zarr(path).load()
    assert samples["finished"].all()
    np.testing.assert_array_equal(bits(samples), bits(run(CONFIG)))
    (session,) = samples.attrs["sessions"]
    assert (session["processes"], session["devices"]) == (2, 4)
    # whole files for each: the second process computed the second one
    assert (path / "norm/c/1/0/1/0/0").exists()


@pytest.mark.parametrize(
    "killed", [pytest.param(0), pytest.param(1, marks=pytest.mark.slow)], ids=["first", "second"]
)
def test_a_killed_process_stops_the_other_and_the_run_continues(tmp_path, killed):
    path = tmp_path / "run"
    both = Processes(2, "--seeds", 60_000, "--out", path)
    while not (_finished(path, 0) and _finished(path, 30_016)) and both.started[1].poll() is None:
        time.sleep(0.1)
    both.started[killed].send_signal(signal.SIGKILL)
    ended = both.end()
    assert ended[killed][0] == -signal.SIGKILL
    status, out, err = ended[1 - killed]
    assert (status, out) == (hosts.LOST, ""), err
    assert err.startswith("stopped, because another process of the run has ended (JAX's words: ")
    assert err.endswith(f"what is finished is kept in {path}, and the same command continues.\n")
    assert err.count("\n") == 1
    some = replace(CONFIG, seeds=256)
    np.testing.assert_array_equal(bits(run(some, out=str(path))), bits(run(some)))


def _finished(path, seed):
    # a chunk is there once some of its samples are finished
    return (path / f"finished/c/{seed // 64}/0/1").exists()


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("--out",), ("--until", 0.03, "--dtype", "float64")])
def test_four_processes_report_what_one_process_reports(tmp_path, flags):
    one = [*COMMAND, "--seeds", "300", "--json", "-"]
    several = list(flags)
    if flags == ("--out",):
        several.append(tmp_path / "run")
    else:
        one += map(str, flags)
    alone = subprocess.run(one, capture_output=True, text=True, check=True)
    first, *others = Processes(4, "--seeds", 300, "--json", "-", *several).end()
    assert others == [(0, "", "")] * 3
    found, expected = json.loads(first[1]), json.loads(alone.stdout)
    assert found["points"] == expected["points"]
    assert found["fits"] == expected["fits"]


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_process_that_does_not_come_is_one_sentence(index):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = ["--distributed", "--coordinator", address, "--processes", "2", "--timeout", "2"]
    done = subprocess.run(
        [*COMMAND, *flags, "--process", str(index)], capture_output=True, text=True, check=False
    )
    sentences = (
        "not all 2 processes of the run came within 2 seconds (--timeout); process 0 waited for "
        f"them at {address}.\n",
        f"process 0 could not be reached at {address} within 2 seconds (--timeout).\n",
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentences[index])


@pytest.mark.slow
def test_what_one_process_refuses_ends_all(tmp_path):
    """A foreign folder: process 0 says so, and the other one does not wait."""
    (tmp_path / "notes.txt").write_text("notes")
    first, second = Processes(2, "--out", tmp_path).end()
    assert first == (2, "", f"{tmp_path} is not a run.\n")
    assert second == (2, "", "process 0 stopped the run, and says why.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
