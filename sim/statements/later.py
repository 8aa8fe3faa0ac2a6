"""Theorems that others have proved since 2019, in the same court as the paper's.

`python -m sim.statements.later` measures the main claim of each of them, and then away from its
limits: from which width, depth and d on it is seen. In the first table all intervals hold together
in 99 % of runs, and agrees is a prediction within; in the second one each holds in 95 %.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from tyro.conf import Positional

from sim import statements
from sim.plan import refusals
from sim.running import command_line
from sim.statements.configuration import LATER
from sim.statements.outcome import Outcome, Settings
from sim.statistics.estimates import LEVEL
from sim.statistics.numbers import with_error
from sim.statistics.verdicts import FALSE_ALARM, FEWEST_SEEDS
from theory import console
from theory.names import unknown
from theory.printout import Printout, show
from theory.statements import STATEMENTS
from theory.tables import Column, Table, columns, markdown

FEWEST = 10 * FEWEST_SEEDS
"""Seeds of a run, of which trained networks have a tenth."""

VERDICTS = {True: "agrees", False: "CONTRADICTS", None: "no measurement"}


@dataclass(frozen=True)
class Config:
    """How much to measure."""

    names: Positional[tuple[str, ...]] = LATER
    """Which of these statements."""
    seeds: int = 2000
    """Random networks in a mean; a tenth of them where training takes long."""
    seed: int = 0
    """Key of all networks."""
    markdown: bool = False
    """Print the tables as they stand in docs/later.md."""


def half_width(outcome: Outcome, level: float) -> float:
    """Half of the interval of that coverage (Student's t)."""
    quantile = float(stats.t.ppf((1 + level) / 2, outcome.seeds - 1))
    return quantile * (outcome.standard_error or 0.0)


def measured(outcome: Outcome, level: float) -> str:
    """The measurement with its interval of that coverage."""
    half = half_width(outcome, level)
    return with_error(outcome.measured, outcome.measured - half, outcome.measured + half)


def _digits(outcome: Outcome) -> str:
    error = outcome.standard_error or 1e-4
    return f"{outcome.predicted:.{max(0, 1 - int(np.floor(np.log10(error))))}f}"


def claims(outcomes: dict[str, Outcome]) -> Table:
    """Claim, source, conditions, predicted, measured, verdict of each theorem."""
    names = ("statement", "source", "claim", "conditions", "simulated", "predicted", "measured",
             "verdict")  # fmt: skip
    rows, level = [], 1 - FALSE_ALARM / max(len(outcomes), 1)
    for name, outcome in outcomes.items():
        said = STATEMENTS[name]
        verdict = VERDICTS[outcome.agrees(len(outcomes))]
        rows.append(
            (
                f"`{name}`", said.source, said.claim, "; ".join(said.hypotheses),
                outcome.simulated, _digits(outcome), measured(outcome, level), verdict,
            )
        )  # fmt: skip
    return Table("Theorems", _columns(names), tuple(rows))


def limits(found: "list[statements.Sweep]") -> Table:
    """The same away from the limits."""
    names = ("statement", "measured here", "what is predicted", "predicted", "measured", "verdict")
    rows = []
    for one in found:
        inside = abs(one.outcome.measured - one.outcome.predicted) <= half_width(one.outcome, LEVEL)
        verdict = "within" if inside else "outside"
        cells = (_digits(one.outcome), measured(one.outcome, LEVEL), verdict)
        rows.append((f"`{one.statement}`", one.outcome.simulated, one.predicted, *cells))
    return Table("From where they are seen", _columns(names), tuple(rows))


def _columns(names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of words, whose first is not broken; python -m theory NAME has what is spared."""
    first, *others = columns(names, names, spare=("conditions", "claim", "source"))
    return replace(first, wrap="never"), *others


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 if a main claim is contradicted."""
    about = __doc__ or ""
    (config,) = command_line.parse((Config,), "python -m sim.statements.later", about, args)
    with command_line.one_sentence():
        for name in config.names:
            if name not in LATER:
                raise ValueError(unknown("later theorem", name, LATER))
        refusals.check_distinct("NAME", config.names)
        refusals.check_key(config.seed)
        if config.seeds < FEWEST:
            raise ValueError(f"--seeds must be at least {FEWEST}, not {config.seeds}.")
    settings, outcomes, found = Settings(config.seeds, config.seed), {}, []
    with command_line.progress("measuring later theorems", len(config.names)) as advance:
        for name in config.names:
            outcomes |= statements.run(statements.Config((name,), config.seeds, config.seed))
            if name in statements.SWEEPS:
                found += statements.SWEEPS[name](settings)
            advance(1)
    wrong = [name for name, one in outcomes.items() if one.agrees(len(outcomes)) is False]
    tables = claims(outcomes), *([limits(found)] if found else [])
    if config.markdown:
        for table in tables:
            print(f"## {table.title}\n\n{markdown(table)}\n")
    else:
        show(Printout(_answer(len(outcomes), wrong), tables))
    return int(bool(wrong))


def _answer(count: int, wrong: list[str]) -> str:
    if wrong:
        return f"{', '.join(wrong)} of {count} CONTRADICT: another --seed shows whether by chance."
    return f"The main claims of {count} later theorems agree."


if __name__ == "__main__":
    sys.exit(console.run(main))
