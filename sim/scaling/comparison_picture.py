"""Scaling runs in one picture: a panel for each norm, a colour for each run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.statistics import fitting
from sim.statistics.fits import Point
from sim.storage import attributes


def figure_of(runs: Mapping[str, xr.Dataset]) -> Any:
    """All runs in one picture: a panel for each norm, a colour for each run."""
    points = {name: fitting.points(samples) for name, samples in runs.items()}
    keys = list(dict.fromkeys((p.quantity, p.q) for own in points.values() for p in own))
    figure, axes = style.panels(1, len(keys), 0.6 + 2.6 * len(keys), 3.1)
    for panel, (quantity, q) in zip(axes[0], keys, strict=True):
        for i, own in enumerate(points.values()):
            _draw(panel, i, [p for p in own if (p.quantity, p.q) == (quantity, q)])
        ds = sorted({p.d for own in points.values() for p in own})
        style.logarithmic(panel, ds)
        style.plain_y(panel)
        panel.set_title(style.norm(quantity, q))
        panel.set_xlabel(r"input dimension $d$")
    handles = [style.handle(i, name) for i, name in enumerate(runs)]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(runs))
    figure.suptitle(f"points: {style.MEASURED}; lines: predicted", fontsize="small")
    return figure


def _draw(panel: Any, i: int, own: list[Point]) -> None:
    for width in dict.fromkeys(p.width for p in own):
        there = [p for p in own if p.width == width and p.mean > 0]
        ds = np.array([p.d for p in there], float)
        if len(ds):
            beside = ds * 1.06**i
            style.points(panel, i, beside, [p.mean for p in there], [p.interval for p in there])
            predicted = [np.nan if p.predicted is None else p.predicted for p in there]
            style.line(panel, i, ds, predicted)


def write(runs: Mapping[str, xr.Dataset], path: str) -> None:
    """Draws the runs to a file; its ending (.png, .svg, .pdf) is the format."""
    with style.styled():
        about = {name: attributes.configuration(x.attrs) for name, x in runs.items()}
        style.save(figure_of(runs), path, {"runs": about})
