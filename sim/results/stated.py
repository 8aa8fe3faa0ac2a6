"""What a Markdown file says in a table of results, and whether that is what was found."""

import re
from pathlib import Path

from sim.results.commands import CommandTable


def read(name: str) -> str:
    """The text of a file.

    Raises:
        ValueError: If it cannot be read.
    """
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {name}: it is no text.") from None


def stated(table: CommandTable, text: str) -> list[tuple[str, ...]]:
    """The rows of a table as a Markdown text has them.

    Args:
        table: The table whose head is looked for.
        text: The whole text.

    Returns:
        The cells of every row.

    Raises:
        ValueError: If the table is not there, or has another number of rows.
    """
    head = "| " + " | ".join(table.head) + " |\n"
    if head not in text:
        raise ValueError(f"there is no table of {table.name} in this file.")
    rows = []
    for line in text.split(head, 1)[1].splitlines()[1:]:
        if not line.startswith("| "):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
    if len(rows) != len(table.rows):
        raise ValueError(f"the table of {table.name} has {len(rows)} rows, not {len(table.rows)}.")
    return rows


def same(stated: str, found: str) -> bool:
    """Whether two cells say the same: numbers up to one unit of the last digit, by rounding."""
    number = r"-?\d+\.\d+"
    if re.sub(number, "#", stated) != re.sub(number, "#", found):
        return False
    for one, other in zip(re.findall(number, stated), re.findall(number, found), strict=True):
        digits = min(len(text.partition(".")[2]) for text in (one, other))
        if abs(float(one) - float(other)) > 1.01 * 10.0**-digits:
            return False
    return True
