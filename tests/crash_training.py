"""Kill studies of training at random times, continue them, compare them bit by bit.

`python tests/crash_training.py` prints how many of 20 studies, ended twice each by SIGKILL, had in
the end the files of a study that nobody killed; its exit status is 1 unless all did. `--signal`
sends another signal, as in `crash.py`.
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
from crash import STATUS, ended_by, wait_for_lock

STUDY = (
    *("--sizes", "8", "16", "--trainings", "ordinary", "pgd-linf:0.1", "--compared-size", "8"),
    *("--compared", "penalty-l2:0.1", "--width", "4", "--depth", "2", "--batch", "100"),
    *("--attack-norms", "inf", "--eps", "0.1", "--steps", "2", "--measured", "40"),
    *("--attacked", "20", "--seeds", "2"),
)
KILLS = 2
"""Of one study, the second one while it continues."""


@dataclass(frozen=True)
class Killed:
    """One study that was killed and continued."""

    midway: int
    """How many of the kills came between the first finished epoch and the last training."""
    identical: bool
    """Whether its files are those of a study that nobody killed, and the signal ended it."""


def trials(times: int, epochs: int, folder: Path, key: int = 0, name: str = "KILL") -> list[Killed]:
    """End so many studies of so many epochs, below `folder`, at times drawn with the key."""
    draw, flags = random.Random(key), (*STUDY, "--epochs", str(epochs))
    _finish(folder / "first", flags)  # compiles, for those that follow
    start = time.monotonic()
    _finish(folder / "reference", flags)
    duration, expected = time.monotonic() - start, _arrays(folder / "reference")
    found: list[Killed] = []
    while len(found) < times:
        path, midway, killed, stopped = folder / f"killed-{len(found)}", 0, 0, True
        while killed < KILLS:
            process = _command(path, flags)
            wait_for_lock(path, process)
            time.sleep(draw.uniform(0, duration))
            by_signal = ended_by(process, name)
            if by_signal is None:
                shutil.rmtree(path)
                killed = midway = 0
                continue
            killed, stopped = killed + 1, stopped and by_signal
            midway += len(list(path.glob("c*/[!.]*.npz"))) > 0 and not _is_whole(path, expected)
        _finish(path, flags)
        is_clean = not list(path.glob("checkpoints/*"))
        found.append(Killed(midway, stopped and is_clean and _same(_arrays(path), expected)))
        shutil.rmtree(path)
    return found


def _command(path: Path, flags: tuple[str, ...]) -> subprocess.Popen:
    command = [sys.executable, "-m", "sim.training", *flags, "--out", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(path: Path, flags: tuple[str, ...]) -> None:
    process = _command(path, flags)
    _, error = process.communicate()
    if process.returncode or error:
        raise RuntimeError(error)


Arrays = dict[str, dict[str, np.ndarray]]


def _arrays(path: Path) -> Arrays:
    found: Arrays = {}
    for file in sorted(path.glob("cells/*")):
        with np.load(file) as stored:
            found[file.name] = {name: stored[name] for name in stored.files}
    return found


def _is_whole(path: Path, expected: Arrays) -> bool:
    return {file.name for file in path.glob("cells/[!.]*.npz")} == set(expected)


def _same(found: Arrays, expected: Arrays) -> bool:
    if found.keys() != expected.keys():
        return False
    pairs = [(found[name], expected[name]) for name in expected]
    return all(
        one.keys() == other.keys() and all(one[k].tobytes() == other[k].tobytes() for k in other)
        for one, other in pairs
    )


def main() -> int:
    """The command line; returns 0 if all studies are identical, otherwise 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--signal", choices=tuple(STATUS), default="KILL")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--key", type=int, default=0)
    chosen = parser.parse_args()
    # where this runs in the background a shell has interruptions ignored, here and in children
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        found = trials(chosen.times, chosen.epochs, Path(folder), chosen.key, chosen.signal)
    identical, midway = sum(one.identical for one in found), sum(one.midway for one in found)
    print(
        f"{len(found)} studies ended {KILLS} times each by SIG{chosen.signal}, {midway} of "
        f"{KILLS * len(found)} times between the first epoch and the end of the last training; "
        f"{identical} of {len(found)} ended with identical files."
    )
    return 0 if identical == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
