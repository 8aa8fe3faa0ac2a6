"""Later theorems in one picture: measured over predicted, where each should hold and elsewhere."""

from typing import Any

from figures.runs import Runs
from sim import statements
from sim.drawing import style
from sim.statements.configuration import LATER
from sim.statements.later import half_width
from sim.statements.outcome import Outcome, Settings
from sim.statistics.estimates import LEVEL


def draw(runs: Runs) -> Any:
    """Measured over predicted: filled at the main claim, open away from its limits."""
    many, few = (64, 32) if runs.quick else (4000, 400)
    names = ("gradient-step", "dimension-gap") if runs.quick else LATER
    config = statements.Config(names, many)
    main = runs.fresh("claims", config, len(names), statements.run)
    runs.used["limits"] = {"seeds": few}
    rows: list[tuple[str, Outcome, bool]] = []
    for name, outcome in main.items():
        rows.append((name, outcome, True))
        away = statements.SWEEPS.get(name, lambda settings: ())(Settings(few, config.seed))
        for one in away:
            if one.outcome.predicted:
                _, _, where = one.outcome.simulated.rpartition(": ")
                rows.append((f"{where} ({one.predicted})", one.outcome, False))
    figure, ((panel,),) = style.panels(1, 1, style.PAGE, 1.2 + 0.19 * len(rows))
    for y, (label, outcome, is_main) in enumerate(rows):
        ratio = outcome.measured / outcome.predicted
        reach = abs(half_width(outcome, LEVEL) / outcome.predicted)
        colour = style.COLOURS[0] if is_main else style.COLOURS[1]
        panel.errorbar(
            [ratio], [y], xerr=[reach], color=colour, marker="o" if is_main else "s", capsize=2,
            markerfacecolor=colour if is_main else "white", linestyle="none",
        )  # fmt: skip
        panel.annotate(
            label, (-0.01, y), xycoords=("axes fraction", "data"), ha="right", va="center",
            fontsize=7.5 if is_main else 6.5, color="black" if is_main else "dimgrey",
        )  # fmt: skip
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
