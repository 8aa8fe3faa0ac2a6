"""Matrices that are never formed: the same distribution, and the time for it against d."""

import os
import time
from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.sampling.draws import Draws
from sim.sampling.norms import sampler as compiled
from sim.scaling import Config
from theory.architectures import mlp

SIDE, WIDTH = 8, 16
TIMED_WIDTH = 512
SAMPLERS = ("lazy", "dense")


def draw(runs: Runs) -> Any:
    """Left: difference of the two empirical distribution functions. Right: time of a network."""
    figure, ((same, times),) = style.panels(1, 2, style.PAGE, 2.8)
    _distributions(same, runs)
    _times(times, runs)
    return figure


def _distributions(panel: Any, runs: Runs) -> None:
    seeds = 256 if runs.quick else 16384
    norms = {}
    for number, sampler in enumerate(SAMPLERS):
        config = Config(
            arch="mlp", widths=(WIDTH,), sizes=(4, SIDE), sampler=sampler, seeds=seeds, seed=number
        )  # independent: common random numbers would make the samples too much alike or too little
        samples = runs.scaling(f"sampling-{sampler}", config)["norm"].sel(size=SIDE)
        norms[sampler] = samples.squeeze(("width", "quantity"))
    for i, q in enumerate(("1", "2", "inf")):
        one, other = (np.sort(norms[sampler].sel(q=q).values) for sampler in SAMPLERS)
        at = np.quantile(np.concatenate([one, other]), np.linspace(0, 1, 401))
        below = [np.searchsorted(v, at, side="right") / seeds for v in (one, other)]
        label = style.norm("loss", q).replace(r"\mathbb{E}\,", "")
        style.line(panel, i, (below[0] + below[1]) / 2, below[0] - below[1], label=label)
    band = 1.358 * np.sqrt(2 / seeds)  # Kolmogorov and Smirnov: exceeded in 5 % of equal samples
    panel.axhspan(-band, band, color="grey", alpha=0.2, linewidth=0)
    panel.set_ylim(-2.6 * band, 2.6 * band)
    panel.axhline(0, color="black", linewidth=0.6)
    panel.text(0.5, 1.1 * band, "95 % of equal distributions stay in the band", ha="center",
               fontsize=7.5, color="dimgrey")  # fmt: skip
    panel.legend(loc="lower center", ncols=3, handlelength=2.5, columnspacing=1)
    panel.set_xlabel("distribution function (mean of both)")
    panel.set_ylabel("lazy − dense")
    panel.set_title(f"{seeds} networks of width {WIDTH} each, $d$ = {3 * SIDE**2}")


def _times(panel: Any, runs: Runs) -> None:
    sides = (8, 16) if runs.quick else (8, 16, 32, 64, 128)
    ends, cores, ds = [], os.cpu_count(), [3 * side**2 for side in sides]
    for i, sampler in enumerate(SAMPLERS):
        times = 1e3 * np.array([_seconds(sampler, side, runs.quick) for side in sides])
        middle, spread = np.median(times, axis=1), np.array([times.min(1), times.max(1)]).T
        style.line(panel, i, ds, middle)
        style.points(panel, i, ds, middle, spread)
        name = "never formed" if sampler == "lazy" else "dense"
        ends.append(style.End(i, ds[-1], middle[-1], name))
    runs.used["sampling-times"] = {"width": TIMED_WIDTH, "sides": sides, "cores": cores}
    style.logarithmic(panel, ds)
    panel.set_xlabel(r"input dimension $d$")
    panel.set_ylabel("ms per network")
    panel.set_title(f"width {TIMED_WIDTH}, {cores} cores; median of 5, range")
    panel.figure.draw_without_rendering()
    style.label_ends(panel, ends)


def _seconds(sampler: str, side: int, quick: bool) -> list[float]:
    """Wall time of one network, without compilation, five times."""
    draws = Draws(("loss",), (1.0, 2.0, float("inf")), lazy=sampler == "lazy")
    seeds = (256 if sampler == "lazy" else 16) // (4 if quick else 1)
    draw = compiled(mlp(width=TIMED_WIDTH), (side,), draws, seeds)
    found = []
    for turn in range(6):
        start = time.perf_counter()
        draw(range(turn * seeds, (turn + 1) * seeds), lambda done: None)
        found.append((time.perf_counter() - start) / seeds)
    return found[1:]
