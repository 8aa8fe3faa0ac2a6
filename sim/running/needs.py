"""What a run needs of the machine, and the one refusal of what it does not have. Without jax."""

import os
from dataclasses import dataclass
from decimal import Decimal

from sim.running import memory

BASE = 460 * 2**20
"""Bytes of a process that has loaded jax and SymPy and has compiled a small network."""

DEVICE = 120 * 2**10
"""Bytes that jax takes for one device of a processor."""

LONGEST = 30
"""Days that a run may take."""

DAY = 24 * 3600

SLOWER = 5
"""How many times the least time sampling takes, within a factor of two or so."""

LONG = 60
"""Seconds beyond which a run says beforehand how long it takes."""


@dataclass(frozen=True)
class Needs:
    """The memory and the time that a run needs, estimated before anything is allocated."""

    what: str
    """What of the run takes most, as the subject of a sentence in the plural: "128 seeds of width
    64"."""
    memory: int
    """Bytes of the whole process where they are most."""
    seconds: int
    """At the least: computation alone, on a fast processor."""
    compiling: int = 0
    """Seconds that compiling takes where it has not been done before."""

    @property
    def expected(self) -> int:
        """Seconds that it takes about: no more than an estimate, on a processor of its own."""
        return SLOWER * self.seconds + self.compiling

    def refuse(self, free: int | None = None) -> None:
        """Refuses what the machine does not have.

        Args:
            free: Bytes that this process may have. Unless given: what is free now, and what it has
                already.

        Raises:
            ValueError: In one sentence, for more memory than is free, or more than `LONGEST` days.
        """
        free = memory.free() if free is None else free
        if self.memory > free:
            raise ValueError(
                f"{self.what} need about {gibibytes(self.memory)}, more than this machine has "
                f"free ({gibibytes(free)})."
            )
        if self.seconds > LONGEST * DAY:
            raise ValueError(
                f"{self.what} take at least {_number(self.seconds, DAY)} days, more than {LONGEST}."
            )


def duration(seconds: int) -> str:
    """A time in words: "40 seconds", "3 minutes", "2.5 hours"."""
    for unit, name in ((DAY, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * unit:
            return f"{_number(seconds, unit, 2)} {name}"
    return f"{seconds} seconds"


def gibibytes(count: int) -> str:
    """Bytes in words: "1.25 GiB"."""
    return f"{_number(count, 2**30)} GiB"


def devices_need(devices: int) -> Needs:
    """What so many devices of a processor need before they compute anything."""
    return Needs(f"{devices} devices", BASE + devices * DEVICE, 0)


def processors() -> int:
    """Of this machine, those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _number(count: int, unit: int, digits: int = 3) -> str:
    """A number of any length in units, with so many digits."""
    value = Decimal(count) / unit
    return f"{float(value):.{digits}g}" if value < 10**300 else f"{value:.2e}"
