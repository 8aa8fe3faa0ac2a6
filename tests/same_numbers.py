"""Whether two versions of this project print the same numbers: for restructurings.

`python tests/same_numbers.py BEFORE AFTER` runs the commands below in two checkouts and compares
the JSON that they print, prints how many numbers differ and by how much at most, and exits with 1
if any does by more than 1e-5 of itself. Runs that are continued were begun by BEFORE.
"""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SMALL = "--sizes 4 8 --seeds 16 --seed 3"
COMMANDS = {
    "mlp": f"sim.scaling --arch mlp --widths 8 16 {SMALL} --quantity loss logit --json -",
    "cnn-gap": f"sim.scaling --arch cnn --head gap --widths 8 --depth 2 {SMALL} --json -",
    "resnet": f"sim.scaling --arch resnet --widths 8 --depth 2 {SMALL} --json -",
    "mixer": "sim.scaling --arch mlp-mixer --widths 16 --depth 1 --sizes 8 16 --seeds 8 --json -",
    "float64": f"sim.scaling --arch cnn --widths 4 --depth 2 {SMALL} --dtype float64 --json -",
    "integrated": f"sim.scaling --arch mlp --widths 8 {SMALL} --integrate-first --norms 1 --json -",
    "until": "sim.scaling --arch mlp --widths 8 --sizes 4 8 --until 0.05 --seeds 16 --json -",
    "model": "sim.scaling --model examples.models:linen_cnn --sizes 8 16 --seeds 16 --json -",
    "vulnerability": f"sim.vulnerability --widths 8 {SMALL} --steps 3 --json -",
    "audit": f"sim.audit --arch resnet --widths 8 --depth 2 {SMALL} --json -",
    "penalty": "sim.penalty --seeds 2 --epochs 1 --width 16 --json -",
    "calibration": "sim.calibration coverage --replicates 100 --seeds 16 --json -",
    "statements": "sim.statements theorem-4 loss-gradient --json -",
    "theory": "theory.laws resnet --full",
}
KEPT = {
    "kept mlp": ("sim.scaling --arch mlp --widths 8 --sizes 4 8 --out {} --json -", 16, 48),
    "kept vulnerability": (
        "sim.vulnerability --widths 8 --sizes 4 8 --steps 2 --out {} --json -", 16, 32,
    ),
    "kept gap": (
        "sim.scaling --arch cnn --head gap --widths 8 --sizes 4 8 --out {} --json -", 8, 16,
    ),
}  # fmt: skip
"""Commands, the seeds of the first run, and those of the one that continues it."""


def printed(checkout: Path, command: str) -> str:
    """What a command prints in a checkout, on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=checkout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    return done.stdout


def numbers(found: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON value with its place."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from numbers(value, f"{place}.{key}")
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield from numbers(value, f"{place}[{i}]")
    else:
        yield place, found


def differences(before: str, after: str) -> tuple[list[str], float]:
    """The places that differ, and the largest relative difference; infinite between words."""
    if not before.startswith("{"):
        return ([] if before == after else ["the text"]), 0.0 if before == after else math.inf
    one, other = (dict(numbers(json.loads(text))) for text in (before, after))
    places = [place for place in {**one, **other} if one.get(place) != other.get(place)]
    worst = 0.0
    for place in places:
        pair = one.get(place), other.get(place)
        if all(isinstance(x, int | float) for x in pair):
            a, b = pair
            worst = max(worst, abs(a - b) / max(abs(a), abs(b)))
        else:
            worst = math.inf
    return places, worst


def main(before: Path, after: Path, chosen: list[str]) -> int:
    """Compare; the exit status."""
    failed = False

    def compare(name: str, one: str, other: str) -> None:
        nonlocal failed
        places, worst = differences(one, other)
        failed |= worst > 1e-5
        words = f"{len(places)} differ, by {worst:.1e} at most: {', '.join(places[:4])}"
        print(f"{name}: {words if places else 'the same to the last bit'}", flush=True)

    for name, command in COMMANDS.items():
        if not chosen or name in chosen:
            compare(name, printed(before, command), printed(after, command))
    for name, (command, first, more) in KEPT.items():
        if chosen and name not in chosen:
            continue
        with tempfile.TemporaryDirectory() as folder:
            places = [f"{folder}/one", f"{folder}/other"]
            for place in places:
                printed(before, f"{command.format(place)} --seeds {first}")
            one, other = (
                printed(checkout, f"{command.format(place)} --seeds {more}")
                for checkout, place in zip((before, after), places, strict=True)
            )
        compare(name, one, other)
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__)
        raise SystemExit(2)
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
