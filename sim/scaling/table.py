"""The table of exponents of a scaling run, for people."""

from typing import Any

from rich.text import Text

from sim.scaling.report import Report
from sim.statistics.fits import NARROW, Fit, Point, verdict
from sim.statistics.numbers import estimated, expected_slope, plain, ranged, with_ends
from theory.tables import Column, Table


def _style(fit: Fit) -> str:
    words = verdict(fit)
    if words.startswith("CONTRADICTS"):
        return "bold red"
    return "green" if words == "agrees" else "yellow" if fit.agrees else ""


SPARE = ("ratio to law", "attack", "rests on", "ratio to H", "d → ∞", "ratio")
"""Columns that a narrow page does without, the first one first."""


def columns(report: Report) -> dict[str, list[Any]]:
    """The cells of the table of exponents, by column."""
    fits, points = report.fits, report.points
    found: dict[str, list[Any]] = {
        "width": [str(fit.width) for fit in fits],
        "norm": [norm_name(fit.quantity, fit.q) for fit in fits],
        "exponent of d": [estimated(fit.exponent) for fit in fits],
        "predicted": [expected_slope(fit.expected) for fit in fits],
        "d → ∞": [plain(fit.limit, ".4g") for fit in fits],
        "rests on": [fit.basis for fit in fits],
        "verdict": [Text(verdict(fit), style=_style(fit)) for fit in fits],
        "ratio": [ranged(fit.ratio) if fit.ratio else "–" for fit in fits],
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


def table_of(report: Report, cells: dict[str, list[Any]]) -> Table:
    """The table with these columns, or some of them."""

    def column(name: str, values: list[Any]) -> Column:
        wraps = name == "verdict" and max(map(len, values)) > NARROW
        return Column(
            name,
            "left" if name in ("norm", "rests on", "verdict") else "right",
            "words" if wraps else "never",
            NARROW if wraps else None,
            len(SPARE) - SPARE.index(name) if name in SPARE else 0,
        )

    shown = tuple(column(name, values) for name, values in cells.items())
    keys = 2 if "width" in cells else 1
    return Table(title(report), shown, tuple(zip(*cells.values(), strict=True)), keys=keys)


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
