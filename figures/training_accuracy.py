"""Accuracy against vulnerability, by regularizer and strength at one side."""

from typing import Any

import numpy as np
import xarray as xr

from figures import study
from figures.runs import Runs
from sim.drawing import style
from sim.training import appearance
from sim.training.dataset import by_regularizer, config_of, shown_attack
from sim.training.means import means

COLUMNS = 3


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))


def figure_of(samples: xr.Dataset) -> Any:
    """A panel for every regularizer, the others in gray; attacks are the largest ones."""
    side, p = config_of(samples).compared_size, shown_attack(samples)
    eps = float(samples["eps"].max())
    test = samples.sel(size=side, set="test")
    fooled = test["fooled"].sel(attack="pgd", p=p, eps=eps)
    found = by_regularizer(samples, side)
    curves = {
        name: (
            *means(fooled.sel(training=own), "training"),
            *means(1 - test["accuracy"].sel(training=own), "training"),
        )
        for name, own in found.items()
    }
    shown = [name for name in found if name != "ordinary"] or list(found)
    rows = -(-len(shown) // COLUMNS)
    figure, panels = style.panels(rows, COLUMNS, 7.6, 0.8 + 2.3 * rows, sharex=True, sharey=True)
    for panel, name in zip(panels.ravel(), shown, strict=False):
        for other, (x, _, y, _) in curves.items():
            colour = "black" if other == "ordinary" else "#D5D5D5"
            panel.plot(x, y, color=colour, marker=".", linewidth=0.6, zorder=0)
        x, x_reach, y, y_reach = curves[name]
        colour, marker = appearance.colour_and_marker(name)
        panel.errorbar(
            x, y, xerr=x_reach, yerr=appearance.above_zero(y, y_reach), color=colour,
            marker=marker, elinewidth=0.7, linewidth=0.9,
        )  # fmt: skip
        for i, away in ((0, (4, 4)), (-1, (-4, -9))):  # the weakest and the strongest
            panel.annotate(
                found[name][i].partition(":")[2], (float(x[i]), float(y[i])), xytext=away,
                textcoords="offset points", ha="left" if i == 0 else "right", fontsize=6.5,
            )  # fmt: skip
        if "ordinary" in curves:
            place = (float(curves["ordinary"][0][0]), float(curves["ordinary"][2][0]))
            panel.annotate(
                "ordinary", place, xytext=(0, 6), textcoords="offset points", fontsize=6.5,
                ha="center",
            )  # fmt: skip
        panel.set_title(name, loc="left")
    for panel in panels.ravel()[len(shown) :]:
        panel.set_axis_off()
    _accuracies(panels[0][0])
    for panel in panels[-1]:
        panel.set_xlabel("vulnerability")
    for panel in panels[:, 0]:
        panel.set_ylabel("accuracy")
    figure.suptitle(
        f"{appearance.heading(samples)}, side {side}, test images; 95 % intervals; joined by "
        f"strength\nvulnerability: increase of the 0–1 loss, {style.ell(p)}, "
        rf"$\epsilon$ = {eps:g}",
        fontsize="small",
    )
    return figure


def _accuracies(panel: Any) -> None:
    """Errors on a logarithmic axis that points down, marked with accuracies."""
    panel.set_yscale("log")
    high, low = panel.get_ylim()
    panel.set_ylim(max(high, low), min(high, low))
    marks = [mark for mark in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if _lies(mark, panel)]
    panel.set_yticks(marks, [f"{1 - mark:g}" for mark in marks])
    panel.yaxis.minorticks_off()


def _lies(mark: float, panel: Any) -> bool:
    ends = np.sort(panel.get_ylim())
    return bool(ends[0] <= mark <= ends[1])
