"""The exponents of public architectures, measured beside predicted."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from sim.atlas.rows import Row
from sim.drawing import style


def write(rows: Sequence[Row], path: str) -> None:
    """Draw an atlas.

    Args:
        rows: What `sim.atlas.run` returned.
        path: The file; its ending (.png, .svg, .pdf) is the format.
    """
    with style.styled():
        style.save(figure_of(rows), path, {"models": list(dict.fromkeys(x.model for x in rows))})


def figure_of(rows: Sequence[Row]) -> Any:
    """A line for each architecture, those of the same last features together."""
    found = [row for row in rows if row.q == "1" and isfinite(row.exponent)]
    ends = list(dict.fromkeys(row.end for row in found))
    found.sort(key=lambda row: (ends.index(row.end), -row.exponent))
    figure, ((panel,),) = style.panels(1, 1, style.PAGE, 1.3 + 0.24 * max(len(found), 4))
    for number, end in enumerate(ends):
        mine = [(-i, row) for i, row in enumerate(found) if row.end == end]
        heights = [height for height, _ in mine]
        values = [row.exponent for _, row in mine]
        errors = [
            [row.exponent - row.low for _, row in mine],
            [row.high - row.exponent for _, row in mine],
        ]
        panel.errorbar(
            values, heights, xerr=errors, color=style.COLOURS[number % 6], linestyle="none",
            marker=style.MARKERS[number % 6], markerfacecolor="white", capsize=2, elinewidth=1,
            label=end or "measured",
        )  # fmt: skip
    known = [(-i, row) for i, row in enumerate(found) if isfinite(row.predicted)]
    panel.plot(
        [row.predicted for _, row in known], [height for height, _ in known], color="0.2",
        linestyle="none", marker="|", markersize=11, zorder=3, label="predicted",
    )  # fmt: skip
    for limit, text in ((0, "0"), (0.5, "√d")):
        panel.axvline(limit, color="0.6", linestyle=":", linewidth=1, zorder=0)
        panel.annotate(
            text, (limit, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom"
        )
    panel.set_yticks(
        [-i for i in range(len(found))], [row.model.partition(":")[2] for row in found], fontsize=7
    )
    panel.set_xlabel(r"exponent of $d$ of $\mathbb{E}\,\|\partial_x L\|_1$, 95 % intervals")
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=7)
    return figure
