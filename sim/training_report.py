"""The report of a training study; computes nothing.

`python -m sim.training_report runs/NAME` reports what is finished of a stored study.
"""

import sys
from dataclasses import dataclass

from tyro.conf import Positional

from sim.running import command_line
from sim.training.output import Report


@dataclass(frozen=True)
class Stored:
    """Which study."""

    run: Positional[str]
    """The folder that python -m sim.training --out has written."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 with --check, 2 bad usage)."""
    kinds = (Stored, Report)
    which, output = command_line.parse(kinds, "python -m sim.training_report", __doc__ or "", args)
    with command_line.one_sentence():
        output.refuse()
        from sim.training import report, stored

        samples = stored(which.run)
    return report.deliver(samples, output)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
