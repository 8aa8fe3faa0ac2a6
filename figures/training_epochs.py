"""Gradient norms on training and on test images over the epochs of training."""

from typing import Any

import numpy as np
import xarray as xr

from figures import study
from figures.runs import Runs
from sim.drawing import style
from sim.training import BEFORE, appearance
from sim.training.dataset import at_several_sides
from sim.training.means import means


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))


def figure_of(samples: xr.Dataset) -> Any:
    """A panel for every training at several sides, at the largest side that all of them have."""
    norms = samples["curve_norm"]
    chosen = [t for t in at_several_sides(samples) if t != BEFORE] or [
        t for t in map(str, samples["training"].values) if t != BEFORE
    ][:1]
    there = np.isfinite(norms.sel(training=chosen).transpose("size", "training", ...).values)
    finished = np.all(there.reshape(*there.shape[:2], -1).any(axis=2), axis=1)
    side = int(samples["size"].values[finished].max())
    epochs = samples["epoch"].values
    figure, (panels,) = style.panels(1, len(chosen), 0.7 + 2 * len(chosen), 2.9, sharey=True)
    labels = []
    for panel, training in zip(panels, chosen, strict=True):
        ends = []
        for part, colour, dashes in (("test", "#0072B2", "-"), ("training", "#D55E00", "--")):
            values = norms.sel(training=training, size=side, set=part)
            middle, reach = means(values, "epoch")
            low, high = middle - appearance.above_zero(middle, reach)[0], middle + reach[1]
            panel.plot(epochs, middle, color=colour, linestyle=dashes)
            panel.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
            ends.append(style.End(colour, float(epochs[-1]), float(middle[-1]), part))
        labels.append(ends)
        panel.set_yscale("log")
        style.plain(panel.yaxis)
        panel.set_title(training, loc="left")
        panel.set_xlabel("epoch")
    panels[0].set_ylabel(r"mean $\|\partial_x L\|_1$")
    figure.suptitle(
        f"{appearance.heading(samples)}, side {side}; measured means; bands: 95 % intervals",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, ends in zip(panels, labels, strict=True):
        style.label_ends(panel, ends)
    return figure
