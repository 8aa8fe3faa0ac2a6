"""The report of a stored run as tables for people and as JSON for programs; computes nothing.

`python -m sim.report runs/NAME` reports a run that is kept on disk; several runs that differ only
in their seeds are merged. With --compare every run is set beside the first one.
"""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from tyro.conf import Positional

from sim.running import command_line, files
from sim.running.command_line import PageOutput
from theory.console import run as run_main


@dataclass(frozen=True)
class Runs:
    """Which runs."""

    runs: Positional[tuple[str, ...]]
    """Folders or URLs that --out of python -m sim.scaling or sim.vulnerability has written."""
    compare: bool = False
    """Print how the exponents and norms of scaling runs differ from those of the first one, seed by
    seed where they have the same --seed; with --check the exit status is 1 if an exponent does."""


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
        if stored.compare and len(set(stored.runs)) < max(2, len(stored.runs)):
            raise ValueError("--compare needs two runs or more, each of them once.")
        if stored.compare and output.html is not None:
            raise ValueError("--compare has no page: --figure draws it, --json has its numbers.")
    from sim.scaling import compared, comparison
    from sim.scaling.deliver import deliver
    from sim.storage import merge
    from sim.vulnerability.deliver import deliver as deliver_attacks

    with command_line.one_sentence():
        runs = [(name, merge.read(name)) for name in stored.runs]
        if stored.compare:
            named = _of_scaling(dict(runs))
            found = comparison.compare(named)
            if output.figure is not None:
                from sim.scaling import comparison_picture

                comparison_picture.write(named, output.figure)
            output.deliver(
                partial(compared.printout, found, named), partial(compared.to_json, found, named)
            )
            return 1 if output.check and any(row.differs for row in found) else 0
        samples = merge.merge(runs)
        if samples.attrs["experiment"] == "vulnerability":
            samples = merge.finished(samples)
    sessions = [session for _, run in runs for session in run.attrs["sessions"]]
    is_of_attacks = samples.attrs["experiment"] == "vulnerability"
    return (deliver_attacks if is_of_attacks else deliver)(samples, output, lambda: sessions)


def _of_scaling(runs: dict[str, Any]) -> dict[str, Any]:
    """The runs; raises ValueError if one of them is of another experiment."""
    for name, samples in runs.items():
        kind = samples.attrs.get("experiment", "scaling")
        if kind != "scaling":
            raise ValueError(f"--compare knows runs of sim.scaling, and {name} is of sim.{kind}.")
    return runs


if __name__ == "__main__":
    sys.exit(run_main(main))
