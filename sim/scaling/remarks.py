"""What a reader must know besides the table: sentences below it."""

import math
import shlex

from sim.audit.configuration import Config as Audit
from sim.scaling.report import Report
from sim.scaling.table import columns
from sim.statistics.anytime import extended
from sim.statistics.estimates import LEVEL
from sim.statistics.fits import OFF, Fit
from sim.statistics.verdicts import FALSE_ALARM
from sim.storage import refusals
from theory.printout import Line


def notes(report: Report) -> list[str]:
    """What the columns of the table mean, in the form "column: meaning"."""
    is_random = any(fit.predicted_error for fit in report.fits)
    random = ", with its 95 % interval where it is sampled" if is_random else ""
    found = [
        "exponent of d: of the mean norm, with its 95 % interval. predicted: the slope over the "
        f"same sizes{random}.",
        "rests on: gradient-independence: the mean over the same networks, whose backward pass "
        "uses independent copies of the weights.",
        "verdict: on the exponent, and on the constant of an exact law. If all laws hold, "
        f"{FALSE_ALARM:.0%} of runs contradict one.",
        "ratio: mean norm over predicted norm at the largest size, with its 95 % interval.",
        "ratio to law: mean norm over what the law says, which leaves something out.",
        "ratio to H: mean norm over what the paper's hypotheses alone predict.",
        "attack: exponent of ε_p‖∂‖_q, the first-order damage at a constant change per pixel.",
    ]
    if any(fit.norm_off for fit in report.fits):
        found.append(
            "verdict: norms are named whose ratio's 95 % interval, at that size, lies more than "
            f"{OFF:.0%} from 1."
        )
    known = {"verdict", *columns(report)}
    if all(fit.basis != "gradient-independence" for fit in report.fits):
        known.remove("rests on")
    return [note for note in found if note.split(":")[0] in known]


def remarks(report: Report) -> list[Line]:
    """What a reader must know besides the table: samples or intervals that are not as usual."""
    found = []
    doubtful = sum(not fit.reliable and fit.unmeasured is None for fit in report.fits)
    if doubtful:
        found.append(
            Line(
                f"warning: intervals in {doubtful} of {len(report.fits)} rows may cover less than "
                f"{LEVEL:.0%}: too few seeds for such norms.",
                "yellow",
            )
        )
    if report.extended_from:
        found.append(Line(extended(report.extended_from)))
    if report.reached is not None:
        found.append(Line(_until(report), "" if report.reached else "bold red"))
    # a user's model has other reasons as well
    is_usual = report.degenerate is None and not report.config.get("model")
    if report.nonfinite:
        beyond = " (beyond the range of float64)" if is_usual else ""
        found.append(
            Line(
                f"warning: {report.nonfinite} of {report.samples} samples are not finite"
                f"{beyond}; their seeds are left out of the fits, which rest on "
                f"{_range([fit.exponent.seeds for fit in report.fits])} seeds, the smaller norms, "
                "and get no verdict.",
                "bold red",
            )
        )
    if report.unfinished:
        found.append(
            Line(
                f"note: {report.unfinished} of {report.unfinished + report.samples} samples have "
                "not been computed."
            )
        )
    if report.underflown:
        found.append(
            Line(
                f"note: {report.underflown} of {report.samples} samples lie below the range of "
                "float64 (a saturated softmax, or a product of many small factors); the means "
                "count them as 0."
            )
        )
    if report.dead:
        asleep = " (no unit active)" if is_usual else ""
        found.append(
            Line(
                f"note: {report.dead} of {report.samples} samples are zero{asleep}; the means "
                "include them."
            )
        )
    found += [Line(sentence, "dim") for sentence in report.rests]
    off = max((fit for fit in report.fits if fit.norm_off), key=_distance, default=None)
    if off is not None:
        found.append(Line(f"{audit_command(report, off)} says which layers.", "dim", True))
    if report.degenerate is not None:
        found.append(Line(f"warning: {report.degenerate}", "bold red"))
    return found


def _distance(fit: Fit) -> float:
    """How far its norm is from the prediction, in powers of e."""
    if fit.norm_off is None:
        return 0.0
    ratio = fit.norm_off.ratio.value
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def audit_command(report: Report, fit: Fit) -> str:
    """The command line that measures, layer by layer, why this norm is off.

    With the flags of the run that an audit shares, one width and two sizes: that where the norm is
    off, and the smallest.
    """
    config = report.config
    usual = vars(Audit())
    chosen = {name: config.get(name, value) for name, value in usual.items()}
    chosen["quantity"] = fit.quantity
    if config.get("model") is None:
        chosen |= {"widths": [fit.width], "model": None}
    else:
        chosen |= {"arch": None, "widths": None}
    off = fit.norm_off
    sizes = sorted({point.size for point in report.points})
    smallest = sizes[1:2] if off and off.size == sizes[0] else sizes[:1]
    chosen["sizes"] = sorted({*smallest, *([off.size] if off else sizes[:2])})
    left_out = ("seeds", "seed")
    flags = [
        refusals.flag(name, value)
        for name, value in chosen.items()
        if name not in left_out and value is not None and value != usual[name]
    ]
    return " ".join(["python -m sim.audit", *(shlex.quote(x) for f in flags for x in f.split())])


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _until(report: Report) -> str:
    """How the two stages of --until ended, in one sentence."""
    until, pilot = report.config["until"], report.config["seeds"]
    if report.reached:
        return (
            f"until: the spread of {pilot} seeds asked for {report.seeds} seeds to bring every "
            f"half-width to {until:g} or less."
        )
    halves = [fit.exponent.half_width for fit in report.fits]
    widest = max(halves)
    if not all(map(math.isfinite, halves)):
        return f"until: {pilot} seeds show no spread of some exponent, so there is no interval."
    if report.seeds < report.config["max_seeds"]:
        if report.nonfinite:
            return f"until: samples that are not finite left a half-width of {widest:.2g}."
        return (
            f"until: later seeds vary more than the first {pilot}, which left a half-width of "
            f"{widest:.2g}; begin with more --seeds."
        )
    return f"until: --max-seeds {report.seeds} stopped it at a half-width of {widest:.2g}."
