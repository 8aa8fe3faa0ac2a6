"""The answer of a scaling run, which its report begins with."""

import math

from sim.scaling.report import Report
from sim.scaling.table import norm_name
from sim.statistics.fits import Fit, times, verdict
from sim.statistics.numbers import estimated, expected_slope
from sim.statistics.verdicts import FALSE_ALARM

MOST = 3
"""Norms that the first sentence names."""


def answer(report: Report) -> str:
    """What was measured, what was predicted, the verdict, and what to do next."""
    return f"{_measured(report)} {_verdict(report)} {_next(report)}".strip()


def _measured(report: Report) -> str:
    widest = report.fits[-1].width
    shown = [fit for fit in report.fits if fit.width == widest and fit.unmeasured is None]
    arch, width = report.config["arch"], "" if widest is None else f" of width {widest}"
    start = f"{arch}, {report.seeds} random networks{width}: "
    if not shown:
        return f"{start}nothing could be measured."
    parts = []
    for fit in shown[:MOST]:
        predicted = "no prediction"
        if fit.expected is not None:
            predicted = f"predicted {expected_slope(fit.expected)}"
        verb = "" if parts else "grows with exponent of d "
        name = norm_name(fit.quantity, fit.q)
        parts.append(f"{name} {verb or 'with '}{estimated(fit.exponent)} ({predicted})")
    more = f" ({len(shown) - MOST} more below)" if len(shown) > MOST else ""
    return f"{start}{', '.join(parts)}{more}."


def _verdict(report: Report) -> str:
    """The sentence on all rows together; says "agree" of those alone whose norm does too."""
    fits, said = report.fits, [verdict(fit) for fit in report.fits]
    wrong = [fit for fit, words in zip(fits, said, strict=True) if words.startswith("CONTRADICTS")]
    unknown = sum(words.startswith("no ") for words in said)
    plain, half = said.count("agrees"), sum(words.startswith("exponent agrees") for words in said)
    parts = []
    if wrong:
        named = ", ".join(map(_named, wrong[:MOST])) + (", …" if len(wrong) > MOST else "")
        parts.append(f"{_of(len(wrong), fits)} CONTRADICT{'S' * (len(wrong) == 1)} ({named})")
    if plain:
        parts.append(f"{_of(plain, fits)} agree{'s' * (plain == 1)} with the prediction")
    if half:
        off = max((fit for fit in fits if _off(fit)), key=_off, default=None)
        by = "" if off is None or off.norm_off is None else f", {times(off.norm_off.ratio)} it"
        where = "" if off is None else f" ({_named(off)})"
        words = "agrees" if half == 1 else "agree"
        parts.append(f"{_of(half, fits)} {words} in the exponent, but not in the norm{by}{where}")
    if unknown:
        parts.append(f"{_of(unknown, fits)} without a verdict")
    return f"{'; '.join(parts)}."


def _of(count: int, fits: list[Fit]) -> str:
    """ "All 9 rows", or "3 of 9 rows"."""
    rows = "row" if len(fits) == 1 else "rows"
    if count == len(fits) == 1:
        return "The only row"
    return f"All {count} {rows}" if count == len(fits) else f"{count} of {len(fits)} {rows}"


def _named(fit: Fit) -> str:
    at = "" if fit.width is None else f" at width {fit.width}"
    return f"{norm_name(fit.quantity, fit.q)}{at}"


def _off(fit: Fit) -> float:
    if fit.norm_off is None:
        return 0.0
    ratio = fit.norm_off.ratio.value
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _next(report: Report) -> str:
    if any(fit.unmeasured for fit in report.fits):
        return "The table says why."
    if report.contradicted and not any(map(_off, report.fits)):
        return (
            f"Laws that hold are contradicted in {FALSE_ALARM:.0%} of runs: another --seed shows "
            "whether it is chance."
        )
    if any(map(_off, report.fits)):
        return "The audit named below says which layers make the difference."
    if report.nonfinite or report.unfinished or report.reached is False:
        return "What is said below the table limits it."
    more = 4 * report.seeds
    if not all(fit.reliable for fit in report.fits):
        return f"The intervals need more networks: --seeds {more}."
    if report.reached:
        return ""
    return f"--seeds {more} would halve the intervals."
