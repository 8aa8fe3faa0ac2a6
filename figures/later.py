"""Later theorems in one picture: measured over predicted, where each should hold and elsewhere."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from figures.runs import Runs
from sim import statements
from sim.drawing import style
from sim.statements.configuration import LATER
from sim.statements.later import half_width
from sim.statements.outcome import Outcome, Settings
from sim.statistics.estimates import LEVEL


class Row(NamedTuple):
    """One measurement beside what is predicted of it."""

    label: str
    outcome: Outcome
    is_main: bool
    """Whether it is a theorem's main claim, or away from the limits in which that is proved."""


def draw(runs: Runs) -> Any:
    """Measured over predicted: filled at the main claim, open away from its limits."""
    many, few = (64, 32) if runs.quick else (4000, 400)
    names = ("gradient-step", "dimension-gap") if runs.quick else LATER
    config = statements.Config(names, many)
    main = runs.fresh("claims", config, len(names), statements.run)
    rows = runs.fresh("limits", Settings(few, config.seed), len(main), partial(_rows, main))
    figure, ((panel,),) = style.panels(1, 1, style.PAGE, 1.2 + 0.19 * len(rows))
    for y, row in enumerate(rows):
        _draw(panel, y, row)
    panel.axvline(1, color="black", linewidth=0.8, zorder=0)
    panel.set_yticks([])
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlabel("measured / predicted, with 95 % intervals")
    figure.suptitle(
        f"line: predicted; filled: each theorem's main claim, {many} networks\n"
        f"open: away from its limits, {few} networks (a tenth where networks are trained)",
        fontsize="small",
    )
    return figure


def _rows(
    main: dict[str, Outcome], settings: Settings, advance: Callable[[int], None]
) -> list[Row]:
    """Each main claim, and below it what is measured away from its limits.

    Predictions of 0 are left out: nothing can be divided by them.
    """
    rows = []
    for name, outcome in main.items():
        rows.append(Row(name, outcome, is_main=True))
        for one in statements.SWEEPS[name](settings) if name in statements.SWEEPS else ():
            if one.outcome.predicted:
                _, _, where = one.outcome.simulated.rpartition(": ")
                rows.append(Row(f"{where} ({one.predicted})", one.outcome, is_main=False))
        advance(1)
    return rows


def _draw(panel: Any, y: int, row: Row) -> None:
    outcome, colour = row.outcome, style.COLOURS[0] if row.is_main else style.COLOURS[1]
    panel.errorbar(
        [outcome.measured / outcome.predicted], [y],
        xerr=[abs(half_width(outcome, LEVEL) / outcome.predicted)], color=colour, capsize=2,
        marker="o" if row.is_main else "s", markerfacecolor=colour if row.is_main else "white",
        linestyle="none",
    )  # fmt: skip
    panel.annotate(
        row.label, (-0.01, y), xycoords=("axes fraction", "data"), ha="right", va="center",
        fontsize=7.5 if row.is_main else 6.5, color="black" if row.is_main else "dimgrey",
    )  # fmt: skip
