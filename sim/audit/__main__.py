"""Which layers make the gap between what is predicted and the network as it is.

`python -m sim.audit --arch resnet` (or `--model package.module:factory`) samples random networks at
a few sizes and climbs a ladder, place by place: from hypothesis H, where the backward pass has
independent copies of all weights and a fair coin for every unit of a ReLU, over gradient
independence, which has the true masks, to the network as it is. Every ratio is measured with the
same seeds, so that intervals are short, and all of them multiply to the whole gap. The sentence
that comes first names the places whose measured factor accounts for it, and says whether the
exponent is safe. The hypotheses H1, H3, H4, H5 and S are measured beside it (--full).
"""

import sys
from dataclasses import dataclass

from sim.audit.configuration import Config, needs, planned
from sim.running import command_line, flags
from sim.running.command_line import Before
from theory import console


@dataclass(frozen=True)
class Output(command_line.Picture):
    """What to do with the result."""

    json: flags.Place = None
    """Write one JSON object to this file, or to standard output for "-"; docs/audit.md has its
    fields."""
    figure: flags.Place = None
    """Draw the map of E g² over the input and the factor of every place; the name ends in .png,
    .svg or .pdf."""
    full: bool = False
    """Print the table of all places and that of the hypotheses, too."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    kinds = (Config, Output, Before, command_line.Debug)
    config, output, before, debug = command_line.parse(
        kinds, "python -m sim.audit", __doc__ or "", args
    )
    with command_line.one_sentence(), command_line.debugging(debug.debug):
        plan = planned(config)
        output.refuse()
    if before.is_all(f"an audit of {plan.described}", needs(plan)):
        return 0
    # what needs jax: after the flags have been read, so that --help and bad usage answer at once
    from sim.audit import experiment, report
    from sim.running import compilation

    compilation.keep()
    progress = command_line.progress(f"{plan.config.arch}: auditing networks", plan.samples)
    with command_line.one_sentence(), command_line.debugging(debug.debug), progress as advance:
        samples = experiment.run(plan, advance)
    report.deliver(samples, output)
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
