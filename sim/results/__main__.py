"""The tables of results in README.md and docs/architectures.md, measured and predicted again.

`python -m sim.results` runs every command of the README's table and prints it as Markdown, some
minutes; `--table heads` and other names are those of docs/architectures.md. `--check` compares with
the file instead, and ends with status 1 if it says something else.
"""

import sys

from sim.results import stated
from sim.results.configuration import Config, rows, tables
from sim.running import command_line
from theory import console


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    (config,) = command_line.parse((Config,), "python -m sim.results", __doc__ or "", args)
    there = {}
    with command_line.one_sentence():
        asked, chosen = rows(config), tables(config)
        if config.check is not None:
            text = stated.read(config.check)
            there = {table.name: stated.stated(table, text) for table in chosen}
    # what needs jax: after the flags have been read, so that --help and bad usage answer at once
    from sim.results import experiment, report
    from sim.running import compilation

    compilation.keep()
    plans = [experiment.of_command(row) for row in asked]
    total = sum(plan.samples for plan in plans)
    with command_line.progress("sampling networks", total) as advance:
        fits = experiment.run(plans, advance)
    found = [report.cells(*pair) for pair in zip(asked, fits, strict=True)]
    if config.check is None:
        print(report.to_markdown(chosen, asked, found))
        return 0
    wrong = report.differences(there, asked, found)
    print("\n".join(wrong) or f"all {len(found)} rows are as in {config.check}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
