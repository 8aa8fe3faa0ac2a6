"""The report of a stored run as tables for people and as JSON for programs; computes nothing.

`python -m sim.report runs/NAME` reports a run that is kept on disk; several runs that differ only
in their seeds are merged.
"""

import sys
from dataclasses import dataclass

from tyro.conf import Positional

from sim.running import command_line, files
from sim.running.command_line import PageOutput
from theory.console import run as run_main


@dataclass(frozen=True)
class Runs:
    """Which runs."""

    runs: Positional[tuple[str, ...]]
    """Folders or URLs that --out of python -m sim.scaling or sim.vulnerability has written."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    kinds = (Runs, PageOutput)
    stored, output = command_line.parse(kinds, "python -m sim.report", __doc__ or "", args)
    with command_line.one_sentence():
        if not stored.runs:
            raise ValueError("name at least one run: python -m sim.report runs/NAME.")
        for run in stored.runs:
            files.check_apart(run, *output.targets())
        output.refuse()
    from sim.scaling.deliver import deliver
    from sim.storage import merge
    from sim.vulnerability.deliver import deliver as deliver_attacks

    with command_line.one_sentence():
        runs = [(name, merge.read(name)) for name in stored.runs]
        samples = merge.merge(runs)
        if samples.attrs["experiment"] == "vulnerability":
            samples = merge.finished(samples)
    sessions = [session for _, run in runs for session in run.attrs["sessions"]]
    is_of_attacks = samples.attrs["experiment"] == "vulnerability"
    return (deliver_attacks if is_of_attacks else deliver)(samples, output, lambda: sessions)


if __name__ == "__main__":
    sys.exit(run_main(main))
