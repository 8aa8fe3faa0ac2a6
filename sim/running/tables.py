"""A table of text, for the terminal and as Markdown."""

from dataclasses import dataclass

from rich import box, table
from rich.console import Console


@dataclass(frozen=True)
class Table:
    """Cells of text below a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)
    """Columns whose cells begin at the left; the others hold numbers, which end at the right."""


def show(console: Console, found: Table) -> None:
    """Print a table; the first column is never broken into lines."""
    drawn = table.Table(title=found.title, box=box.SIMPLE_HEAD)
    for i, column in enumerate(found.columns):
        justify = "left" if i in found.left else "right"
        drawn.add_column(column, justify=justify, no_wrap=i == 0)
    for row in found.rows:
        drawn.add_row(*row)
    console.print(drawn)


def markdown(found: Table) -> list[str]:
    """The lines of a table in Markdown, with its title above and an empty line below."""
    rows = (found.columns, ("---",) * len(found.columns), *found.rows)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [f"**{found.title[0].upper()}{found.title[1:]}**", "", *lines, ""]
