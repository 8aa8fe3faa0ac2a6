"""Whether intervals and verdicts mean what they say, by simulations whose truth is known.

`python -m sim.calibration` measures how often the intervals of a report cover, how often a report
whose laws all hold contradicts one, and how small a violation it finds with how many seeds.
"""

import sys
from functools import partial

from sim.calibration.configuration import TABLES, Config, check, needs
from sim.running import command_line
from sim.running.command_line import Before
from theory import console


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    kinds = (Config, command_line.Page, Before)
    config, output, before = command_line.parse(
        kinds, "python -m sim.calibration", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        output.refuse()
    taken = needs(config)
    if before.is_all(f"{taken.what} for {len(config.tables or TABLES)} tables", taken):
        return 0
    # what takes long to load: after the flags have been read, so that --help answers at once
    from sim.calibration import experiment, report

    total = sum(map(len, experiment.measurements(config).values()))
    with command_line.progress("simulating runs", total) as advance:
        results = experiment.run(config, advance)
    page, shown = partial(report.page, results), partial(report.printout, results)
    output.deliver_page(page, shown, partial(report.to_json, config, results))
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
