"""The tables of results in README.md and docs/architectures.md, measured and predicted again.

`python -m sim.results` runs every command of the README's table and prints it as Markdown, some
minutes; `--table heads` and other names are those of docs/architectures.md. `--check` compares with
the file instead, and ends with status 1 if it says something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from sim.results import tables
from sim.results.tables import Row, Table
from sim.running import command_line

if TYPE_CHECKING:
    from sim.scaling.experiment import Config
    from sim.statistics.estimates import Expected
from sim.statistics.fitting import Fit

LIMITS = {0.0: "0", 0.5: "½", 0.75: "¾", 1.0: "1"}


def config(table: Table, row: Row) -> Config:
    """The configuration of a row's command. Exits with status 2 if it does not parse."""
    from sim.scaling.experiment import Config, complete

    flags = f"{row.flags} {table.common}".split()
    (found,) = command_line.parse((Config,), "python -m sim.scaling", "", flags)
    found = complete(found)
    return widest(found) if table.only_widest else found


def run(config: Config, advance: Callable[..., None] = lambda done, more=0: None) -> Fit:
    """The fit of the ℓ_1 norm in the widest network of a row's command."""
    from sim import scaling
    from sim.statistics import fitting

    fits = fitting.fit(scaling.run(config, advance))
    return max((fit for fit in fits if fit.q == "1"), key=lambda fit: fit.width or 0)


def widest(config: Config) -> Config:
    """The same with its widest network and the ℓ_1 norm alone."""
    from sim.scaling.experiment import networks

    return replace(config, widths=(max(networks(config)),), norms=("1",))


def cells(table: Table, row: Row, fit: Fit) -> tuple[str, ...]:
    """The row as it stands in the table."""
    from sim.statistics.numbers import with_ends, with_error

    measured = with_error(fit.exponent.value, *fit.exponent.interval)
    predicted = predicted_cell(fit.expected)
    if fit.agrees is False or fit.constant_agrees is False:
        predicted += ", **contradicted**"
    limit = limit_cell(fit.limit)
    width = "–" if fit.width is None else str(fit.width)
    found = (f"`{row.flags}`{row.remark}", width, measured, predicted, limit, fit.basis)
    if not table.has_ratio:
        return found
    return (*found, with_ends(fit.ratio.value, *fit.ratio.interval) if fit.ratio else "–")


def predicted_cell(slope: Expected | None) -> str:
    """The slope over the sizes of the row, with half its 95 % interval if it is sampled."""
    from sim.statistics.numbers import expected_slope

    return expected_slope(slope)


def limit_cell(limit: float | None) -> str:
    """The law's exponent as d → ∞."""
    return "–" if limit is None else LIMITS.get(limit, f"{limit:.4g}")


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """The table, with its head."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def stated(table: Table, text: str) -> list[tuple[str, ...]]:
    """The rows of the table in a Markdown text.

    Raises ValueError if it is not there, or has another number of rows.
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


@dataclass(frozen=True)
class Options:
    """Which rows, and what with them."""

    rows: Positional[tuple[int, ...]] = ()
    """Rows of each table by their number, from 1. Unless given: all."""
    table: tuple[tables.Name, ...] = ("readme",)
    """Which tables."""
    check: str | None = None
    """Compare with the tables in this file instead of printing them."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 a difference, 2 bad usage)."""
    (options,) = command_line.parse((Options,), "python -m sim.results", __doc__ or "", args)
    with command_line.one_sentence():
        chosen = list(map(tables.table, dict.fromkeys(options.table)))
        rows = [(table, number) for table in chosen for number in _numbers(options.rows, table)]
        there = {}
        if options.check is not None:
            text = _read(options.check)
            there = {table.name: stated(table, text) for table in chosen}
    from sim.running import compilation
    from sim.scaling.experiment import networks, sizes_of

    compilation.keep()
    configs = [config(table, table.rows[number - 1]) for table, number in rows]
    total = sum(len(networks(c)) * len(sizes_of(c)) * c.seeds for c in configs)
    found = []
    with command_line.progress("sampling networks", total) as advance:
        for (table, number), asked in zip(rows, configs, strict=True):
            found.append(cells(table, table.rows[number - 1], run(asked, advance)))
    if options.check is None:
        printed = {table: [] for table in chosen}
        for (table, _), row in zip(rows, found, strict=True):
            printed[table].append(row)
        print("\n\n".join(markdown(table.head, its) for table, its in printed.items()))
        return 0
    differences = []
    for (table, number), row in zip(rows, found, strict=True):
        said = there[table.name][number - 1]
        if not all(map(same, said, row)):
            differences.append(
                f"{table.name}, row {number}: the file says\n{' | '.join(said)}\nand the command\n"
                f"{' | '.join(row)}"
            )
    print("\n".join(differences) or f"all {len(found)} rows are as in {options.check}.")
    return 1 if differences else 0


def _numbers(asked: tuple[int, ...], table: Table) -> Iterable[int]:
    """The numbers of the rows that are asked for. Raises ValueError for one that is not there."""
    last = len(table.rows)
    for number in asked:
        if not 1 <= number <= last:
            raise ValueError(
                f"there is no row {number}; the table of {table.name} has rows 1 to {last}."
            )
    return asked or range(1, last + 1)


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}.") from None
