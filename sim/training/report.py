"""The result of a training study: printed as tables, written as JSON, Markdown and a picture."""

import xarray as xr

from sim.running import files
from sim.training import parts_picture, picture, remarks
from sim.training.as_json import to_json
from sim.training.output import Output
from sim.training.tables import tables
from theory.console import for_tables
from theory.tables import markdown, printed


def deliver(samples: xr.Dataset, output: Output) -> int:
    """Write what is asked for, and print the tables.

    Args:
        samples: What `sim.training.run` returned.
        output: What to write, and whether to check.

    Returns:
        The exit status: 1 if `output.check` and something went wrong in the study, otherwise 0.
    """
    if output.figure is not None:
        picture.write(samples, output.figure)
    if output.parts_figure is not None:
        parts_picture.write(samples, output.parts_figure)
    if output.json is not None:
        files.write_text(output.json, to_json(samples))
    if output.markdown is not None:
        files.write_text(output.markdown, to_markdown(samples))
    show(samples, to_stderr="-" in (output.json, output.markdown))
    is_wrong = remarks.warnings(samples) or remarks.inaccurate(samples)
    return 1 if output.check and is_wrong else 0


def show(samples: xr.Dataset, to_stderr: bool = False) -> None:
    """Print the tables, on standard output or on standard error."""
    console = for_tables(170, to_stderr)
    console.print(remarks.title(samples), highlight=False)
    for table in tables(samples):
        console.print(printed(table))
    for note in remarks.NOTES:
        console.print(note, style="dim", highlight=False)
    for line in remarks.remarks(samples):
        console.print(line, style="bold red", highlight=False)


def to_markdown(samples: xr.Dataset) -> str:
    """The tables and the remarks as Markdown."""
    lines = [f"{remarks.title(samples)}.", ""]
    for table in tables(samples):
        lines += [f"**{table.title[0].upper()}{table.title[1:]}**", "", markdown(table, "---"), ""]
    lines += [f"- {note}" for note in (*remarks.NOTES, *remarks.remarks(samples))]
    return "\n".join(lines) + "\n"
