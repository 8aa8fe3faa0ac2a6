"""The result of a training study as tables for people and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.running import files
from sim.training.output import Report
from theory.console import for_tables

if TYPE_CHECKING:
    import xarray as xr


def deliver(samples: xr.Dataset, output: Report) -> int:
    """Print the tables, write what is asked for; the exit status."""
    from sim.training.as_json import to_json
    from sim.training.remarks import inaccurate, warnings

    if output.figure is not None:
        from sim.training import picture

        picture.write(samples, output.figure)
    to_standard = "-" in (output.json, output.markdown)
    show(samples, to_stderr=to_standard)
    if output.json is not None:
        files.write_text(output.json, to_json(samples))
    if output.markdown is not None:
        files.write_text(output.markdown, to_markdown(samples))
    return 1 if output.check and (warnings(samples) or inaccurate(samples)) else 0


def show(samples: xr.Dataset, to_stderr: bool = False) -> None:
    """Print the tables, on standard output or on standard error."""
    from rich import box
    from rich import table as rich_table

    from sim.training import remarks
    from sim.training.tables import tables

    console = for_tables(170, to_stderr)
    console.print(remarks.title(samples), highlight=False)
    for table in tables(samples):
        drawn = rich_table.Table(title=table.title, box=box.SIMPLE_HEAD)
        for i, column in enumerate(table.columns):
            drawn.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    for note in remarks.NOTES:
        console.print(note, style="dim", highlight=False)
    for line in remarks.remarks(samples):
        console.print(line, style="bold red", highlight=False)


def to_markdown(samples: xr.Dataset) -> str:
    """The same as Markdown."""
    from sim.training import remarks
    from sim.training.tables import tables

    lines = [f"{remarks.title(samples)}.", ""]
    for table in tables(samples):
        lines += [f"**{table.title[0].upper()}{table.title[1:]}**", ""]
        rows = (table.columns, ("---",) * len(table.columns), *table.rows)
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    lines += [f"- {note}" for note in (*remarks.NOTES, *remarks.remarks(samples))]
    return "\n".join(lines) + "\n"
