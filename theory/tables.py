"""Tables of text: one form for all reports, printed for people or written as Markdown.

A report says which cells stand in which columns; how a table looks is decided here alone. Needs
rich, and nothing of the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal

from rich import box
from rich import table as rich_table
from rich.cells import cell_len
from rich.text import Text

__all__ = ["Cell", "Column", "Table", "columns", "html", "markdown", "printed"]

Cell = str | Text
"""What stands in a table; brackets in it are never markup. A `Text` brings its own style."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    justify: Literal["left", "right"] = "right"
    """Numbers stand on the right, text on the left."""
    wrap: Literal["words", "fold", "never"] = "words"
    """Where a cell that is too wide may break: between words, anywhere, or nowhere."""
    width: int | None = None
    """The width in characters. Unless given: that of the widest cell."""
    spare: int = 0
    """Of columns that a narrow page may do without, the first to go has the highest number."""


@dataclass(frozen=True)
class Table:
    """A title above rows of cells."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    section_ends: tuple[int, ...] = ()
    """Numbers of rows, from 1, below which there is a line."""
    is_compact: bool = False
    """Whether there is no space between columns, and the title stands on the left."""
    keys: int = 1
    """Columns that say what a row is: where a table is continued below, they come again."""


def columns(
    names: Iterable[str], text: Iterable[str] = (), spare: Iterable[str] = ()
) -> tuple[Column, ...]:
    """Columns of these names.

    Args:
        names: The heads of the columns, from left to right.
        text: Those of them that hold text; all others hold numbers.
        spare: Those that a narrow page may do without, the first to go first.
    """
    of_text, order = set(text), list(spare)
    ranks = {name: len(order) - place for place, name in enumerate(order)}
    return tuple(
        Column(name, "left" if name in of_text else "right", spare=ranks.get(name, 0))
        for name in names
    )


def printed(table: Table) -> rich_table.Table:
    """The table in the form that a console of rich prints (`theory.console.for_tables`).

    The head of a column of numbers may break, but no number.
    """
    found = rich_table.Table(title=table.title, box=box.SIMPLE_HEAD)
    if table.is_compact:
        found.title_justify = "left"
        found.padding = 0
    for place, column in enumerate(table.columns):
        found.add_column(
            column.name,
            justify=column.justify,
            overflow="fold" if column.wrap == "fold" else "ellipsis",
            no_wrap=column.wrap == "never",
            width=_width(column, [str(row[place]) for row in table.rows]),
        )
    for number, row in enumerate(table.rows, 1):
        cells = (Text(cell) if isinstance(cell, str) else cell for cell in row)
        found.add_row(*cells, end_section=number in table.section_ends)
    return found


def _width(column: Column, cells: list[str]) -> int | None:
    """The width of a column that may not be narrower; None where words may go to the next line."""
    if column.width is not None:
        return column.width
    if column.wrap == "never":
        return max(map(cell_len, (column.name, *cells)))
    if column.wrap == "words" and column.justify == "right":
        return max(map(cell_len, (*column.name.split(), *cells)), default=None)
    return None


def html(table: Table) -> str:
    """The table below its title as HTML; cells in red are of the class "contradicts"."""
    texts = [column.justify == "left" for column in table.columns]

    def cell(kind: str, value: Cell, is_text: bool) -> str:
        found = ["text"] * is_text
        found += ["contradicts"] * (isinstance(value, Text) and "red" in str(value.style))
        style = f' class="{" ".join(found)}"' if found else ""
        return f"<{kind}{style}>{escape(str(value))}</{kind}>"

    def row(kind: str, cells: Iterable[Cell]) -> str:
        return f"<tr>{''.join(cell(kind, *pair) for pair in zip(cells, texts, strict=True))}</tr>"

    head = row("th", (column.name for column in table.columns))
    rows = "\n".join(row("td", cells) for cells in table.rows)
    title = f"<h2>{escape(table.title)}</h2>"
    return f"{title}\n<table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def markdown(table: Table, rule: str = " --- ") -> str:
    """The rows and their head as a table in Markdown, without the title.

    Args:
        table: The table; styles of cells are left out.
        rule: What stands below the head of every column.
    """
    head, *rows = (tuple(column.name for column in table.columns), *table.rows)
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + f"{rule}|" * len(head), *lines[1:]])
