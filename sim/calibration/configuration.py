"""The configuration of a calibration: which tables, and from how many simulated runs."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from sim.plan import refusals
from sim.running import flags
from sim.running.needs import Needs
from theory.names import unknown

TABLES = ("coverage", "methods", "two-stages", "peeking", "false-alarms", "power")
"""The tables that there are, in the order of the page."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to simulate."""

    tables: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="TABLE")]] = ()
    """Of coverage, methods, two-stages, peeking, false-alarms, power. Unless given: all."""
    seeds: tuple[int, ...] = (16, 32, 64, 128, 256, 1024)
    """Numbers of seeds of a run, in the tables of coverage and of false alarms."""
    replicates: int = 2500
    """Runs simulated for each row of a table; half as many in those of methods, two stages,
    peeking and power, fewer from 1024 seeds on in those of false alarms and power."""
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
    needs(config).refuse()


TOGETHER = 2**21
"""Norms drawn at once, but those of one run at least."""

SIZES = {"coverage": 4, "methods": 4, "two-stages": 4, "peeking": 4, "false-alarms": 20, "power": 4}
"""Norms of one seed in every table. False alarms draw 64 coordinates of a gradient, in half the
bytes and with fewer copies, which is as much as 20 norms take."""

BEGUN = 250 * 2**20
"""Bytes of a process that has loaded SymPy and SciPy and has the laws, without jax."""

ARRAYS = 10
"""Arrays as large as the norms that are drawn at once."""

NUMBERS = 5 * 10**8
"""That a processor can look at in a second at most."""


REPLICATE = 0.03
"""Seconds that the intervals of one replicate take in one table with the usual seeds."""


def needs(config: Config) -> Needs:
    """The memory and the time that a calibration needs."""
    rows = {name: SIZES[name] * max(config.seeds) for name in config.tables or TABLES}
    numbers = max(TOGETHER, *rows.values())
    asked = [SIZES[name] * config.replicates * sum(config.seeds) for name in rows]
    what = f"{config.replicates} replicates of {max(config.seeds)} seeds"
    total = BEGUN + 8 * (ARRAYS * numbers + len(rows) * config.replicates)
    intervals = round(REPLICATE * config.replicates * len(rows))
    return Needs(what, total, sum(asked) // NUMBERS, intervals)
