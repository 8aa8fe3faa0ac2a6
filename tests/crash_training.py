"""Kill studies of training with SIGKILL at random times, continue them, compare them bit by bit.

`python tests/crash_training.py` prints how many of 20 studies, killed twice each, ended with the
files of a study that nobody killed; its exit status is 1 unless all did.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crash import wait_for_lock

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
    """Whether its files are those of a study that nobody killed."""


def trials(studies: int, epochs: int, folder: Path, key: int = 0) -> list[Killed]:
    """Kill so many studies of so many epochs, below `folder`, at times drawn with the key."""
    draw, flags = random.Random(key), (*STUDY, "--epochs", str(epochs))
    _finish(folder / "first", flags)  # compiles, for those that follow
    start = time.monotonic()
    _finish(folder / "reference", flags)
    duration, expected = time.monotonic() - start, _arrays(folder / "reference")
    found: list[Killed] = []
    while len(found) < studies:
        path, midway, killed = folder / f"killed-{len(found)}", 0, 0
        while killed < KILLS:
            process = _command(path, flags)
            wait_for_lock(path, process)
            time.sleep(draw.uniform(0, duration))
            process.kill()
            process.communicate()
            if process.returncode == 0:  # it was faster
                shutil.rmtree(path)
                killed = midway = 0
                continue
            killed += 1
            midway += len(list(path.glob("c*/[!.]*.npz"))) > 0 and not _is_whole(path, expected)
        _finish(path, flags)
        is_clean = not list(path.glob("checkpoints/*"))
        found.append(Killed(midway, is_clean and _same(_arrays(path), expected)))
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
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--key", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = trials(chosen.studies, chosen.epochs, Path(folder), chosen.key)
    identical, midway = sum(one.identical for one in found), sum(one.midway for one in found)
    print(
        f"{len(found)} studies killed {KILLS} times each, {midway} of {KILLS * len(found)} times "
        f"between the first epoch and the end of the last training; {identical} of {len(found)} "
        "ended with identical files."
    )
    return 0 if identical == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
