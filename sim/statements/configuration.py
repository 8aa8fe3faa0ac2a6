"""The configuration of the simulations of statements: which ones, and how many networks."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from sim.plan import refusals
from sim.running import flags
from sim.running.needs import BASE, Needs
from theory.names import unknown
from theory.statements import STATEMENTS

LATER = (
    *("decreasing-widths", "gradient-step", "deep-networks", "general-activations"),
    *("boundary-scaling", "lazy-training", "average-robustness", "copied-pixels", "dimension-gap"),
)
"""Theorems that others proved after the paper, in the order of their papers."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to simulate."""

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")]] = ()
    """Statements, by the names that `python -m theory` lists. Unless given: all."""
    seeds: int = 4000
    """Number of random networks in a mean. Identities take 16 networks."""
    seed: int = 0
    """Key of all simulations; the same key gives the same figures."""


def check(config: Config) -> None:
    """Checks that the configuration can be run.

    Raises:
        ValueError: With one sentence, if it cannot.
    """
    for name in config.names:
        if name not in STATEMENTS:
            raise ValueError(unknown("statement", name, STATEMENTS))
    refusals.check_distinct("NAME", config.names)
    if config.seeds < 2:
        raise ValueError(f"a standard error needs at least two seeds, not --seeds {config.seeds}.")
    refusals.check_key(config.seed)
    needs(config).refuse()


PREDICTED = 200 * 2**20
"""Bytes that the prediction with the most factors takes."""

COMPILED = 16 * 2**20
"""Bytes that compiling a simulation takes."""

PER_SEED = 400
"""Bytes that a simulation keeps of a network: its key, its norm, and copies of it."""

NETWORKS = 10**6
"""That a processor can look at in a second at most."""


def needs(config: Config) -> Needs:
    """The memory and the time that the simulations need."""
    count = len(config.names or STATEMENTS)
    total = BASE + PREDICTED + COMPILED * count + PER_SEED * config.seeds
    return Needs(f"{config.seeds} seeds", total, count * config.seeds // NETWORKS, 2 * count)
