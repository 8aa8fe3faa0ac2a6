"""The outcomes of simulations as a table, as a Markdown page and as JSON."""

import math
from collections import Counter
from dataclasses import asdict

from sim.statements.configuration import Config
from sim.statements.experiment import contradicted
from sim.statements.outcome import Outcome
from sim.statements.simulations import WITHOUT
from sim.statistics import numbers
from sim.statistics.verdicts import FALSE_ALARM
from theory.console import for_tables
from theory.statements import STATEMENTS
from theory.tables import Table, columns, markdown, printed

MEASURED = ("predicted", "measured", "z", "verdict")
"""The columns of `measured_cells`."""


def to_json(config: Config, outcomes: dict[str, Outcome]) -> str:
    """One JSON object {"config", "statements"}."""
    wrong = contradicted(outcomes)
    rows = [
        {"statement": name, **asdict(outcome), "z": outcome.z, "agrees": name not in wrong}
        for name, outcome in outcomes.items()
    ]
    return numbers.to_json({"config": asdict(config), "statements": rows})


def measured_cells(outcome: Outcome, agrees: bool) -> tuple[str, ...]:
    """Predicted, measured, z and verdict of one simulation, as text."""
    verdict = "agrees" if agrees else "CONTRADICTS"
    if outcome.z is None:
        return "identity", f"relative error {outcome.measured:.0e}", "", verdict
    error = outcome.standard_error or 0.0
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4
    measured = f"{outcome.measured:.{digits}f} ± {error:.{digits}f}"
    deviation = round(outcome.z, 1) + 0.0  # no negative zero
    return f"{outcome.predicted:.{digits}f}", measured, f"{deviation:+.1f}", verdict


def show(config: Config, outcomes: dict[str, Outcome], to_stderr: bool = False) -> None:
    """Prints the table, on standard output or on standard error."""
    wrong = contradicted(outcomes)
    names = ("statement", "what is simulated", *MEASURED)
    table = Table(
        f"{config.seeds} seeds in a mean, key {config.seed}",
        columns(names, text=[name for name in names if name != "z"]),
        tuple(
            (name, outcome.simulated, *measured_cells(outcome, name not in wrong))
            for name, outcome in outcomes.items()
        ),
    )
    console = for_tables(150, to_stderr)
    console.print(printed(table))
    console.print(
        "measured: mean ± standard error; z in standard errors. If every statement here holds, a "
        f"contradiction shows up in {FALSE_ALARM:.0%} of runs.",
        style="dim",
        highlight=False,
    )


def derived(name: str) -> str:
    """How many steps of a statement are checked in which way: "6 symbolic, 2 exact"."""
    kinds = Counter(step.kind for step in STATEMENTS[name].steps)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in kinds)


def page(config: Config, outcomes: dict[str, Outcome]) -> str:
    """The statements with their derivations and simulations, as a Markdown page."""
    title = "The statements, derived and simulated"
    wrong = contradicted(outcomes)
    names = ("statement", "what is derived", "steps, by kind of check", "simulation", *MEASURED)
    rows: list[tuple[str, ...]] = []
    for name in config.names or STATEMENTS:
        row = (f"`{name}`", STATEMENTS[name].title, derived(name))
        if name in outcomes:
            outcome = outcomes[name]
            cells = measured_cells(outcome, name not in wrong)
            rows.append((*row, outcome.simulated, *cells))
        else:
            rows.append((*row, f"none: {WITHOUT[name]}", *("" for _ in MEASURED)))
    table = Table(title, columns(names, text=names), tuple(rows))
    return f"# {title}\n\n{_PAGE}\n\n{markdown(table)}\n"


_PAGE = """\
The first table is printed by `python -m sim.statements --markdown`. Every statement is a derivation
whose steps check themselves: symbolic (SymPy decides for all values), exact (rational arithmetic
on instances) or numeric (40 digits). `python -m theory NAME` prints one, and
`python -m theory --check` runs all checks. The simulation tests the main claim; measured is a mean
± its standard error, or the largest relative error of an identity."""
