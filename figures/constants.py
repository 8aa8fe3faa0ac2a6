"""Measured over exact: the constant of the law for dense networks, against width and against d."""

from typing import Any

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import fitting
from sim.statistics.fits import Point

CHOSEN_WIDTH, CHOSEN_SIDE, CHOSEN_D = 16, 16, 768


def draw(runs: Runs) -> Any:
    """Two panels: every width at one d, every d at one width; three norms of a logit's gradient.

    Every width and every d has networks of its own key: points of one panel share no random
    numbers, and lie above or below the line independently of each other.
    """
    widths = (4, 16) if runs.quick else (4, 8, 16, 32, 64, 128)
    sides = (4, 16) if runs.quick else (4, 8, 16, 32, 64)
    cells = [(width, CHOSEN_SIDE) for width in widths]
    cells += [(CHOSEN_WIDTH, side) for side in sides if side != CHOSEN_SIDE]
    found: list[Point] = []
    for key, (width, side) in enumerate(cells):
        config = Config(
            arch="mlp", quantity=("logit",), widths=(width,), seed=key,
            sizes=tuple(sorted({side, 8 if side == 4 else 4})),  # two at least; one is drawn
            seeds=256 if runs.quick else 32768,
        )  # fmt: skip
        points = fitting.points(runs.scaling(f"constants-{width}-{side}", config))
        found += [point for point in points if point.size == side]
    figure, ((left, right),) = style.panels(1, 2, style.PAGE, 2.5, sharey=True)
    _panel(left, [p for p in found if p.d == CHOSEN_D], "width")
    _panel(right, [p for p in found if p.width == CHOSEN_WIDTH], "d")
    left.set_title(f"$d$ = {CHOSEN_D}")
    right.set_title(f"width {CHOSEN_WIDTH}")
    left.set_xlabel("width of the three hidden layers")
    right.set_xlabel(r"input dimension $d$")
    left.set_ylabel("measured / exact")
    figure.suptitle(
        "points: measured means with 95 % intervals over the exact law (line at 1); every width "
        "and every d has networks of its own",
        fontsize="small",
    )
    figure.draw_without_rendering()
    right.legend(loc="lower right", ncols=3, handletextpad=0.1, columnspacing=0.8)
    return figure


def _panel(panel: Any, points: list[Point], axis: str) -> None:
    for i, q in enumerate(("1", "2", "inf")):
        own = [point for point in points if point.q == q]
        x = [getattr(point, axis) * 1.09 ** (i - 1) for point in own]  # side by side
        exact = [float(point.predicted or 0) for point in own]
        values = [point.mean / unit for point, unit in zip(own, exact, strict=True)]
        ends = [[end / unit for end in p.interval] for p, unit in zip(own, exact, strict=True)]
        style.points(panel, i, x, values, ends, label=style.norm("logit", q))
    panel.axhline(1, color="black", linewidth=0.8, zorder=0)
    panel.set_xscale("log")
    style.mark_x(panel, sorted({getattr(point, axis) for point in points}))
