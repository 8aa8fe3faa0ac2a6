"""The configuration of a reprint of tables: which of them, and which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tyro.conf import Positional

from sim.plan import refusals
from sim.results import commands
from sim.results.commands import Command, CommandTable
from sim.running import flags


@dataclass(frozen=True)
class Config(flags.Checked):
    """Which rows, and what with them."""

    rows: Positional[tuple[int, ...]] = ()
    """Rows of each table by their number, from 1. Unless given: all."""
    table: tuple[commands.Name, ...] = ("readme",)
    """Which tables."""
    check: flags.Place = None
    """Compare with the tables in this file instead of printing them."""


class Row(NamedTuple):
    """A row of a table that is to be measured."""

    table: CommandTable
    number: int
    """Counted from 1."""

    @property
    def command(self) -> Command:
        """The command whose widest network stands in the row."""
        return self.table.rows[self.number - 1]


def tables(config: Config) -> list[CommandTable]:
    """The tables that are asked for."""
    return [commands.table(name) for name in config.table]


def rows(config: Config) -> list[Row]:
    """The rows that are asked for, table by table.

    Raises:
        ValueError: For the number of a row that is not there, a row or table named twice, or none.
    """
    refusals.check_distinct("ROW", config.rows)
    refusals.check_lists(config, "table")
    return [Row(table, n) for table in tables(config) for n in _numbers(config.rows, table)]


def _numbers(asked: tuple[int, ...], table: CommandTable) -> Sequence[int]:
    last = len(table.rows)
    for number in asked:
        if not 1 <= number <= last:
            raise ValueError(
                f"there is no row {number}; the table of {table.name} has rows 1 to {last}."
            )
    return asked or range(1, last + 1)
