"""The exponent of d against the order of the norm: 1/q − 1/2, and what finite sizes make of it."""

from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import fitting

NORMS = ("1", "1.25", "1.5", "2", "3", "4", "8", "inf")
WIDTHS = {"mlp": 128, "cnn": 32, "resnet": 40}


def draw(runs: Runs) -> Any:
    """Above the exponents of each architecture against 1/q, below their distance from it."""
    figure, axes = style.panels(
        2, 3, style.PAGE, 3.8, sharey="row", sharex=True, height_ratios=(1.6, 1)
    )
    for (above, below), (arch, width) in zip(axes.T, WIDTHS.items(), strict=True):
        config = Config(
            arch=arch, widths=(width,), norms=("1", "2", "inf") if runs.quick else NORMS,
            sizes=(8, 16) if runs.quick else (8, 16, 32, 64), seeds=32 if runs.quick else 128,
        )  # fmt: skip
        fits = fitting.fit(runs.scaling(f"exponents-{arch}", config))
        x = np.array([1 / float(fit.q) for fit in fits])
        predicted = np.array([np.nan if fit.predicted is None else fit.predicted for fit in fits])
        values = np.array([fit.exponent.value for fit in fits])
        ends = np.array([fit.exponent.interval for fit in fits])
        for panel, limit in ((above, 0 * x), (below, x - 0.5)):
            style.points(panel, 0, x, values - limit, ends - limit[:, None], label="measured")
            panel.plot(
                x, predicted - limit, linestyle="none", marker="_", markersize=9,
                color=style.COLOURS[1], label="predicted at these sizes",
            )  # fmt: skip
        above.plot([0, 1], [-0.5, 0.5], "k:", linewidth=1, label=r"$1/q - 1/2$")
        below.axhline(0, color="black", linestyle=":", linewidth=1)
        above.set_title(f"{arch}, width {width}")
        shown = ("1", "1.5", "2", "4", "inf")
        below.set_xticks([1 / float(q) for q in shown], ["1", "1.5", "2", "4", r"$\infty$"])
        below.set_xlabel(r"$q$ (axis linear in $1/q$)")
    axes[0][0].set_ylabel(r"exponent in $\mathbb{E}\,\|\partial_x L\|_q$")
    axes[1][0].set_ylabel(r"less $1/q - 1/2$")
    axes[0][0].legend(loc="upper left")
    return figure
