"""Numerical checks of the paper's statements: one small simulation for each.

`python -m sim.statements` simulates the main claim of every statement of `python -m theory` and
sets what was measured beside what was predicted.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from theory.console import for_tables

if TYPE_CHECKING:
    from sim.statements.simulations import Outcome


@dataclass(frozen=True)
class Config:
    """What to simulate."""

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")]] = ()
    """Statements, by the names that `python -m theory` lists. Unless given: all."""
    seeds: int = 4000
    """Number of random networks in a mean. Identities take 16 networks."""
    seed: int = 0
    """Key of all simulations; the same key gives the same figures."""


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    markdown: bool = False
    """Print the page docs/statements.md instead of the table."""
    check: bool = False
    """Exit with status 1 if a simulation contradicts its statement."""


def check(config: Config) -> None:
    """Raises ValueError, with one sentence, if the configuration cannot be run."""
    from theory.initializers import unknown
    from theory.statements import STATEMENTS

    for name in config.names:
        if name not in STATEMENTS:
            raise ValueError(unknown("statement", name, STATEMENTS))
    if len(set(config.names)) < len(config.names):
        raise ValueError(f"a statement is named twice: {' '.join(config.names)}.")
    if config.seeds < 2:
        raise ValueError(f"a standard error needs at least two seeds, not --seeds {config.seeds}.")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"--seed must lie between 0 and 2^32 - 1, not {config.seed}.")


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> dict[str, Outcome]:
    """The outcome of the simulation of each statement, by name, in the order of the list.

    Statements in `sim.statements.simulations.WITHOUT` are left out. Raises ValueError for a
    configuration that makes no sense. `advance` is called with 1 after each statement.
    """
    check(config)
    from sim.statements.simulations import CHECKS, Settings
    from theory.statements import STATEMENTS

    settings, outcomes = Settings(config.seeds, config.seed), {}
    for name in STATEMENTS:
        if name not in (config.names or STATEMENTS):
            continue
        if name in CHECKS:
            outcomes[name] = CHECKS[name](settings)
        advance(1)
    return outcomes


def contradicted(outcomes: dict[str, Outcome]) -> list[str]:
    """The statements whose simulation contradicts them.

    If all statements hold, the list is empty in all but `sim.statistics.FALSE_ALARM` of runs.
    """
    count = sum(outcome.z is not None for outcome in outcomes.values())
    return [name for name, outcome in outcomes.items() if not outcome.agrees(max(count, 1))]


def to_json(config: Config, outcomes: dict[str, Outcome]) -> str:
    """One JSON object {"config", "statements"}."""
    wrong = contradicted(outcomes)
    rows = [
        {
            "statement": name,
            **{key: _finite(value) for key, value in asdict(outcome).items()},
            "z": _finite(outcome.z),
            "agrees": name not in wrong,
        }
        for name, outcome in outcomes.items()
    ]
    content = {"config": asdict(config), "statements": rows}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    return value if not isinstance(value, float) or math.isfinite(value) else None


def cells(outcome: Outcome, agrees: bool) -> list[str]:
    """Predicted, measured, z and verdict of one simulation, as text."""
    verdict = "agrees" if agrees else "CONTRADICTS"
    if outcome.z is None:
        return ["identity", f"relative error {outcome.measured:.0e}", "", verdict]
    error = outcome.standard_error or 0.0
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4
    measured = f"{outcome.measured:.{digits}f} ± {error:.{digits}f}"
    deviation = round(outcome.z, 1) + 0.0  # no negative zero
    return [f"{outcome.predicted:.{digits}f}", measured, f"{deviation:+.1f}", verdict]


def show(config: Config, outcomes: dict[str, Outcome], to_stderr: bool = False) -> None:
    """Print the table, on standard output or on standard error."""
    from rich import box
    from rich.table import Table

    from sim.statistics.verdicts import FALSE_ALARM

    console = for_tables(150, to_stderr)
    table = Table(title=f"{config.seeds} seeds in a mean, key {config.seed}", box=box.SIMPLE_HEAD)
    for name in ("statement", "what is simulated", "predicted", "measured", "z", "verdict"):
        table.add_column(name, justify="right" if name == "z" else "left")
    wrong = contradicted(outcomes)
    for name, outcome in outcomes.items():
        table.add_row(name, outcome.simulated, *cells(outcome, name not in wrong))
    console.print(table)
    console.print(
        "measured: mean ± standard error; z in standard errors. If every statement here holds, a "
        f"contradiction shows up in {FALSE_ALARM:.0%} of runs.",
        style="dim",
        highlight=False,
    )


def derived(name: str) -> str:
    """How many steps of a statement are checked in which way: "6 symbolic, 2 exact"."""
    from theory.statements import STATEMENTS

    kinds = Counter(step.kind for step in STATEMENTS[name].steps)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in kinds)


def markdown(config: Config, outcomes: dict[str, Outcome]) -> str:
    """The statements with derivations and simulations, as a Markdown page."""
    from sim.statements.simulations import WITHOUT
    from theory.statements import STATEMENTS

    wrong = contradicted(outcomes)
    header = ["statement", "what is derived", "steps, by kind of check", "simulation"]
    header = [*header, "predicted", "measured", "z", "verdict"]
    rows = [header, ["---"] * len(header)]
    for name in config.names or STATEMENTS:
        row = [f"`{name}`", STATEMENTS[name].title, derived(name)]
        if name in outcomes:
            outcome = outcomes[name]
            row += [outcome.simulated, *cells(outcome, name not in wrong)]
        else:
            row += [f"none: {WITHOUT[name]}", "", "", "", ""]
        rows.append(row)
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"# The statements, derived and simulated\n\n{_PAGE}\n\n{table}\n"


_PAGE = """\
This page is printed by `python -m sim.statements --markdown`. Every statement is a derivation
whose steps check themselves: symbolic (SymPy decides for all values), exact (rational arithmetic
on instances) or numeric (40 digits). `python -m theory NAME` prints one, and
`python -m theory --check` runs all checks. The simulation tests the main claim; measured is a mean
± its standard error, or the largest relative error of an identity."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    from sim.running import command_line, files

    config, output = command_line.parse(
        (Config, Output), "python -m sim.statements", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
        if output.markdown and output.json == "-":
            raise ValueError("--markdown and --json - both write to standard output: choose one.")
    from theory.statements import STATEMENTS

    with command_line.progress("simulating statements", len(config.names or STATEMENTS)) as advance:
        outcomes = run(config, advance)
    if output.markdown:
        sys.stdout.write(markdown(config, outcomes))
    else:
        show(config, outcomes, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, to_json(config, outcomes))
    return 1 if output.check and contradicted(outcomes) else 0
