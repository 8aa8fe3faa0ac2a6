"""The √d law: mean norms against the input dimension, with intervals and the predicted lines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from figures import style
from sim import statistics
from sim.cli import replacing
from sim.statistics import Fit, Point


def write(samples: xr.Dataset, path: str) -> None:
    """Draw the run to a file; its ending (.png, .svg, .pdf) is the format."""
    write_runs({str(samples.attrs["arch"]): samples}, path)


def write_runs(runs: Mapping[str, xr.Dataset], path: str) -> None:
    """Draw several runs one below the other, with one column for each quantity and norm."""
    from matplotlib.figure import Figure

    columns = _columns(runs)
    with style.styled():
        figure = Figure(figsize=(0.4 + 2.6 * len(columns), 0.4 + 2.2 * len(runs)))
        axes = figure.subplots(len(runs), len(columns), squeeze=False, sharex="row")
        for row, (title, samples) in zip(axes, runs.items(), strict=True):
            fits, points = statistics.fit(samples), statistics.points(samples)
            for panel, (quantity, q) in zip(row, columns, strict=True):
                _draw(panel, quantity, q, fits, points)
                panel.set_title(f"{title}: {_label(quantity, q)}")
        for panel in axes[-1]:
            panel.set_xlabel(r"input dimension $d$")
        figure.suptitle(
            "points: measured means with 95 % intervals; lines: predicted", fontsize="small"
        )
        configs = {title: samples.attrs["config"] for title, samples in runs.items()}
        with replacing(path) as part:
            figure.savefig(part, metadata=style.metadata(path, str(configs)))


def _columns(runs: Mapping[str, xr.Dataset]) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for samples in runs.values():
        for quantity in samples["quantity"].values:
            for q in samples["q"].values:
                found[str(quantity), str(q)] = None
    return list(found)


def _label(quantity: str, q: str) -> str:
    what = "L" if quantity == "loss" else "f_k"
    norm = {"1": "1", "2": "2", "inf": r"\infty"}.get(q, q)
    return rf"$\mathbb{{E}}\,\|\partial_x {what}\|_{{{norm}}}$"


def _draw(panel: Any, quantity: str, q: str, fits: list[Fit], points: list[Point]) -> None:
    chosen = [fit for fit in fits if (fit.quantity, fit.q) == (quantity, q)]
    for i, fit in enumerate(chosen):
        own = [p for p in points if (p.quantity, p.q, p.width) == (quantity, q, fit.width)]
        colour, marker = style.COLOURS[i % 6], style.MARKERS[i % 6]
        ds = np.array([p.d for p in own], float)
        means, low, high = np.array([(p.mean, *p.interval) for p in own]).T
        panel.errorbar(
            ds, means, yerr=(means - low, high - means), color=colour, marker=marker,
            linestyle="none", capsize=2, label=_legend(fit),
        )  # fmt: skip
        predicted = [np.nan if p.predicted is None else p.predicted for p in own]
        panel.plot(ds, predicted, color=colour, zorder=0)
    panel.set_xscale("log")
    panel.set_yscale("log")
    _leave_room(panel)
    if chosen:
        rising = np.nanmean([fit.exponent.value for fit in chosen]) > 0.1
        panel.legend(loc="lower right" if rising else "lower left", title=_predicted(chosen))


def _leave_room(panel: Any) -> None:
    # a flat law looks flat, and the legend below it hides no point
    low, high = np.log10(panel.get_ylim())
    missing = max(0.0, 1 - (high - low))
    low, high = low - 0.65 * missing, high + 0.35 * missing
    panel.set_ylim(10 ** (low - 0.25 * (high - low)), 10**high)


def _predicted(fits: list[Fit]) -> str:
    limits = {fit.limit for fit in fits}
    limit = limits.pop() if len(limits) == 1 else None
    return "exponent" if limit is None else f"exponent → {limit:.3g}"


def _legend(fit: Fit) -> str:
    low, high = fit.exponent.interval
    return f"width {fit.width}: {fit.exponent.value:.3f} ± {(high - low) / 2:.3f}"
