"""Intervals and verdicts that hold however often a run was looked at and extended.

Whoever looks at an interval after each extension and stops when he likes it does not have 95 %: a
law that holds is contradicted in the end with probability 1. A *confidence sequence* contains the
truth at all numbers of seeds at once. The asymptotic one of Waudby-Smith, Arbour, Sinha, Kennedy
and Ramdas (Time-uniform central limit theory and asymptotic confidence sequences, Annals of
Statistics 52, 2024, arXiv:2103.06476, Theorem 2.2) for a mean of n terms with the estimated
standard deviation s is

    mean ± s √( 2 (nρ² + 1) / (n²ρ²) · log( √(nρ² + 1) / α ) ),

Robbins' normal mixture, where ρ says at which n it is narrowest and must not depend on what was
seen: here that is the number at the first look. Exponents and ratios are, up to smaller terms,
means over seeds of what each of them changes, whose spread is their standard error
(`sim.statistics.intervals`), so that it holds for them, too.

In standard errors s/√n the half-width is √(1 + 1/(nρ²)) √log((nρ² + 1)/α²). A normal variate lies
beyond that with a probability α′ < α: an interval at any time is the fixed-sample interval at the
level α′ instead of α. So every interval and every test here has its own method, with its allowance
for few or for skewed seeds, at another level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scipy import special

from sim.statistics.estimates import LEVEL, OverSeeds

Estimated = TypeVar("Estimated", bound=OverSeeds)


@dataclass(frozen=True)
class Looks:
    """When a run may have been looked at; never before its end without `first`."""

    first: int | None = None
    """Seeds at the first look of a run that was extended afterwards, or that is unfinished."""

    @classmethod
    def of(cls, extended_from: Sequence[int]) -> "Looks":
        """Those of a run that was extended from these numbers of seeds."""
        return cls(min(extended_from, default=None))

    def level(self, alpha: float, seeds: int) -> float:
        """The level α′ at which a fixed-sample interval or test of so many seeds must be made.

        Args:
            alpha: The probability to be wrong that is allowed, at any look; a fixed sample has it
                unchanged.
            seeds: How many there are now.
        """
        if self.first is None or seeds < 1:
            return alpha
        return float(2 * special.ndtr(-half_width(alpha, seeds, self.first)))

    def coverage(self, seeds: int) -> float:
        """That which a fixed-sample interval of so many seeds must have."""
        return 1 - self.level(1 - LEVEL, seeds)

    def beside(self, found: Estimated) -> Estimated:
        """The estimate, with the interval at any time if the run was extended."""
        if self.first is None:
            return found
        return replace(found, any_time=found.at(self.coverage(found.seeds)))


FIXED = Looks()
"""A run whose number of seeds was known beforehand."""


def extended(looks: Sequence[int]) -> str:
    """What a report says of a run that may have been looked at with these numbers of seeds."""
    several = ", ".join(map(str, looks))
    return (
        f"note: this run may have been looked at with {several} seeds: in brackets are the "
        "intervals that hold at any number of seeds, and verdicts use them."
    )


def half_width(alpha: float, seeds: int, narrowest: int) -> float:
    """Half the length of the confidence sequence, in standard errors.

    Args:
        alpha: The probability that it ever misses the truth.
        seeds: At which number.
        narrowest: The number at which it is narrowest in standard errors; fixed beforehand.
    """
    scaled = seeds * mixture(alpha) / narrowest
    return math.sqrt((1 + 1 / scaled) * (math.log1p(scaled) - 2 * math.log(alpha)))


def mixture(alpha: float) -> float:
    """u = nρ² at the n where `half_width` is smallest, which solves u = log(1 + u) − 2 log α.

    There the half-width is √(1 + u).
    """
    return -1 - float(special.lambertw(-(alpha**2) / math.e, -1).real)
