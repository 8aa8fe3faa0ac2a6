"""The result of a training study: printed as tables, written as JSON, Markdown and a picture."""

from dataclasses import replace
from functools import partial

import xarray as xr

from sim.running import files
from sim.training import parts_picture, picture, remarks
from sim.training.answer import answer
from sim.training.as_json import to_json
from sim.training.output import Output
from sim.training.tables import tables
from theory.printout import Line, Printout
from theory.tables import markdown


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
    if output.markdown is not None:
        files.write_text(output.markdown, to_markdown(samples))
    output.deliver(partial(printout, samples), partial(to_json, samples))
    is_wrong = remarks.warnings(samples) or remarks.inaccurate(samples)
    return 1 if output.check and is_wrong else 0


def printout(samples: xr.Dataset) -> Printout:
    """What the study says to people."""
    first, *others = tables(samples)
    first = replace(first, title=f"{remarks.title(samples)}: {first.title}")
    lines = tuple(Line(text, "bold red") for text in remarks.remarks(samples))
    return Printout(answer(samples), (first,), tuple(others), remarks.NOTES, lines)


def to_markdown(samples: xr.Dataset) -> str:
    """The tables and the remarks as Markdown."""
    lines = [f"{remarks.title(samples)}.", ""]
    for table in tables(samples):
        lines += [f"**{table.title[0].upper()}{table.title[1:]}**", "", markdown(table, "---"), ""]
    lines += [f"- {note}" for note in (*remarks.NOTES, *remarks.remarks(samples))]
    return "\n".join(lines) + "\n"
