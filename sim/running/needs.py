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
                f"{self.what} need about {_number(self.memory, 2**30)} GiB, more than this "
                f"machine has free ({_number(free, 2**30)} GiB)."
            )
        if self.seconds > LONGEST * DAY:
            raise ValueError(
                f"{self.what} take at least {_number(self.seconds, DAY)} days, more than {LONGEST}."
            )


def devices_need(devices: int) -> Needs:
    """What so many devices of a processor need before they compute anything."""
    return Needs(f"{devices} devices", BASE + devices * DEVICE, 0)


def processors() -> int:
    """Of this machine, those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _number(count: int, unit: int) -> str:
    """A number of any length in units, with three digits."""
    value = Decimal(count) / unit
    return f"{float(value):.3g}" if value < 10**300 else f"{value:.2e}"
