"""The exponent over the order of the norm and the head: every head has its line, lowered or not."""

from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import fitting

HEADS = {
    "dense": "dense",
    "avgpool": "2×2 average, dense",
    "gap": "global average",
    "gmaxpool": "global maximum",
}
NORMS = ("1", "1.5", "2", "4", "inf")
WIDTH = 16


def draw(runs: Runs) -> Any:
    """Measured exponents of a CNN's logit against 1/q for four heads, over predicted ones."""
    figure, ((panel,),) = style.panels(1, 1, 5.4, 3.6)
    ends = []
    for i, (head, name) in enumerate(HEADS.items()):
        config = Config(
            arch="cnn", head=head, widths=(WIDTH,), quantity=("logit",),
            norms=("1", "2", "inf") if runs.quick else NORMS,
            sizes=(8, 16) if runs.quick else (8, 16, 32, 64),
            seeds=32 if runs.quick else 128,
        )  # fmt: skip
        fits = fitting.fit(runs.scaling(f"orders-{head}", config))
        x = np.array([1 / float(fit.q) for fit in fits])
        values = [fit.exponent.value for fit in fits]
        beside = x + 0.012 * (i - 1.5)
        style.points(panel, i, beside, values, [fit.exponent.interval for fit in fits])
        predicted = [np.nan if fit.predicted is None else fit.predicted for fit in fits]
        style.line(panel, i, x, predicted)
        ends.append(style.End(i, 1.02, values[0], name))
    shown = ("1", "1.5", "2", "4", "inf")
    panel.set_xticks([1 / float(q) for q in shown], ["1", "1.5", "2", "4", r"$\infty$"])
    panel.axhline(0, color="black", linewidth=0.5, zorder=0)
    panel.set_xlabel(r"$q$ (axis linear in $1/q$)")
    panel.set_ylabel(r"exponent of $d$ in $\mathbb{E}\,\|\partial_x f_k\|_q$")
    panel.set_title(f"cnn, width {WIDTH}, sides 8 to 64")
    figure.suptitle(
        "points: measured exponents with 95 % intervals; lines: predicted at these sizes",
        fontsize="small",
    )
    figure.draw_without_rendering()
    style.label_ends(panel, ends, gap=10)
    return figure
