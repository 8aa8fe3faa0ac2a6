"""The memory that commands estimate before they run, beside what they took: each in a process."""

import contextlib
import importlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sim.running.needs import Needs

SMALL = "--arch mlp --depth 1 --widths 8 --sizes 2 4 --input gaussian"
DENSE = "--arch mlp --sizes 2 4 --sampler dense --norms 1"
DENSE_ATTACKED = "--sizes 4 8 --eps 0.01 --attack-norms 2 --steps 1"
STUDY = "--trainings ordinary --compared --epochs 1 --eps 0.1 --attack-norms 2 --steps 2"

CASES = (
    f"sim.scaling {SMALL} --seeds 16",
    f"sim.scaling {SMALL} --norms 1 --seeds 400000",
    f"sim.scaling {SMALL} --norms 1 --seeds 4000000",
    f"sim.scaling {SMALL} --seeds 400000",
    f"sim.scaling {SMALL} --seeds 50000 --out RUN",
    f"sim.scaling {SMALL} --seeds 16 --devices 8",
    f"sim.scaling {SMALL} --seeds 4 --inputs-per-seed 5000",
    f"sim.scaling {SMALL} --seeds 4 --inputs-per-seed 100000 --sampler dense",
    f"sim.scaling {DENSE} --widths 6000 --seeds 16",
    f"sim.scaling {DENSE} --widths 4000 --seeds 4 --dtype float64",
    "sim.scaling --arch mlp --seeds 16",
    "sim.scaling --arch mlp --widths 20000 --sizes 64 256 --seeds 16 --norms 1 --input gaussian",
    "sim.scaling --arch cnn --widths 16 --sizes 16 64 --seeds 16 --norms 1 --inputs-per-seed 64",
    "sim.scaling --arch cnn --widths 512 --sizes 8 16 --seeds 4 --norms 1 --input gaussian",
    "sim.vulnerability --seeds 16",
    f"sim.vulnerability {SMALL} --seeds 50000 --eps 0.01 --attack-norms 2 inf --steps 1",
    f"sim.vulnerability {DENSE_ATTACKED} --widths 3000 --seeds 4",
    "sim.audit --arch mlp --seeds 16",
    f"sim.audit {SMALL} --seeds 50000",
    "sim.penalty --seeds 4 --epochs 1 --attack-norms 2",
    "sim.penalty --seeds 64 --epochs 1 --width 128 --attack-norms 2",
    f"sim.training {STUDY} --sizes 8 --seeds 2",
    f"sim.training {STUDY} --sizes 8 16 --seeds 2",
    "sim.calibration coverage --replicates 200",
    "sim.calibration false-alarms --replicates 16 --seeds 400000",
    "sim.statements sqrt-d-law",
    "sim.statements corollary-6 --seeds 40000",
    "sim.statements constant-signal-to-noise gaussian-head",
    "sim.statements",
)
"""Commands; RUN stands for a new folder."""


AT_ONCE = 4
"""Commands that run at the same time, which changes no memory."""


def all_measured() -> list[dict[str, Any]]:
    """`measured` of all commands, in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(measured, CASES))


def measured(command: str) -> dict[str, Any]:
    """Estimated and largest memory of a command, in bytes, in a process with nothing compiled."""
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, "-m", "benchmarks.memory"]
        words += command.replace("RUN", str(Path(place) / "run")).split()
        own = os.environ | {"XDG_CACHE_HOME": place}
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=own)
    return {"command": command, **json.loads(done.stdout)}


def run(words: list[str]) -> dict[str, int]:
    """Runs a command here, and says what it compares with the memory that is free."""
    estimates: list[int] = []
    Needs.refuse = lambda self, free=None: estimates.append(self.memory)
    module = importlib.import_module(f"{words[0]}.__main__")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = module.main(words[1:])
    assert status == 0, words
    return {"estimated": max(estimates), "peak": _peak()}


def _peak() -> int:
    """The largest resident memory of this process, in bytes.

    Linux counts that of the process which started it in `getrusage`, but not in its own file.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def show(rows: list[dict[str, Any]]) -> None:
    """The table of docs/memory.md."""
    print("\n| command | estimated, MiB | measured, MiB | measured / estimated |")
    print("| --- | ---: | ---: | ---: |")
    for row in rows:
        sizes = " | ".join(f"{row[name] / 2**20:.0f}" for name in ("estimated", "peak"))
        print(f"| `python -m {row['command']}` | {sizes} | {row['peak'] / row['estimated']:.2f} |")
    ratios = [row["peak"] / row["estimated"] for row in rows]
    print(
        f"\n{len(rows)} commands; measured / estimated from {min(ratios):.2f} to {max(ratios):.2f}."
    )


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1:])))
