"""Gradient norms over the epochs of training, of both sets of images, and their two parts."""

from typing import Any

import numpy as np
import xarray as xr

from figures import study
from figures.runs import Runs
from sim.drawing import style
from sim.training import BEFORE, appearance
from sim.training.configuration import PARTS
from sim.training.dataset import at_several_sides
from sim.training.means import means

BLUE, RED = style.COLOURS[:2]


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))


def figure_of(samples: xr.Dataset) -> Any:
    """A column for every training at several sides, at the largest side that all of them have."""
    norms = samples["curve_norm"]
    chosen = [t for t in at_several_sides(samples) if t != BEFORE] or [
        t for t in map(str, samples["training"].values) if t != BEFORE
    ][:1]
    there = np.isfinite(norms.sel(training=chosen).transpose("size", "training", ...).values)
    finished = np.all(there.reshape(*there.shape[:2], -1).any(axis=2), axis=1)
    side = int(samples["size"].values[finished].max())
    at = samples.sel(size=side)
    figure, rows = style.panels(
        2, len(chosen), 0.7 + 2 * len(chosen), 5.2, sharex=True, sharey="row"
    )
    labels: dict[Any, list[style.End]] = {}
    for training, (above, below) in zip(chosen, rows.T, strict=True):
        own = at.sel(training=training)
        labels[above] = _draw(
            above, {part: own["curve_norm"].sel(set=part) for part in ("test", "training")}
        )
        parts = own["curve_parts"].sel(set="test")
        labels[below] = _draw(below, {part: parts.sel(part=part) for part in reversed(PARTS)})
        above.set_title(training, loc="left")
        below.set_xlabel("epoch")
    rows[0][0].set_ylabel(r"mean $\|\partial_x L\|_1$")
    rows[1][0].set_ylabel("its parts on and off the subspace\nof copied pixels, test images")
    figure.suptitle(
        f"{appearance.heading(samples)}, side {side}; measured means; bands: 95 % intervals",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, ends in labels.items():
        if ends:
            style.label_ends(panel, ends)
    return figure


def _draw(panel: Any, curves: dict[str, xr.DataArray]) -> list[style.End]:
    """Means over the epochs, those that there are; returns their ends."""
    ends = []
    for (name, values), colour, dashes in zip(
        curves.items(), (BLUE, RED), ("-", "--"), strict=True
    ):
        if not np.isfinite(values).any():
            continue
        epochs = values["epoch"].values
        middle, reach = means(values, "epoch")
        low, high = middle - appearance.above_zero(middle, reach)[0], middle + reach[1]
        panel.plot(epochs, middle, color=colour, linestyle=dashes)
        panel.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        ends.append(style.End(colour, float(epochs[-1]), float(middle[-1]), name))
    panel.set_yscale("log")
    style.plain(panel.yaxis)
    return ends
