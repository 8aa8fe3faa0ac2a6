"""A calibration, run: every row of every table is simulated."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sim.calibration import coverage, peeking
from sim.calibration.configuration import TABLES, Config, check
from sim.calibration.known_laws import REPORTS, TRUTHS

COMPARED = (16, 64)
"""Seeds of a run in the table of methods."""
PILOTS = (16, 32, 128)
"""Seeds of the first stage in the table of two stages."""
TWO_STAGES = ("mild", "correlated", "deep", "student", "pareto")
"""Known laws in the table of two stages."""
PEEKED = ("wide", "deep", "mild", "correlated", "student", "pareto")
"""Known laws in the table of looking repeatedly."""
FIRST_LOOKS = (32, 128)
"""Seeds at the first look in that table."""
POWER = ("wide", "medium", "mild")
"""Known laws in the table of power."""
POWER_SEEDS = (16, 64, 256, 1024, 4096, 16384)
"""Seeds of a run in the table of power."""


def measurements(config: Config) -> dict[str, list[Callable[[], Any]]]:
    """What is to be simulated.

    Args:
        config: The tables, and how many runs are simulated for a row.

    Returns:
        By table, one function for each row, which returns it.
    """
    many, some, key = config.replicates, config.replicates // 2, config.seed

    def rows(
        measure: Callable[..., Any],
        names: Iterable[str],
        seeds: Iterable[int],
        count: int,
        fewer: int | None = None,
    ) -> list[Callable[[], Any]]:
        numbers = {n: count if n < 1024 or fewer is None else fewer for n in seeds}
        return [partial(measure, name, n, numbers[n], key) for name in names for n in numbers]

    tables = {
        "coverage": rows(coverage.coverage, TRUTHS, config.seeds, many),
        "methods": rows(coverage.compare, TRUTHS, COMPARED, some),
        "two-stages": rows(coverage.two_stages, TWO_STAGES, PILOTS, some),
        "peeking": rows(peeking.peeking, PEEKED, FIRST_LOOKS, some),
        "false-alarms": rows(coverage.false_alarms, REPORTS, config.seeds, many, many // 4),
        "power": rows(coverage.power, POWER, POWER_SEEDS, some, many // 8),
    }
    return {name: tables[name] for name in TABLES if name in (config.tables or TABLES)}


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> dict[str, list[Any]]:
    """Simulates the rows of every table.

    Args:
        config: What to simulate.
        advance: Called with 1 after each row.

    Returns:
        By table its rows, dataclasses of `sim.calibration.coverage`.

    Raises:
        ValueError: For a configuration that makes no sense.
    """
    check(config)
    found: dict[str, list[Any]] = {}
    for name, measures in measurements(config).items():
        found[name] = []
        for measure in measures:
            found[name].append(measure())
            advance(1)
    return found
