"""The command line `python -m sim.training`."""

import os
import sys
from dataclasses import dataclass

from sim import training
from sim.running import command_line
from sim.training.design import Config, check, filled, total
from sim.training.output import Report


@dataclass(frozen=True)
class Output(Report):
    """What to do with the result."""

    out: str | None = None
    """Keep finished trainings, and checkpoints of others, in this folder; the same command
    continues."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 with --check, 2 bad usage)."""
    kinds = (Config, Output)
    config, output = command_line.parse(
        kinds, "python -m sim.training", training.__doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        output.refuse()
    from sim.running import compilation
    from sim.training import report

    compilation.keep()
    config = filled(config)
    try:
        with (
            command_line.stoppable(output.out),
            command_line.one_sentence(),
            command_line.progress("training networks", total(config)) as advance,
        ):
            samples = training.run(config, output.out, advance, command_line.tell)
    except SystemExit as stop:
        if stop.code in (command_line.INTERRUPTED, command_line.TERMINATED):
            sys.stderr.flush()
            os._exit(int(stop.code))  # a thread inside of a library would be waited for
        raise
    return report.deliver(samples, output)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
