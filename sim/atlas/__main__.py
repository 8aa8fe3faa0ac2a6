"""Public architectures at initialization: how their input gradients grow, and which have the √d.

`python -m sim.atlas --csv atlas.csv` builds each architecture with its library's own
initialization, measures ‖∂_x L‖_q at several sides of the image, and predicts the same by gradient
independence. A processor takes some minutes for each. The file is written whenever one is
finished, and the same command goes on. Weights are never downloaded.
"""

import sys
from dataclasses import dataclass
from functools import partial

from sim import atlas  # what needs jax is loaded where it is used
from sim.atlas import rows as kept
from sim.atlas.configuration import Config, check, described, models, needs
from sim.running import command_line, files, flags
from sim.running.command_line import Before
from theory import console


@dataclass(frozen=True)
class Output(command_line.Picture):
    """What to do with the result."""

    figure: flags.Place = None
    """Draw the exponents of all architectures; the name ends in .png, .svg or .pdf."""
    csv: flags.Place = None
    """Keep a row for each norm of each architecture in this file, as it is finished. Those that it
    has already are not measured again."""
    markdown: flags.Place = None
    """Write the tables as Markdown to this file, or to standard output for "-"."""

    def targets(self) -> tuple[str | None, ...]:
        """The files to write; None for those that are not asked for."""
        return *super().targets(), self.csv, self.markdown

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        super().refuse()
        if self.csv == "-":
            raise ValueError("--csv needs the name of a file, not standard output.")


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 not all measured, 2 bad usage)."""
    kinds = (Config, Output, Before)
    config, output, before = command_line.parse(kinds, "python -m sim.atlas", __doc__ or "", args)
    there: list[kept.Row] = []
    with command_line.one_sentence():
        check(config)
        output.refuse()
        if output.csv is not None:
            there = kept.read(output.csv)
    if before.is_all(described(config), needs(config)):
        return 0

    def keep(rows: list[kept.Row]) -> None:
        if output.csv is not None:
            kept.write(output.csv, rows)

    with (
        command_line.one_sentence(),
        command_line.stoppable(output.csv),
        command_line.progress("measuring architectures", len(models(config))) as advance,
    ):
        found, failed = atlas.run(config, there, keep, advance, console.tell)
    if not found:  # each has been said
        return 2
    if output.figure is not None:
        atlas.picture.write(found, output.figure)
    if output.markdown is not None:
        files.write_text(output.markdown, atlas.report.to_markdown(found))
    output.deliver(
        partial(atlas.report.printout, found, failed),
        partial(atlas.report.to_json, config, found, failed),
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
