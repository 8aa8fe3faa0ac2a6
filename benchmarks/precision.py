"""Time until the exponent of E‖∂L‖₁ is known to a given half-width, against a PyTorch loop."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import peers
from sim.sampling import norms
from sim.sampling.draws import Draws
from sim.statistics.intervals import slope_weights
from theory import architectures


@dataclass(frozen=True)
class Case:
    """One network and the sides over which its exponent is fitted."""

    arch: str
    width: int
    depth: int
    sides: tuple[int, ...]
    flags: tuple[str, ...]
    """What lowers the variance (`benchmarks.variance`)."""


CASES = (
    Case("mlp", 512, 4, (8, 16, 32, 64), ("--integrate-first",)),
    # the pilot's 32 networks are enough without anything else
    Case("resnet", 64, 3, (16, 32, 64, 96), ()),
)
PILOT = 512
"""Networks from which the spread at one size is measured."""


def ours(case: Case, half_width: float) -> dict[str, float]:
    """Seconds of a fresh process that has to compile ("cold"), and of one that does not."""
    flags: dict[str, tuple[object, ...]] = {
        "--arch": (case.arch,),
        "--widths": (case.width,),
        "--depth": (case.depth,),
        "--sizes": case.sides,
        "--norms": (1,),
        "--input": ("gaussian",),
        "--seeds": (32,),
        "--until": (half_width,),
        "--json": ("-",),
    }
    words = [str(word) for flag, values in flags.items() for word in (flag, *values)]
    command = [sys.executable, "-m", "sim.scaling", *words, *case.flags]
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "warm"):
            start = time.perf_counter()
            done = subprocess.run(
                command, check=True, capture_output=True, env=os.environ | {"XDG_CACHE_HOME": cache}
            )
            found[name] = time.perf_counter() - start
            result = json.loads(done.stdout)
            low, high = result["fits"][0]["ci"]
            found |= {"seeds": result["seeds"], "half_width": (high - low) / 2}
    return found


def loop(case: Case, half_width: float) -> dict[str, float]:
    """Seeds and seconds of the PyTorch loop with an ordinary regression.

    Its networks are independent at every size, so that it takes as many as their spread there
    asks for, each at the pace that is measured.
    """
    network = architectures.find(case.arch).build(width=case.width, depth=case.depth)
    draws = Draws(("loss",), (1.0,))
    sampled = norms.sweep(network, case.sides, range(PILOT), draws)[:, :, 0, 0]
    relative = sampled.std(axis=1, ddof=1) / sampled.mean(axis=1)
    weights = slope_weights(3 * np.array(case.sides) ** 2.0)
    seeds = float(np.sum((1.96 * weights * relative / half_width) ** 2))
    each = sum(_seconds(peers.loop(network, side, 8)) / 8 for side in case.sides)
    return {"seeds": seeds, "seconds": seeds * each}


def _seconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
