"""Kill runs at random times, continue them, compare their samples bit by bit.

`python tests/crash.py` prints how many of 50 runs that SIGKILL ended had, when they were continued,
the samples of a run that nobody killed; its exit status is 1 unless all did. `--signal TERM` and
`--signal INT` send these, which must end a run with their status. Every other run is killed while
it extends a smaller one by seeds, a width and a size.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

NETWORK = ("--arch", "mlp", "--depth", "1", "--input", "gaussian", "--norms", "1")
SMALL = ("--widths", "4", "--sizes", "2", "8", "--seeds", "40")
WHOLE = ("--widths", "8", "4", "--sizes", "2", "4", "8")


STATUS = {"KILL": (-9,), "TERM": (143, -15), "INT": (130, -2)}
"""How a process may end by a signal; below 0 before it listens, or when Python is at its end.

What Python itself says of an interruption before that is no failure.
"""


@dataclass(frozen=True)
class Killed:
    """One run that was killed and continued."""

    extended: bool
    """Whether it extended a smaller run."""
    fraction: float | None
    """Share of its samples that were finished when it was killed; None before there was a run."""
    identical: bool
    """Whether its samples are those of a run that nobody killed, and it ended by the signal."""


def trials(times: int, seeds: int, folder: Path, key: int = 0, name: str = "KILL") -> list[Killed]:
    """Send a signal to so many runs of `seeds` seeds, below `folder`, at times drawn with the key.

    Runs that are finished before are tried again.
    """
    draw = random.Random(key)
    _command(folder / "small", SMALL).communicate()
    whole = (*WHOLE, "--seeds", str(seeds))
    duration, expected = _timed(folder / "reference", whole)
    found: list[Killed] = []
    while len(found) < times:
        path = folder / f"killed-{len(found)}"
        extended = len(found) % 2 == 1
        if extended:
            shutil.copytree(folder / "small", path)
        process = _command(path, whole)
        wait_for_lock(path, process)
        time.sleep(draw.uniform(0, duration))
        stopped = ended_by(process, name)
        if stopped is None:
            shutil.rmtree(path)
            continue
        fraction = _fraction(path)
        done = _command(path, whole)
        _, error = done.communicate()
        identical = done.returncode == 0 and error == "" and _same(path, expected)
        found.append(Killed(extended, fraction, identical and stopped))
        shutil.rmtree(path)
    return found


def ended_by(process: subprocess.Popen, name: str) -> bool | None:
    """Whether the signal ends the process with a status of its own; None if that was faster."""
    if process.poll() is None:
        process.send_signal(getattr(signal, f"SIG{name}"))
    _, error = process.communicate()
    if process.returncode == 0:
        return None
    if process.returncode not in STATUS[name] or (process.returncode > 0 and "Traceback" in error):
        print(f"status {process.returncode} after SIG{name}: {error}", file=sys.stderr)
        return False
    return True


def _command(path: Path, arguments: tuple[str, ...]) -> subprocess.Popen:
    command = [sys.executable, "-m", "sim.scaling", *NETWORK, *arguments, "--out", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _timed(path: Path, arguments: tuple[str, ...]) -> tuple[float, xr.Dataset]:
    """How long a run takes once its folder is there, and its dataset."""
    process = _command(path, arguments)
    wait_for_lock(path, process)
    start = time.monotonic()
    _, error = process.communicate()
    if process.returncode:
        raise RuntimeError(error)
    return time.monotonic() - start, xr.open_zarr(path, chunks=None).load()


def wait_for_lock(path: Path, process: subprocess.Popen) -> None:
    # before that nothing is written that a kill could spoil
    while not (path / ".lock").exists() and process.poll() is None:
        time.sleep(0.01)


def _fraction(path: Path) -> float | None:
    try:
        return float(xr.open_zarr(path, chunks=None)["finished"].mean())
    except Exception:  # killed while it was created or extended
        return None


def _same(path: Path, expected: xr.Dataset) -> bool:
    found = xr.open_zarr(path, chunks=None).load()
    norms = found["norm"].sel(width=expected["width"], size=expected["size"])
    bits = np.uint32
    return bool(found["finished"].all()) and np.array_equal(
        norms.values.view(bits), expected["norm"].values.view(bits)
    )


def main() -> int:
    """The command line; returns 0 if all samples are identical, otherwise 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--signal", choices=tuple(STATUS), default="KILL")
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--key", type=int, default=0)
    chosen = parser.parse_args()
    # where this runs in the background a shell has interruptions ignored, here and in children
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        found = trials(chosen.times, chosen.seeds, Path(folder), chosen.key, chosen.signal)
    midway = sum(trial.fraction is not None and 0 < trial.fraction < 1 for trial in found)
    identical = sum(trial.identical for trial in found)
    print(
        f"{len(found)} runs ended by SIG{chosen.signal}, {midway} of them between the first and "
        f"the last sample; {identical} of {len(found)} ended with identical samples."
    )
    return 0 if identical == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
