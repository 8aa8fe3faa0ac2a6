"""The result of a scaling run as a table for people and as JSON for programs."""

import json
import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import xarray as xr

from sim.running import command_line
from sim.statistics import fitting
from sim.statistics.estimates import LEVEL, Mean
from sim.statistics.fitting import OFF, Fit, Off, Point
from sim.statistics.numbers import expected_slope, finite_or_none, plain, with_ends, with_error
from sim.statistics.verdicts import FALSE_ALARM
from sim.storage import refusals
from theory.console import for_tables

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Report:
    """Fits and points of one run, with its configuration."""

    config: dict[str, Any]
    sampler: str
    seeds: int
    fits: list[Fit]
    points: list[Point]
    nonfinite: int
    dead: int
    underflown: int
    samples: int
    """Samples that there are."""
    unfinished: int
    """Samples that a stored run lacks."""
    rests: list[str]
    """What the predictions leave out, a sentence each."""
    degenerate: str | None = None
    """Why all samples at a size are zero or not finite, if that is known."""

    @classmethod
    def of(cls, samples: xr.Dataset) -> "Report":
        """The report of what `sim.scaling.run` returned, or of a stored run."""
        there = xr.ones_like(samples["norm"], bool) & samples.get("finished", True)
        return cls(
            config=json.loads(samples.attrs["config"]),
            sampler=samples.attrs["sampler"],
            seeds=samples.sizes["seed"],
            fits=fitting.fit(samples),
            points=fitting.points(samples),
            nonfinite=fitting.nonfinite(samples[["norm"]].where(there, 1)),
            dead=fitting.dead(samples),
            underflown=fitting.underflown(samples),
            samples=int(there.sum()),
            unfinished=int((~there).sum()),
            rests=json.loads(samples.attrs.get("rests", "[]")),
            degenerate=samples.attrs.get("degenerate"),
        )

    @property
    def contradicted(self) -> bool:
        """True if a measured exponent contradicts its law, or a constant an exact law."""
        return any(fit.agrees is False or fit.constant_agrees is False for fit in self.fits)

    @property
    def reached(self) -> bool | None:
        """Whether every interval is as narrow as `until` asks for; None if it asks for nothing."""
        if self.config["until"] is None:
            return None
        return all(fit.exponent.half_width <= self.config["until"] for fit in self.fits)


def to_json(report: Report) -> str:
    """One JSON object {"config", "fits", "points", ...}; its schema is `report.schema.json`."""
    content = {
        "config": report.config,
        "sampler": report.sampler,
        "seeds": report.seeds,
        "reached": report.reached,
        "rests": report.rests,
        "fits": [
            {
                "arch": fit.arch,
                "width": fit.width,
                "quantity": fit.quantity,
                "q": fit.q,
                "exponent": finite_or_none(fit.exponent.value),
                "ci": [finite_or_none(end) for end in fit.exponent.interval],
                "predicted": fit.predicted,
                "predicted_error": fit.predicted_error,
                "limit": fit.limit,
                "basis": fit.basis,
                "agrees": fit.agrees,
                "seeds": fit.exponent.seeds,
                "ratio": finite_or_none(fit.ratio.value) if fit.ratio else None,
                "ratio_ci": [finite_or_none(end) for end in fit.ratio.interval]
                if fit.ratio
                else None,
                "constant_agrees": fit.constant_agrees,
                "norm_off": _off(fit.norm_off),
                "verdict": verdict(fit),
                "reliable": fit.reliable,
            }
            for fit in report.fits
        ],
        "nonfinite": report.nonfinite,
        "zero": report.dead,
        "underflown": report.underflown,
        "points": [
            {
                "arch": point.arch,
                "width": point.width,
                "size": point.size,
                "d": point.d,
                "quantity": point.quantity,
                "q": point.q,
                "mean": finite_or_none(point.mean),
                "sem": finite_or_none(point.sem),
                "ci": [finite_or_none(end) for end in point.interval],
                "predicted": point.predicted,
                "law": point.law,
                "hypothesis-H": point.hypothesis_h,
                "seeds": point.seeds,
            }
            for point in report.points
        ],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _off(off: Off | None) -> dict[str, Any] | None:
    if off is None:
        return None
    ratio = off.ratio
    ends = [finite_or_none(end) for end in ratio.interval]
    return {"size": off.size, "ratio": finite_or_none(ratio.value), "ci": ends}


UNCERTAIN = 2.0
"""The factor by which a ratio may differ from 1 without a word, if its interval allows for 1."""


def verdict(fit: Fit) -> str:
    """Whether a measurement agrees with its prediction, in a few words."""
    if fit.agrees is None:
        on_exponent = "no prediction" if fit.predicted is None else "no measurement"
    elif fit.agrees and fit.constant_agrees is False:
        on_exponent = "CONTRADICTS (constant)"
    else:
        on_exponent = "agrees" if fit.agrees else "CONTRADICTS"
    on_norm = _on_norm(fit)
    if on_norm is None:
        return on_exponent
    return f"{on_exponent.replace('agrees', 'exponent agrees')}; {on_norm}"


def _on_norm(fit: Fit) -> str | None:
    """By how much the norm misses its prediction; None if it does not."""
    if fit.norm_off is not None:
        where = "" if fit.norm_off.is_largest else f" at side {fit.norm_off.size}"
        return f"norm {times(fit.norm_off.ratio)} the prediction{where}"
    ratio = fit.ratio
    if ratio is None or not math.isfinite(ratio.value):
        return None
    if 1 / UNCERTAIN < ratio.value < UNCERTAIN:
        return None
    return f"norm {times(ratio)} the prediction, but uncertain"


def times(ratio: Mean) -> str:
    """A ratio in words: "1.09 times"."""
    value = ratio.value
    digits = ".2f" if 0.1 < value < 2 else ".2g" if value < 10 else ".3g"
    return f"{value:{digits}} times"


def _style(fit: Fit) -> str:
    words = verdict(fit)
    if words.startswith("CONTRADICTS"):
        return "bold red"
    return "green" if words == "agrees" else "yellow" if fit.agrees else ""


NARROW = 26
"""Characters of a line of a verdict where the table is too wide: enough for "exponent agrees; norm
1.43"."""

DROPPED = ("ratio to law", "attack", "d → ∞", "rests on", "ratio to H", "ratio")
"""Columns that a terminal too narrow for all of them does without, the first one first."""


def show(report: Report, to_stderr: bool = False) -> None:
    """Print the table, on standard output or on standard error."""

    console = for_tables(130, to_stderr)
    shown, unlimited = columns(report), console.options.update(max_width=1000)
    for name in DROPPED:
        if console.measure(_table(report, shown), options=unlimited).maximum > console.width:
            shown.pop(name, None)
    console.print(_table(report, shown))
    for note in notes(report):
        if note.split(":")[0] in ("verdict", *shown):
            console.print(note, style="dim", highlight=False)
    for remark in remarks(report):
        console.print(remark.text, style=remark.style, highlight=False, soft_wrap=remark.is_command)


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


@dataclass(frozen=True)
class Remark:
    """A sentence below the table, with rich's style for it."""

    text: str
    style: str = ""
    is_command: bool = False
    """Whether it contains a command, which no line may break."""


def remarks(report: Report) -> list[Remark]:
    """What a reader must know besides the table: samples or intervals that are not as usual."""
    found = []
    doubtful = sum(not fit.reliable for fit in report.fits)
    if doubtful:
        found.append(
            Remark(
                f"warning: intervals in {doubtful} of {len(report.fits)} rows may cover less than "
                f"{LEVEL:.0%}: too few seeds for such norms.",
                "yellow",
            )
        )
    if report.reached is not None:
        found.append(Remark(_until(report), "" if report.reached else "bold red"))
    # a user's model has other reasons as well
    is_usual = report.degenerate is None and not report.config.get("model")
    if report.nonfinite:
        beyond = " (beyond the range of float64)" if is_usual else ""
        found.append(
            Remark(
                f"warning: {report.nonfinite} of {report.samples} samples are not finite"
                f"{beyond}; their seeds are left out of the fits, which rest on "
                f"{_range([fit.exponent.seeds for fit in report.fits])} seeds, the smaller norms, "
                "and get no verdict.",
                "bold red",
            )
        )
    if report.unfinished:
        found.append(
            Remark(
                f"note: {report.unfinished} of {report.unfinished + report.samples} samples have "
                "not been computed."
            )
        )
    if report.underflown:
        found.append(
            Remark(
                f"note: {report.underflown} of {report.samples} samples lie below the range of "
                "float64 (a saturated softmax, or a product of many small factors); the means "
                "count them as 0."
            )
        )
    if report.dead:
        asleep = " (no unit active)" if is_usual else ""
        found.append(
            Remark(
                f"note: {report.dead} of {report.samples} samples are zero{asleep}; the means "
                "include them."
            )
        )
    found += [Remark(sentence, "dim") for sentence in report.rests]
    off = max((fit for fit in report.fits if fit.norm_off), key=_distance, default=None)
    if off is not None:
        found.append(Remark(f"{audit_command(report, off)} says which layers.", "dim", True))
    if report.degenerate is not None:
        found.append(Remark(f"warning: {report.degenerate}", "bold red"))
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
    from sim import audit

    config = report.config
    usual = vars(audit.Config())
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


def deliver(
    samples: xr.Dataset,
    output: command_line.ScalingOutput,
    sessions: Callable[[], list[dict[str, Any]]],
) -> int:
    """Print the table, write what is asked for; the exit status (1: a law is contradicted).

    `sessions` gives the provenance of the samples (`sim.storage.provenance.session`), for the page.
    """
    result = Report.of(samples)
    if output.figure is not None:
        from sim.scaling import picture

        picture.write(samples, output.figure)
    if output.html is not None:
        from sim.scaling import page

        command_line.write_text(output.html, page.page(result, sessions()))
    show(result, to_stderr=output.json == "-")
    if output.json is not None:
        command_line.write_text(output.json, to_json(result))
    return 1 if output.check and result.contradicted else 0


def columns(report: Report) -> dict[str, list[Any]]:
    """The cells of the table of exponents, by column."""
    from rich.text import Text

    fits, points = report.fits, report.points
    found: dict[str, list[Any]] = {
        "width": [str(fit.width) for fit in fits],
        "norm": [norm_name(fit.quantity, fit.q) for fit in fits],
        "exponent of d": [with_error(fit.exponent.value, *fit.exponent.interval) for fit in fits],
        "predicted": [expected_slope(fit.expected) for fit in fits],
        "d → ∞": [plain(fit.limit, ".4g") for fit in fits],
        "rests on": [fit.basis for fit in fits],
        "verdict": [Text(verdict(fit), style=_style(fit)) for fit in fits],
        "ratio": [
            with_ends(fit.ratio.value, *fit.ratio.interval) if fit.ratio else "–" for fit in fits
        ],
        "ratio to law": [_ratio_to([(p, p.law) for p in points], fit) for fit in fits],
        "ratio to H": [_ratio_to([(p, p.hypothesis_h) for p in points], fit) for fit in fits],
        "attack": [plain(fit.attack_exponent, ".3f") for fit in fits],
    }
    if all(fit.width is None for fit in fits):
        del found["width"]
    if all(point.law is None for point in points):
        del found["ratio to law"]
    if all(point.hypothesis_h is None for point in points):
        del found["ratio to H"]
    return found


def title(report: Report) -> str:
    """What was sampled, in one line."""
    config = report.config
    head = f", head {config['head']}" if config["head"] else ""
    init = "its own init" if config.get("model") else f"init {config['init']}"
    labels = config.get("labels_per_seed", 1)
    averaged = f", {labels} labels each" if labels > 1 else ""
    integrated = ", first matrix integrated out" if config.get("integrate_first") else ""
    return (
        f"{config['arch']}{head}, {init}, input {config['input']}, "
        f"{report.seeds} seeds{averaged}, {report.sampler} sampler{integrated}"
    )


def _table(report: Report, cells: dict[str, list[Any]]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title(report), box=box.SIMPLE_HEAD)
    for name, values in cells.items():
        text = name in ("norm", "rests on", "verdict")
        wraps = name == "verdict" and max(map(len, values)) > NARROW
        width = NARROW if wraps else None
        table.add_column(name, justify="left" if text else "right", no_wrap=not wraps, width=width)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    return table


def norm_name(quantity: str, q: str) -> str:
    """‖∂L‖₂ for ("loss", "2")."""
    order = {"1": "₁", "2": "₂", "inf": "∞"}.get(q, f"_{q}")
    return f"‖∂{'L' if quantity == 'loss' else 'f'}‖{order}"


def _ratio_to(units: list[tuple[Point, float | None]], fit: Fit) -> str:
    """The mean norm over a number given at every point, at the largest size."""
    key = (fit.width, fit.quantity, fit.q)
    same = [pair for pair in units if (pair[0].width, pair[0].quantity, pair[0].q) == key]
    last, unit = max(same, key=lambda pair: pair[0].d)
    if not unit:
        return "–"
    return with_ends(*(value / unit for value in (last.mean, *last.interval)))
