"""The configuration of a calibration: which tables, and from how many simulated runs."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from sim.plan import refusals
from theory.initializers import unknown

TABLES = ("coverage", "methods", "two-stages", "false-alarms", "power")
"""The tables that there are, in the order of the page."""


@dataclass(frozen=True)
class Config:
    """What to simulate."""

    tables: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="TABLE")]] = ()
    """Of coverage, methods, two-stages, false-alarms, power. Unless given: all."""
    seeds: tuple[int, ...] = (16, 32, 64, 128, 256, 1024)
    """Numbers of seeds of a run, in the tables of coverage and of false alarms."""
    replicates: int = 2500
    """Runs simulated for each row of a table; half as many in those of methods, two stages
    and power, fewer from 1024 seeds on in those of false alarms and power."""
    seed: int = 0
    """Key of all simulations; the same key gives the same figures."""


def check(config: Config) -> None:
    """Checks that the configuration can be run.

    Raises:
        ValueError: With one sentence, if it cannot.
    """
    for name in config.tables:
        if name not in TABLES:
            raise ValueError(unknown("table", name, TABLES))
    for name, values in (("TABLE", config.tables), ("--seeds", config.seeds)):
        refusals.check_distinct(name, values)
    if not config.seeds:
        raise ValueError("--seeds needs at least one value.")
    if min(config.seeds) < 3:
        raise ValueError(f"a skewness needs at least three seeds, not {min(config.seeds)}.")
    if config.replicates < 16:
        raise ValueError(f"a share needs at least 16 --replicates, not {config.replicates}.")
    refusals.check_key(config.seed)
