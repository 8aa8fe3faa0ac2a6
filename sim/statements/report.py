"""The outcomes of simulations as a table, as a Markdown page and as JSON."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict

from sim.statements.configuration import Config
from sim.statements.experiment import contradicted
from sim.statements.outcome import Outcome
from sim.statements.simulations import WITHOUT
from sim.statistics import numbers
from sim.statistics.verdicts import FALSE_ALARM
from theory.printout import Printout
from theory.statements import STATEMENTS
from theory.tables import Table, columns, markdown

MEASURED = ("predicted", "measured", "z", "verdict")
"""The columns of `measured_cells`."""


def to_json(config: Config, outcomes: dict[str, Outcome]) -> str:
    """One JSON object {"config", "statements", "not_simulated"}."""
    wrong = contradicted(outcomes)
    rows = [
        {
            "statement": name,
            **asdict(outcome),
            "z": outcome.z,
            "agrees": None if outcome.unmeasured else name not in wrong,
            "unmeasured": outcome.unmeasured,
        }
        for name, outcome in outcomes.items()
    ]
    without = {name: WITHOUT[name] for name in config.names or STATEMENTS if name in WITHOUT}
    found = {"config": asdict(config), "statements": rows, "not_simulated": without}
    return numbers.to_json(found)


def measured_cells(outcome: Outcome, agrees: bool) -> tuple[str, ...]:
    """Predicted, measured, z and verdict of one simulation, as text."""
    verdict = "agrees" if agrees else "CONTRADICTS"
    if outcome.unmeasured is not None:
        verdict = f"no measurement: {outcome.unmeasured}"
    if outcome.z is None:
        return "identity", f"relative error {outcome.measured:.0e}", "", verdict
    error = outcome.standard_error or 0.0
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 4
    measured = f"{outcome.measured:.{digits}f} ± {error:.{digits}f}"
    deviation = round(outcome.z, 1) + 0.0  # no negative zero
    z = "" if math.isnan(deviation) else f"{deviation:+.1f}"
    return f"{outcome.predicted:.{digits}f}", measured, z, verdict


def _simulated(
    config: Config, outcomes: dict[str, Outcome], describe: Callable[[str], tuple[str, ...]]
) -> tuple[tuple[str, ...], ...]:
    """A row of every statement: what `describe` says of it, then its simulation."""
    wrong, rows = contradicted(outcomes), list[tuple[str, ...]]()
    for name in config.names or STATEMENTS:
        if name in outcomes:
            outcome = outcomes[name]
            cells = outcome.simulated, *measured_cells(outcome, name not in wrong)
        else:
            cells = f"none: {WITHOUT[name]}", *("" for _ in MEASURED)
        rows.append((*describe(name), *cells))
    return tuple(rows)


def printout(config: Config, outcomes: dict[str, Outcome]) -> Printout:
    """What the simulations say to people."""
    names = ("statement", "what is simulated", *MEASURED)
    table = Table(
        f"{config.seeds} seeds in a mean, key {config.seed}",
        columns(names, text=[name for name in names if name != "z"]),
        _simulated(config, outcomes, lambda name: (name,)),
    )
    note = (
        "measured: mean ± standard error; z in standard errors. If every statement here holds, a "
        f"contradiction shows up in {FALSE_ALARM:.0%} of runs."
    )
    return Printout(_answer(config, outcomes), (table,), notes=(note,))


def _answer(config: Config, outcomes: dict[str, Outcome]) -> str:
    """What was measured, the verdict, and what to do next."""
    wrong = contradicted(outcomes)
    known = {name: one for name, one in outcomes.items() if one.unmeasured is None}
    means = {name: abs(one.z) for name, one in known.items() if one.z is not None}
    start = f"{len(known)} simulations have a verdict: "
    start += f"{len(wrong)} CONTRADICT their statement" if wrong else "all agree with the statement"
    far = max(means, key=lambda name: means[name], default=None)
    if far is not None:
        start += f", {far} being farthest from its prediction, {means[far]:.1f} standard errors"
    if len(known) < len(outcomes):
        return f"{start}. The others need more --seeds."
    if wrong:
        return f"{start}. Another --seed shows whether it is chance."
    return f"{start}. python -m theory NAME has the derivation of one."


def derived(name: str) -> str:
    """How many steps of a statement are checked in which way: "6 symbolic, 2 exact"."""
    kinds = Counter(step.kind for step in STATEMENTS[name].steps)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in kinds)


def page(config: Config, outcomes: dict[str, Outcome]) -> str:
    """The statements with their derivations and simulations, as a Markdown page."""
    title = "The statements, derived and simulated"
    names = ("statement", "what is derived", "steps, by kind of check", "simulation", *MEASURED)
    rows = _simulated(
        config, outcomes, lambda name: (f"`{name}`", STATEMENTS[name].title, derived(name))
    )
    table = Table(title, columns(names, text=names), rows)
    return f"# {title}\n\n{_PAGE}\n\n{markdown(table)}\n"


_PAGE = """\
The first table is printed by `python -m sim.statements --markdown`. Every statement is a derivation
whose steps check themselves: symbolic (SymPy decides for all values), exact (rational arithmetic
on instances) or numeric (40 digits). `python -m theory NAME` prints one, and
`python -m theory --check` runs all checks. The simulation tests the main claim; measured is a mean
± its standard error, or the largest relative error of an identity."""
