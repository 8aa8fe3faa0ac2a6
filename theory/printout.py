"""How every report is printed: its answer first, then what supports it, in lines that fit a page.

An experiment says what its answer is, and which tables have the rest; what is left out, and where
a wide table goes on, is decided here alone. Needs rich, and nothing of the rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rich.console import Console

from theory.console import for_tables
from theory.tables import Column, Table, printed

WIDTH = 100
"""Characters of a line where the output is not a terminal."""


@dataclass(frozen=True)
class Line:
    """A sentence below the tables."""

    text: str
    style: str = ""
    """A style of rich."""
    is_command: bool = False
    """Whether it contains a command, which no line may break."""


@dataclass(frozen=True)
class Printout:
    """What a report says to people."""

    answer: str
    """In one to three sentences: what was measured, what was predicted, the verdict, what to do
    next."""
    tables: tuple[Table, ...] = ()
    """Those that are always printed: a page in all."""
    details: tuple[Table, ...] = ()
    """Those that --full adds."""
    notes: tuple[str, ...] = ()
    """What columns mean, each in the form "column, column: meaning"."""
    remarks: tuple[Line, ...] = ()
    """What a reader must know besides."""


def show(found: Printout, full: bool = False, to_stderr: bool = False) -> None:
    """Prints a report, on standard output or on standard error.

    Args:
        found: What it says.
        full: Whether all tables, columns and notes are printed. Without, columns that do not fit
            are left out if they may be (`theory.tables.Column.spare`).
        to_stderr: Whether the result itself is on standard output.
    """
    console = for_tables(WIDTH, to_stderr)
    console.print(found.answer, highlight=False, markup=False)
    names, left_out = set[str](), len(found.details)
    for table in (*found.tables, *(found.details if full else ())):
        shown = table if full else without_spare(table, console)
        left_out += len(table.columns) - len(shown.columns)
        names |= {column.name for column in shown.columns}
        for part in pages(shown, console):
            console.print(printed(part))
    for note in found.notes:
        if full or not names.isdisjoint(note.partition(":")[0].split(", ")):
            console.print(note, style="dim", highlight=False, markup=False)
    for line in found.remarks:
        console.print(
            line.text, style=line.style, highlight=False, markup=False, soft_wrap=line.is_command
        )
    if left_out and not full:
        console.print(f"--full adds {_what(found)}.", style="dim", highlight=False)


def text(table: Table) -> str:
    """A table as plain text that fits a page, without the columns that do not."""
    console = Console(width=WIDTH, color_system=None)
    with console.capture() as found:
        for part in pages(without_spare(table, console), console):
            console.print(printed(part))
    return "\n".join(line.rstrip() for line in found.get().splitlines())


def _what(found: Printout) -> str:
    """What --full adds, in words."""
    tables = len(found.details)
    if not tables:
        return "columns"
    return f"{tables} tables" if tables > 1 else "a table"


def without_spare(table: Table, console: Console) -> Table:
    """The table without the columns that must go for it to fit, the most dispensable first."""
    while not _fits(table, console):
        dispensable = max(column.spare for column in table.columns)
        if not dispensable:
            break
        table = _of(table, [c for c in table.columns if c.spare < dispensable])
    return table


def pages(table: Table, console: Console) -> Iterator[Table]:
    """The table, or parts of it that fit, all of which begin with its keys."""
    keys, waiting = table.columns[: table.keys], list(table.columns[table.keys :])
    first = True
    while waiting or first:
        count = len(waiting)
        while count > 1 and not _fits(_of(table, (*keys, *waiting[:count])), console):
            count -= 1
        part = _of(table, (*keys, *waiting[:count]))
        yield part if first else replace(part, title=f"{table.title} (continued)")
        waiting, first = waiting[count:], False


def _fits(table: Table, console: Console) -> bool:
    """Whether it fits without breaking a number."""
    found = console.measure(printed(table), options=console.options.update(max_width=1000))
    return found.minimum <= console.width


def _of(table: Table, columns: Iterable[Column]) -> Table:
    """The table with some of its columns."""
    chosen = tuple(columns)
    places = [table.columns.index(column) for column in chosen]
    rows = tuple(tuple(row[i] for i in places) for row in table.rows)
    return replace(table, columns=chosen, rows=rows)
