"""Heads and pooling: the four fates of the √d law."""

from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import fitting

HEADS = {
    "dense": "dense: $d^{1/2}$",
    "avgpool": "average over 2×2, dense:\nhalf as much, $d^{1/2}$",
    "gap": "global average: $d^0$",
    "gmaxpool": "global maximum:\nbends towards $d^0$",
}
WIDTH = 16


def draw(runs: Runs) -> Any:
    """E‖∂_x f_k‖_1 against d for a CNN with each head; lines are predictions, where there are."""
    figure, ((panel,),) = style.panels(1, 1, 4.6, 3.1)
    ends: list[style.End] = []
    ds: list[int] = []
    for i, (head, name) in enumerate(HEADS.items()):
        config = Config(
            arch="cnn", head=head, widths=(WIDTH,), quantity=("logit",), norms=("1",),
            sizes=(8, 16) if runs.quick else (8, 16, 32, 64, 96),
            seeds=32 if runs.quick else 256,
        )  # fmt: skip
        found = fitting.points(runs.scaling(f"heads-{head}", config))
        ds = [p.d for p in found]
        style.points(panel, i, ds, [p.mean for p in found], [p.interval for p in found])
        predicted = [np.nan if p.predicted is None else p.predicted for p in found]
        style.line(panel, i, ds, predicted)
        ends.append(style.End(i, ds[-1], found[-1].mean, name))
    style.logarithmic(panel, ds)
    style.plain_y(panel)
    panel.set_xlabel(r"input dimension $d$")
    panel.set_ylabel(style.norm("logit", "1"))
    panel.set_title(f"cnn, width {WIDTH}")
    figure.suptitle(f"points: {style.MEASURED}; lines: predicted", fontsize="small")
    figure.draw_without_rendering()
    style.label_ends(panel, ends, gap=19)
    return figure
