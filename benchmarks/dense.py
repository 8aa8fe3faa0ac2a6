"""Dense networks that are never formed: seconds per seed, growth of time and memory with d."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import convolutions, peers
from benchmarks.timing import in_turns
from theory import architectures
from theory.fans import fan_in
from theory.network import Dense, output_shape

SIDES = (32, 128)
GROWTH = ((100, 4), (316, 4), (1000, 2), (3162, 1))
"""Sides and seeds of the measurement of growth: d = 30 000 to 30 million."""
WIDE = (100_000, 100, 2)
"""Width, side and seeds of the widest network."""


def compare(side: int, repeats: int) -> dict[str, Any]:
    """Median seconds per seed of every way, for four hidden layers of 512 units."""
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
    each = {way: t / formed / (64 if way == "ours" else 1) for way, t in seconds.items()}
    numbers = sum(variates(layer_sizes(network, side)))
    return {"d": 3 * side**2, "seconds": each, "normals": numbers / each["ours"]}


def layer_sizes(network: Any, side: int) -> list[tuple[int, int]]:
    """(fan-in, features) of every dense layer."""
    found, shape = [], network.input_shape(side)
    for layer in network.body.layers:
        if isinstance(layer, Dense):
            found.append((int(fan_in(layer, shape)), layer.features))
        shape = output_shape(layer, shape)
    return found


def variates(sizes: list[tuple[int, int]]) -> list[int]:
    """Normal variates that each unformed matrix draws: its columns forwards, its rows backwards."""
    return [rows + columns for rows, columns in sizes]


def run_once(width: int, side: int, seeds: int) -> dict[str, float]:
    """Seconds per seed, without compilation, and peak memory in bytes of this whole process."""
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
    rows = [apart(width, side, seeds) for side, seeds in GROWTH]
    logs = np.log([[row["d"], row["seconds"]] for row in rows])
    return float(np.polyfit(*logs.T, 1)[0]), rows


def apart(width: int, side: int, seeds: int) -> dict[str, float]:
    """`run_once` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.dense", *map(str, (width, side, seeds))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    print(json.dumps(run_once(*map(int, sys.argv[1:]))))
