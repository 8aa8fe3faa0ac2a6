"""The command line `python -m sim.audit`."""

import sys
from dataclasses import dataclass

from sim import audit
from sim.audit.design import Config, check, complete
from sim.plan.configuration import sizes_of
from sim.running import command_line


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    full: bool = False
    """Print the table of all places and that of the hypotheses, too."""
    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"; docs/audit.md has its
    fields."""
    figure: str | None = None
    """Draw the map of E g² over the input and the factor of every place; the name ends in .png,
    .svg or .pdf."""

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        command_line.Output(self.json, self.figure).refuse()


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    kinds = (Config, Output, command_line.Debug)
    parsed = command_line.parse(kinds, "python -m sim.audit", audit.__doc__ or "", args)
    config, output, debug = parsed
    with command_line.one_sentence(), command_line.debugging(debug.debug):
        config = complete(config)
        check(config)
        output.refuse()
    from sim.audit import report
    from sim.running import compilation

    compilation.keep()
    total = len(sizes_of(config)) * config.seeds
    progress = command_line.progress(f"{config.arch}: auditing networks", total)
    with command_line.one_sentence(), command_line.debugging(debug.debug), progress as advance:
        samples = audit.run(config, advance)
    report.deliver(samples, output.json, output.figure, output.full)
    return 0


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
