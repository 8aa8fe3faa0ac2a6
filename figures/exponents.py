"""The exponent of d against the order of the norm: 1/q − 1/2, and what finite sizes make of it."""

from typing import Any

import numpy as np

from figures import style
from figures.runs import Runs
from sim import statistics

NORMS = ("1", "1.25", "1.5", "2", "3", "4", "8", "inf")
WIDTHS = {"mlp": 128, "cnn": 32, "resnet": 40}


def draw(runs: Runs) -> Any:
    """One panel for each architecture; x is 1/q, so that the limit is a straight line."""
    from sim.scaling import Config

    figure, (row,) = style.panels(1, 3, style.PAGE, 2.6, sharey=True)
    for panel, (arch, width) in zip(row, WIDTHS.items(), strict=True):
        config = Config(
            arch=arch, widths=(width,), norms=NORMS,
            sizes=(8, 16) if runs.quick else (8, 16, 32, 64), seeds=32 if runs.quick else 128,
        )  # fmt: skip
        fits = statistics.fit(runs.scaling(f"exponents-{arch}", config))
        x = np.array([1 / float(fit.q) for fit in fits])
        predicted = [np.nan if fit.predicted is None else fit.predicted for fit in fits]
        style.points(
            panel, 0, x, [f.exponent.value for f in fits], [f.exponent.interval for f in fits],
            label="measured",
        )  # fmt: skip
        style.line(panel, 1, x, predicted, linestyle="-", label="predicted at these sizes")
        ends = np.array([0.0, 1.0])
        panel.plot(ends, ends - 0.5, "k:", linewidth=1, label=r"$1/q - 1/2$")
        panel.set_title(f"{arch}, width {width}")
        shown = ("1", "1.5", "2", "4", "inf")
        panel.set_xticks([1 / float(q) for q in shown], ["1", "1.5", "2", "4", r"$\infty$"])
        panel.set_xlabel(r"$q$ (axis linear in $1/q$)")
    row[0].set_ylabel(r"exponent of $d$ in $\mathbb{E}\,\|\partial_x L\|_q$")
    row[0].legend(loc="upper left")
    return figure
