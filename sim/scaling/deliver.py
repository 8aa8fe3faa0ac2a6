"""The result of a scaling run, printed and written."""

from collections.abc import Callable
from functools import partial
from typing import Any

import xarray as xr

from sim.running import files
from sim.running.command_line import PageOutput
from sim.scaling.answer import answer
from sim.scaling.remarks import notes, remarks
from sim.scaling.report import Report, to_json
from sim.scaling.table import columns, table_of
from theory.printout import Printout


def printout(report: Report) -> Printout:
    """What the report says to people."""
    return Printout(
        answer(report),
        (table_of(report, columns(report)),),
        notes=tuple(notes(report)),
        remarks=tuple(remarks(report)),
    )


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
    output.deliver(partial(printout, result), partial(to_json, result))
    return 1 if output.check and result.contradicted else 0
