"""Numerical checks of the paper's statements: one small simulation for each.

`python -m sim.statements` simulates the main claim of every statement of `python -m theory` and
sets what was measured beside what was predicted.
"""

import sys
from dataclasses import dataclass

from sim.running import command_line, files
from sim.statements.configuration import Config, check
from theory import console
from theory.statements import STATEMENTS


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    markdown: bool = False
    """Print the page docs/statements.md instead of the table."""
    check: bool = False
    """Exit with status 1 if a simulation contradicts its statement."""


def main(args: list[str] | None = None) -> int:
    """The command line.

    Args:
        args: What stands behind `python -m sim.statements`; unless given, that of the process.

    Returns:
        The exit status: 0 if all went well, 1 with --check if a simulation contradicts its
        statement. Bad usage ends the process with 2.
    """
    config, output = command_line.parse(
        (Config, Output), "python -m sim.statements", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
        if output.markdown and output.json == "-":
            raise ValueError("--markdown and --json - both write to standard output: choose one.")
    # what needs jax: after the flags have been read, so that --help and bad usage answer at once
    from sim.statements import experiment, report

    with command_line.progress("simulating statements", len(config.names or STATEMENTS)) as advance:
        outcomes = experiment.run(config, advance)
    if output.markdown:
        sys.stdout.write(report.page(config, outcomes))
    else:
        report.show(config, outcomes, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, report.to_json(config, outcomes))
    return 1 if output.check and experiment.contradicted(outcomes) else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
