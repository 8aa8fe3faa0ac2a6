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


def columns(names: Iterable[str], text: Iterable[str] = ()) -> tuple[Column, ...]:
    """Columns of these names.

    Args:
        names: The heads of the columns, from left to right.
        text: Those of them that hold text; all others hold numbers.
    """
    of_text = set(text)
    return tuple(Column(name, "left" if name in of_text else "right") for name in names)


def printed(table: Table) -> rich_table.Table:
    """The table in the form that a console of rich prints (`theory.console.for_tables`)."""
    found = rich_table.Table(title=table.title, box=box.SIMPLE_HEAD)
    if table.is_compact:
        found.title_justify = "left"
        found.padding = 0
    for column in table.columns:
        found.add_column(
            column.name,
            justify=column.justify,
            overflow="fold" if column.wrap == "fold" else "ellipsis",
            no_wrap=column.wrap == "never",
            width=column.width,
        )
    for number, row in enumerate(table.rows, 1):
        cells = (Text(cell) if isinstance(cell, str) else cell for cell in row)
        found.add_row(*cells, end_section=number in table.section_ends)
    return found


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
