"""The command line `python -m sim.training`."""

import os
import sys
from dataclasses import dataclass

from sim import cli, training
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
    config, output = cli.parse(kinds, "python -m sim.training", training.__doc__ or "", args)
    with cli.one_sentence():
        check(config)
        output.refuse()
    from sim import compilation, training_report

    compilation.keep()
    config = filled(config)
    try:
        with (
            cli.stoppable(output.out),
            cli.one_sentence(),
            cli.progress("training networks", total(config)) as advance,
        ):
            samples = training.run(config, output.out, advance, cli.tell)
    except SystemExit as stop:
        if stop.code in (cli.INTERRUPTED, cli.TERMINATED):
            sys.stderr.flush()
            os._exit(int(stop.code))  # a thread inside of a library would be waited for
        raise
    return training_report.deliver(samples, output)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
