"""The result of a scaling run, printed and written."""

from collections.abc import Callable
from functools import partial
from typing import Any

import xarray as xr

from sim.running import files
from sim.running.command_line import PageOutput
from sim.scaling.remarks import notes, remarks
from sim.scaling.report import Report, to_json
from sim.scaling.table import columns, table_of
from theory.console import for_tables
from theory.tables import printed

DROPPED = ("ratio to law", "attack", "d → ∞", "rests on", "ratio to H", "ratio")
"""Columns that a terminal too narrow for all of them does without, the first one first."""


def show(report: Report, to_stderr: bool = False) -> None:
    """Print the table, on standard output or on standard error."""

    console = for_tables(130, to_stderr)
    shown, unlimited = columns(report), console.options.update(max_width=1000)
    for name in DROPPED:
        if (
            console.measure(printed(table_of(report, shown)), options=unlimited).maximum
            > console.width
        ):
            shown.pop(name, None)
    console.print(printed(table_of(report, shown)))
    for note in notes(report):
        if note.split(":")[0] in ("verdict", *shown):
            console.print(note, style="dim", highlight=False)
    for remark in remarks(report):
        console.print(remark.text, style=remark.style, highlight=False, soft_wrap=remark.is_command)


def deliver(
    samples: xr.Dataset,
    output: PageOutput,
    sessions: Callable[[], list[dict[str, Any]]],
) -> int:
    """Print the table, write what is asked for; the exit status (1: a law is contradicted).

    `sessions` gives the provenance of the samples (`sim.storage.provenance.session`), for the page.
    """
    result = Report.of(samples)
    if output.figure is not None or output.html is not None:
        from sim.scaling import page, picture  # matplotlib takes as long to import as jax

        if output.figure is not None:
            picture.write(samples, output.figure)
        if output.html is not None:
            files.write_text(output.html, page.page(result, sessions()))
    output.deliver(partial(show, result), partial(to_json, result))
    return 1 if output.check and result.contradicted else 0
