"""The √d law: mean norms against the input dimension, with intervals and the predicted lines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from figures import style
from sim import statistics
from sim.cli import replacing
from sim.statistics import Fit, Point

NORM = {"1": r"\ell_1", "2": r"\ell_2", "inf": r"\ell_\infty"}


def write(samples: xr.Dataset, path: str) -> None:
    """Draw the run to a file; its ending (.png, .svg, .pdf) is the format."""
    write_runs({str(samples.attrs["arch"]): samples}, path)


def write_runs(runs: Mapping[str, xr.Dataset], path: str) -> None:
    """Draw several runs side by side: one column for each, one row for each quantity and norm."""
    from matplotlib.figure import Figure

    rows = _rows(runs)
    with style.styled():
        figure = Figure(figsize=(1.4 + 2.5 * len(runs), 0.6 + 2.1 * len(rows)))
        axes = figure.subplots(len(rows), len(runs), squeeze=False, sharex="col")
        for column, (title, samples) in enumerate(runs.items()):
            fits, points = statistics.fit(samples), statistics.points(samples)
            for row, (quantity, q) in enumerate(rows):
                panel = axes[row][column]
                _draw(panel, quantity, q, fits, points)
                if row == 0:
                    panel.set_title(title)
                if row == len(rows) - 1:
                    panel.set_xlabel(r"input dimension $d$")
                if column == 0:
                    panel.set_ylabel(_label(quantity, q))
        config = {title: samples.attrs["config"] for title, samples in runs.items()}
        metadata = {"Title": "Input-gradient norms against input dimension"}
        if not path.lower().endswith(".png"):
            metadata["Subject" if path.lower().endswith(".pdf") else "Description"] = str(config)
        else:
            metadata["Description"] = str(config)
        if path.lower().endswith(".svg"):
            metadata["Date"] = None  # type: ignore[assignment]
        with replacing(path) as part:
            figure.savefig(part, metadata=metadata)


def _rows(runs: Mapping[str, xr.Dataset]) -> list[tuple[str, str]]:
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
        panel.errorbar(
            ds,
            [p.mean for p in own],
            yerr=[1.96 * p.sem for p in own],
            color=colour,
            marker=marker,
            linestyle="none",
            capsize=2,
            label=_legend(fit),
        )
        if all(p.predicted is not None for p in own):
            panel.plot(ds, [p.predicted for p in own], color=colour, linewidth=0.9, zorder=0)
    panel.set_xscale("log")
    panel.set_yscale("log")
    if chosen:
        panel.legend(title=f"width: exponent (predicted {_predicted(chosen)})", title_fontsize=8)


def _predicted(fits: list[Fit]) -> str:
    limits = {fit.limit for fit in fits}
    limit = limits.pop() if len(limits) == 1 else None
    return "unknown" if limit is None else f"{limit:.3g} as $d\\to\\infty$"


def _legend(fit: Fit) -> str:
    low, high = fit.exponent.interval
    return f"{fit.width}: {fit.exponent.value:.3f} ± {(high - low) / 2:.3f}"
