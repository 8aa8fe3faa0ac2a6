"""The report of a training study; computes nothing.

`python -m sim.training_report runs/NAME` reports what is finished of a stored study.
"""

import sys
from dataclasses import dataclass

from tyro.conf import Positional

from sim.running import command_line, files
from sim.training.output import Output
from theory import console


@dataclass(frozen=True)
class Stored:
    """Which study."""

    run: Positional[str] = ""
    """The folder or URL that python -m sim.training --out has written."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    kinds = (Stored, Output)
    which, output = command_line.parse(kinds, "python -m sim.training_report", __doc__ or "", args)
    with command_line.one_sentence():
        if not which.run:
            raise ValueError("name a study: python -m sim.training_report runs/NAME.")
        files.check_apart(which.run, *output.targets())
        output.refuse()
    from sim.training import experiment, report  # with jax

    with command_line.one_sentence():
        samples = experiment.stored(which.run)
    return report.deliver(samples, output)


if __name__ == "__main__":
    sys.exit(console.run(main))
