"""Dense networks that are never formed: seconds per seed, growth with d, time to precision.

`python -m benchmarks.dense` prints one JSON object. With PyTorch installed it is timed as well.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from theory import architectures

HALF_WIDTH = 0.005
SIDES = (32, 128)
GROWTH = ((100, 4), (316, 4), (1000, 2), (3162, 1))
"""Sides and seeds of the measurement of growth: d = 30 000 to 30 million."""


def compare(side: int, repeats: int) -> dict[str, float]:
    """Median seconds per seed of every way, for four hidden layers of 512 units."""
    from benchmarks import convolutions, peers
    from benchmarks.timing import in_turns

    network = architectures.mlp(width=512, depth=4)
    formed = 8
    ways: dict[str, Callable[[], object]] = {
        "ours": convolutions.ours(network, (side,), 64 * formed),
        "jax vmap": convolutions.plain(network, side, formed),
    }
    if peers.TORCH:
        ways["torch loop"] = peers.loop(network, side, formed)
        ways["torch vmap"] = peers.mapped(network, side, formed)
    seconds, _ = in_turns(ways, repeats)
    return {way: t / formed / (64 if way == "ours" else 1) for way, t in seconds.items()}


def run_once(width: int, side: int, seeds: int) -> dict[str, float]:
    """Seconds per seed, without compilation, and peak memory in bytes of this whole process."""
    from benchmarks import convolutions

    network = architectures.mlp(width=width, depth=4)
    draw = convolutions.ours(network, (side,), seeds)
    draw()
    start = time.perf_counter()
    draw()
    seconds = (time.perf_counter() - start) / seeds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"width": width, "d": 3 * side**2, "seconds": seconds, "peak_bytes": peak}


def growth(width: int) -> tuple[float, list[dict[str, float]]]:
    """Fitted exponent of the time in d, each size in a process of its own."""
    rows = [_apart(width, side, seeds) for side, seeds in GROWTH]
    logs = np.log([[row["d"], row["seconds"]] for row in rows])
    return float(np.polyfit(*logs.T, 1)[0]), rows


def _apart(width: int, side: int, seeds: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.dense", "--one", *map(str, (width, side, seeds))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def time_to_precision() -> dict[str, float]:
    """Seconds until the exponent of E‖∂L‖₁ over the default sides is known to `HALF_WIDTH`.

    Ours: a fresh process with `--until`, compilation included. PyTorch: seconds per seed at every
    side, times the seeds that independent sizes need, from the law's spread measured by us.
    """
    from sim.scaling import Config, run
    from sim.statistics import slope_weights

    command = [sys.executable, "-m", "sim.scaling", "--arch", "mlp", "--depth", "4", "--norms", "1"]
    command += ["--widths", "512", "--input", "gaussian", "--until", str(HALF_WIDTH)]
    start = time.perf_counter()
    subprocess.run([*command, "--json", "-"], check=True, capture_output=True)
    found = {"ours": time.perf_counter() - start}

    from benchmarks import peers

    if peers.TORCH:
        config = Config("mlp", depth=4, widths=(512,), norms=("1",), input="gaussian", seeds=1024)
        norms = run(config)["norm"].squeeze().values
        ds = 3 * np.array([8, 16, 32, 64]) ** 2.0
        relative = norms.std(axis=0, ddof=1) / norms.mean(axis=0)
        spread = np.sqrt(np.sum((slope_weights(ds) * relative) ** 2))
        seeds = (1.96 * spread / HALF_WIDTH) ** 2
        each = 0.0
        for side in (8, 16, 32, 64):
            loop = peers.loop(architectures.mlp(width=512, depth=4), side, 8)
            loop()
            start = time.perf_counter()
            loop()
            each += (time.perf_counter() - start) / 8
        found |= {"torch seeds": float(seeds), "torch loop": float(seeds) * each}
    return found


def main() -> None:
    """Print everything, or one size alone, which is how each size gets a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dense", description=__doc__)
    one = ("WIDTH", "SIDE", "SEEDS")
    parser.add_argument("--one", type=int, nargs=3, metavar=one, help="time and memory of one size")
    parser.add_argument("--repeats", type=int, default=5, help="turns of which to take the median")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(run_once(*chosen.one)))
        return
    result: dict[str, object] = {f"side {side}": compare(side, chosen.repeats) for side in SIDES}
    result["precision"] = time_to_precision()
    exponent, rows = growth(10_000)
    result |= {"growth exponent": exponent, "growth": rows, "wide": _apart(100_000, 100, 2)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
