"""Numerical checks of the paper's statements: one small simulation for each.

`python -m sim.statements` simulates the main claim of every statement of `python -m theory` and
sets what was measured beside what was predicted.
"""

import sys
from dataclasses import dataclass
from functools import partial

from sim.running import command_line
from sim.running.command_line import Before
from sim.statements.configuration import Config, check, needs
from theory import console
from theory.statements import STATEMENTS


@dataclass(frozen=True)
class Output(command_line.Page):
    """What to do with the result."""

    check: bool = False
    """Exit with status 1 if a simulation contradicts its statement."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    kinds = (Config, Output, Before)
    config, output, before = command_line.parse(
        kinds, "python -m sim.statements", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        output.refuse()
    count = len(config.names or STATEMENTS)
    if before.is_all(
        f"simulations of {count} statements, {config.seeds} seeds each", needs(config)
    ):
        return 0
    # what needs jax: after the flags have been read, so that --help and bad usage answer at once
    from sim.statements import experiment, report

    with command_line.progress("simulating statements", len(config.names or STATEMENTS)) as advance:
        outcomes = experiment.run(config, advance)
    given = config, outcomes
    page, shown = partial(report.page, *given), partial(report.printout, *given)
    output.deliver_page(page, shown, partial(report.to_json, *given))
    return 1 if output.check and experiment.contradicted(outcomes) else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
