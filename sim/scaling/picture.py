"""The √d law: mean norms against the input dimension, with intervals and the predicted lines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.scaling.report import Report
from sim.statistics import fitting
from sim.statistics.fits import Fit, Point
from sim.statistics.numbers import plain
from sim.storage import attributes


def write(samples: xr.Dataset, path: str) -> None:
    """Draw the run to a file; its ending (.png, .svg, .pdf) is the format."""
    with style.styled():
        style.save(plot(samples), path, {"config": attributes.configuration(samples.attrs)})


def plot(samples: xr.Dataset) -> Any:
    """The picture of any scaling run, for a notebook.

    Args:
        samples: What `sim.scaling.run` returned, or a stored run.

    Returns:
        A figure of Matplotlib: measured mean norms against d as points with 95 % intervals, the
        predicted lines, and the exponents; a column for each quantity and norm.
    """
    with style.styled():
        return figure_of({str(samples.attrs["arch"]): samples})


def svg(report: Report) -> str:
    """The picture of a run as an SVG element, which can stand in a page."""
    with style.styled():
        return style.element(_figure({report.config["arch"]: (report.fits, report.points)}))


def figure_of(runs: Mapping[str, xr.Dataset]) -> Any:
    """Several runs one below the other, with one column for each quantity and norm."""
    return _figure({k: (fitting.fit(run), fitting.points(run)) for k, run in runs.items()})


def _figure(runs: Mapping[str, tuple[list[Fit], list[Point]]]) -> Any:
    found = [(point.quantity, point.q) for _, points in runs.values() for point in points]
    columns = list(dict.fromkeys(found))
    figure, axes = style.panels(
        len(runs), len(columns), 0.4 + 2.5 * len(columns), 0.4 + 2.1 * len(runs), sharex="row"
    )
    for row, (title, (fits, points)) in zip(axes, runs.items(), strict=True):
        for panel, (quantity, q) in zip(row, columns, strict=True):
            _draw(panel, quantity, q, fits, points)
            panel.set_title(f"{title}: {style.norm(quantity, q)}")
    for panel in axes[-1]:
        panel.set_xlabel(r"input dimension $d$")
    figure.suptitle(f"points: {style.MEASURED}; lines: predicted", fontsize="small")
    return figure


def _draw(panel: Any, quantity: str, q: str, fits: list[Fit], points: list[Point]) -> None:
    if not any(p.mean > 0 for p in points if (p.quantity, p.q) == (quantity, q)):
        panel.text(0.5, 0.5, "no values to draw", transform=panel.transAxes, ha="center")
        panel.set_axis_off()
        return
    chosen = [fit for fit in fits if (fit.quantity, fit.q) == (quantity, q)]
    for i, fit in enumerate(chosen):
        own = [p for p in points if (p.quantity, p.q, p.width) == (quantity, q, fit.width)]
        ds = np.array([p.d for p in own], float)
        beside = ds * 1.07 ** (i - (len(chosen) - 1) / 2)
        ends = [p.interval for p in own]
        style.points(panel, i, beside, [p.mean for p in own], ends, label=_legend(fit))
        predicted = [np.nan if p.predicted is None else p.predicted for p in own]
        style.line(panel, i, ds, predicted)
    style.logarithmic(panel, sorted({p.d for p in points}))
    _leave_room(panel, len(chosen))
    style.plain_y(panel)
    if chosen:
        rising = np.nanmean([fit.exponent.value for fit in chosen]) > 0.1
        panel.legend(loc="lower right" if rising else "lower left", title=_predicted(chosen))


def _leave_room(panel: Any, entries: int) -> None:
    # a flat law looks flat, and the legend below it hides no point
    low, high = np.log10(panel.get_ylim())
    missing = max(0.0, 1 - (high - low))
    low, high = low - 0.65 * missing, high + 0.35 * missing
    panel.set_ylim(10 ** (low - (0.1 + 0.15 * entries) * (high - low)), 10**high)


def _predicted(fits: list[Fit]) -> str:
    limits = {fit.limit for fit in fits}
    limit = limits.pop() if len(limits) == 1 else None
    start = "exponent (predicted here)"
    return start if limit is None else f"{start}\nlimit at large $d$: {limit:.3g}"


def _legend(fit: Fit) -> str:
    low, high = fit.exponent.interval
    width = "" if fit.width is None else f"width {fit.width}: "
    law = "" if fit.predicted is None else f" ({plain(fit.predicted, '.3f')})"
    return f"{width}{plain(fit.exponent.value, '.3f')} ± {(high - low) / 2:.3f}{law}"
