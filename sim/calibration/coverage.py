"""How often intervals cover, verdicts raise a false alarm, and violations are found.

Simulations with a known truth (`sim.calibration.known_laws`) and NumPy alone, many replicates at
once. Shares come with the standard error that the number of replicates leaves.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from sim.calibration import interval_methods
from sim.calibration.configuration import TOGETHER
from sim.calibration.known_laws import DS, REPORTS, TRUTHS, Reports, Truth
from sim.statistics import estimates, intervals
from sim.statistics.verdicts import FALSE_ALARM, FEWEST_SEEDS, LARGEST_SKEWNESS


@dataclass(frozen=True)
class Share:
    """A probability as a share of replicates, with its standard error."""

    value: float
    standard_error: float

    @classmethod
    def of(
        cls, hits: Float[np.ndarray, " replicates"] | Bool[np.ndarray, " replicates"]
    ) -> "Share":
        """`hits` are 0 or 1, or means of several for each replicate."""
        hits = np.asarray(hits, float)
        return cls(float(hits.mean()), float(hits.std(ddof=1) / np.sqrt(len(hits))))


@cache
def truth(name: str) -> Truth:
    """A truth of `sim.calibration.known_laws.TRUTHS`, built once."""
    return TRUTHS[name]()


def generator(key: int, *names: object) -> np.random.Generator:
    """Random numbers of one cell of a table, whatever else is simulated."""
    return np.random.default_rng([key, zlib.crc32(repr(names).encode())])


def drawn(
    rng: np.random.Generator, known: Truth, seeds: int, replicates: int
) -> Iterator[Float[np.ndarray, "replicates seeds sizes"]]:
    """Norms in portions of at most `TOGETHER`."""
    some = max(1, TOGETHER // (seeds * len(DS)))
    for start in range(0, replicates, some):
        yield known.sample(rng, min(some, replicates - start), seeds)


def reliable(norms: Float[np.ndarray, "replicates seeds sizes"]) -> Bool[np.ndarray, " replicates"]:
    """`statistics.is_reliable` of every replicate."""
    n = norms.shape[1]
    *_, skewness = intervals.mean_and_spread(np.swapaxes(norms, 1, 2))
    largest = np.max(np.abs(skewness), axis=1)
    return (largest <= LARGEST_SKEWNESS * np.sqrt(n)) & (n >= FEWEST_SEEDS)


@cache
def reports(name: str) -> Reports:
    """Reports of `sim.calibration.known_laws.REPORTS`, built once."""
    return REPORTS[name]()


@dataclass(frozen=True)
class Coverage:
    """How often the intervals of a report cover."""

    truth: str
    seeds: int
    exponent: Share
    log_exponent: Share
    """Of the geometric mean (`Fit.log_exponent`)."""
    mean: Share
    """Of the mean norm, over all sizes."""
    ratio: Share
    """Of mean over law at the largest size."""
    warned: Share
    """Replicates that are not `Fit.reliable`."""


def coverage(name: str, seeds: int, replicates: int, key: int) -> Coverage:
    """Measured on norms of one truth."""
    known, found = truth(name), []
    for norms in drawn(generator(key, "coverage", name, seeds), known, seeds, replicates):
        means = [interval_methods.hall(norms[..., j], mean) for j, mean in enumerate(known.means)]
        logs = _log_exponent(norms, known.log_slope)
        exponents = interval_methods.jackknife(norms, DS, known.exponent)
        found.append((exponents, logs, np.mean(means, axis=0), means[-1], ~reliable(norms)))
    shares = [Share.of(np.concatenate(hits)) for hits in zip(*found, strict=True)]
    return Coverage(known.title, seeds, *shares)


def _log_exponent(norms: np.ndarray, true: float) -> Bool[np.ndarray, " replicates"]:
    """Whether the t interval of the mean slope of the seeds that are not zero covers."""
    alive = np.all(norms > 0, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(alive, np.log(norms) @ intervals.slope_weights(DS), np.nan)
        mean, spread = np.nanmean(slopes, axis=1), np.nanstd(slopes, axis=1, ddof=1)
    count = alive.sum(axis=1)
    bound = intervals.quantile(estimates.LEVEL, count - 1)
    return np.abs(mean - true) <= bound * spread / np.sqrt(count)


@dataclass(frozen=True)
class Comparison:
    """How often the intervals of several methods cover, on the same norms."""

    truth: str
    seeds: int
    exponents: dict[str, Share]
    means: dict[str, Share]
    """Of the mean norm at the largest size."""


def compare(name: str, seeds: int, replicates: int, key: int) -> Comparison:
    """The methods of `sim.calibration.interval_methods` on norms of one truth."""
    known = truth(name)
    portions = list(drawn(generator(key, "methods", name, seeds), known, seeds, replicates))
    of_exponents = {
        title: Share.of(np.concatenate([covers(x, DS, known.exponent) for x in portions]))
        for title, covers in interval_methods.EXPONENTS.items()
    }
    of_means = {
        title: Share.of(np.concatenate([covers(x[..., -1], known.means[-1]) for x in portions]))
        for title, covers in interval_methods.MEANS.items()
    }
    return Comparison(known.title, seeds, of_exponents, of_means)


@dataclass(frozen=True)
class TwoStages:
    """What `--until` with half-widths that ask for about four times the pilot's seeds does."""

    truth: str
    pilot: int
    seeds: float
    """Mean number of seeds in the end."""
    stein: Share
    """Stein's interval covers."""
    reported: Share
    """The interval of the report covers (`statistics.two_stages`)."""
    reached: Share
    """It is as narrow as was asked for."""


def two_stages(name: str, pilot: int, replicates: int, key: int) -> TwoStages:
    """Each replicate samples as `python -m sim.scaling --until` does."""
    known, rng = truth(name), generator(key, "two stages", name, pilot)
    pilots = np.concatenate(list(drawn(rng, known, pilot, replicates)))
    _, errors = intervals.exponent(pilots, DS)
    half_width = float(np.median(errors) * intervals.quantile(estimates.LEVEL, pilot - 1)) / 2
    rows = []
    for first in pilots:
        needed = estimates.seeds_needed(estimates.exponent(first, DS), half_width)
        norms = np.concatenate([first, known.sample(rng, 1, needed - pilot)[0]])
        stein = estimates.exponent(norms, DS, pilot)
        slope = estimates.two_stages(norms, DS, pilot)
        covers = [low <= known.exponent <= high for low, high in (stein.interval, slope.interval)]
        rows.append((needed, *covers, slope.half_width <= half_width))
    needed, *hits = np.array(rows, float).T
    return TwoStages(known.title, pilot, float(needed.mean()), *map(Share.of, hits))


@dataclass(frozen=True)
class FalseAlarms:
    """How often a report whose laws all hold shows a contradiction."""

    report: str
    seeds: int
    exponents: Share
    """With verdicts on exponents alone, as where no law is exact."""
    all: Share
    """With verdicts on the constants too, as for logits of dense networks."""
    warned: Share
    """Reports with a row that is not `Fit.reliable`."""


def false_alarms(name: str, seeds: int, replicates: int, key: int) -> FalseAlarms:
    """Reports of three widths and three norms, which are functions of the same gradients."""
    rng, found = generator(key, "false alarms", name, seeds), []
    known = reports(name)
    some = max(1, TOGETHER // (seeds * 64))
    for start in range(0, replicates, some):
        norms = known.sample(rng, min(some, replicates - start), seeds)
        found.append(alarms(norms, known.ds, known.means))
    return FalseAlarms(
        known.title, seeds, *(Share.of(np.concatenate(x)) for x in zip(*found, strict=True))
    )


def alarms(
    norms: Float[np.ndarray, "replicates fits seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    means: Float[np.ndarray, "fits sizes"],
) -> tuple[Bool[np.ndarray, " replicates"], ...]:
    """Whether `statistics.fit` contradicts an exponent; any law; whether it warns.

    The first with as many comparisons as there are fits, the second with twice as many, all laws
    being exact.
    """
    _, fits, n, _ = norms.shape
    predicted = np.log(means) @ intervals.slope_weights(ds)
    value, error = intervals.exponent(norms, ds)
    away = np.abs(value - predicted) / error
    mean, error, skewness = intervals.mean_and_spread(norms[..., -1])
    found = intervals.transformed((mean - means[:, -1]) / error, skewness, n)
    sound = np.stack([reliable(norms[:, i]) for i in range(fits)], axis=1)
    few, many = (intervals.quantile(1 - FALSE_ALARM / k, n - 1) for k in (fits, 2 * fits))
    either = (away > many) | (sound & (np.abs(found) > many))
    return np.any(away > few, axis=1), np.any(either, axis=1), ~np.all(sound, axis=1)


EXPONENT_OFF = (0.005, 0.01, 0.02)
CONSTANT_OFF = (0.01, 0.05)
COMPARISONS = 18
"""Of a report with three widths and three norms of an exact law."""


@dataclass(frozen=True)
class Power:
    """How often a violation of one law is found, among the 18 verdicts of a report."""

    truth: str
    spread: float
    """Standard deviation of the slope of one seed."""
    seeds: int
    exponents: dict[float, Share]
    """By what the exponent is more than predicted."""
    constants: dict[float, Share] | None
    """By what the norm is more than predicted, relative to it; None where there is no verdict."""


def power(name: str, seeds: int, replicates: int, key: int) -> Power:
    """Norms multiplied by d^δ or by 1 + δ; the standard errors do not change by that."""
    known, rng = truth(name), generator(key, "power", name, seeds)
    slopes, ratios, spreads = [], [], []
    for norms in drawn(rng, known, seeds, replicates):
        value, error = intervals.exponent(norms, DS)
        slopes.append(((value - known.exponent) / error, 1 / error))
        mean, error, skewness = intervals.mean_and_spread(norms[..., -1])
        unit = known.means[-1]
        ratios.append((mean / unit, error / unit, skewness))
        spreads.append(np.std(np.log(norms) @ intervals.slope_weights(DS)))
    bound = intervals.quantile(1 - FALSE_ALARM / COMPARISONS, seeds - 1)
    deviation, scale = map(np.concatenate, zip(*slopes, strict=True))
    mean, error, skewness = map(np.concatenate, zip(*ratios, strict=True))
    exponents = {off: Share.of(np.abs(deviation + off * scale) > bound) for off in EXPONENT_OFF}
    constants = None
    if known.exact:
        sound = np.abs(skewness) <= LARGEST_SKEWNESS * np.sqrt(seeds)
        constants = {}
        for off in CONSTANT_OFF:
            t = (mean - 1 / (1 + off)) / error
            found = np.abs(intervals.transformed(t, skewness, seeds)) > bound
            constants[off] = Share.of(sound & found)
    return Power(known.title, float(np.mean(spreads)), seeds, exponents, constants)
