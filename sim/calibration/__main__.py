"""Whether intervals and verdicts mean what they say, by simulations whose truth is known.

`python -m sim.calibration` measures how often the intervals of a report cover, how often a report
whose laws all hold contradicts one, and how small a violation it finds with how many seeds.
"""

import sys
from dataclasses import dataclass

from sim.calibration.configuration import Config, check
from sim.running import command_line, files
from theory import console


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    markdown: bool = False
    """Print the page docs/calibration.md instead of the tables."""


def main(args: list[str] | None = None) -> int:
    """The command line.

    Args:
        args: What stands behind `python -m sim.calibration`; unless given, that of the process.

    Returns:
        The exit status: 0 if all went well. Bad usage ends the process with 2.
    """
    config, output = command_line.parse(
        (Config, Output), "python -m sim.calibration", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
        if output.markdown and output.json == "-":
            raise ValueError("--markdown and --json - both write to standard output: choose one.")
    # what takes long to load: after the flags have been read, so that --help answers at once
    from sim.calibration import experiment, report

    total = sum(map(len, experiment.measurements(config).values()))
    with command_line.progress("simulating runs", total) as advance:
        results = experiment.run(config, advance)
    if output.markdown:
        sys.stdout.write(report.page(results))
    else:
        report.show(results, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, report.to_json(config, results))
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
