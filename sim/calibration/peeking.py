"""What happens to an analyst who looks at a run after each extension and stops when he likes it.

Norms are drawn as in `sim.calibration.coverage`; after every look as many seeds are added as the
first one had. An interval covers if it contains the truth at every look, and a verdict is a false
alarm if it contradicts a law that holds at any of them.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sim.calibration.coverage import Share, drawn, generator, truth
from sim.calibration.known_laws import DS, Truth
from sim.statistics import intervals
from sim.statistics.anytime import FIXED, Looks
from sim.statistics.verdicts import FALSE_ALARM

LOOKS = 40
"""How often the analyst looks."""


@dataclass(frozen=True)
class Peeking:
    """Coverage and false alarms of one truth's exponent and mean, over all looks."""

    truth: str
    first: int
    """Seeds at the first look; at the last one they are `LOOKS` times as many."""
    exponent: tuple[Share, Share]
    """The 95 % interval covers at every look: that of a fixed sample, and that at any time."""
    mean: tuple[Share, Share]
    """The same of the mean norm at the largest size."""
    alarms: tuple[Share, Share]
    """The exponent is contradicted at some look, by tests at 1 %."""
    width: tuple[float, float]
    """How many times as long the exponent's interval at any time is, at the first and last look."""


def peeking(name: str, first: int, replicates: int, key: int) -> Peeking:
    """Simulated with norms of one truth."""
    known, rng = truth(name), generator(key, "peeking", name, first)
    found = [look(known, norms, first) for norms in drawn(rng, known, LOOKS * first, replicates)]
    hits = np.concatenate(found, axis=2)
    exponent, mean, alarms = ((Share.of(fixed), Share.of(any_time)) for fixed, any_time in hits)
    width = longer(first, first), longer(LOOKS * first, first)
    return Peeking(known.title, first, exponent, mean, alarms, width)


def longer(seeds: int, first: int) -> float:
    """How many times as long an exponent's interval at any time is as that of a fixed sample."""
    levels = (looks.coverage(seeds) for looks in (Looks(first), FIXED))
    any_time, fixed = (float(intervals.quantile(level, seeds - 1)) for level in levels)
    return any_time / fixed


def look(
    known: Truth, norms: Float[np.ndarray, "replicates seeds sizes"], first: int
) -> Bool[np.ndarray, "3 2 replicates"]:
    """Whether the intervals cover at all looks: exponent, mean; whether a test ever rejects.

    Each of a fixed sample, and at any time.
    """
    count = len(norms)
    covered = np.ones((2, 2, count), bool)
    alarmed = np.zeros((2, count), bool)
    for n in range(first, norms.shape[1] + 1, first):
        value, error = intervals.exponent(norms[:, :n], DS)
        away = np.abs(value - known.exponent) / error
        mean, spread, skewness = intervals.mean_and_spread(norms[:, :n, -1])
        t = (mean - known.means[-1]) / spread
        from_mean = np.abs(intervals.transformed(t, skewness, n))
        for i, looks in enumerate((FIXED, Looks(first))):
            bound = intervals.quantile(looks.coverage(n), n - 1)
            covered[0, i] &= away <= bound
            covered[1, i] &= from_mean <= bound
            alarmed[i] |= away > intervals.quantile(1 - looks.level(FALSE_ALARM, n), n - 1)
    return np.stack([*covered, alarmed])
