"""The result of an audit as text for people and as JSON for programs."""

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import xarray as xr

from sim.audit import findings
from sim.audit.estimates import Measured
from sim.audit.findings import HYPOTHESIS, LAW, Findings, Place
from sim.audit.sentence import norm_of, sentence, text, that_differ, title
from sim.running import files
from theory.console import for_tables

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 80

KAPPA = (
    "κ: energy of the gradient in front of a place over that behind it. active: share of units, H1 "
    "asks 1/2."
)

MOST = 8
"""Rows of the table of places that matter."""


def deliver(
    samples: xr.Dataset, json_path: str | None, figure: str | None, full: bool = False
) -> None:
    """Print the sentence and the tables, and write what is asked for."""
    found = findings.of(samples)
    if figure is not None:
        from sim.audit import picture

        picture.write(samples, figure)
    show(found, full, to_stderr=json_path == "-")
    if json_path is not None:
        files.write_text(json_path, to_json(samples, found))


def to_json(samples: xr.Dataset, found: Findings) -> str:
    """One JSON object {"config", "sentence", "safe", ...the fields of `Findings`}."""
    config = json.loads(samples.attrs["config"])
    content = {"config": config, "sentence": sentence(found), "safe": found.safe}
    return json.dumps(_plain(content | asdict(found)), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """The value with null for numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def show(found: Findings, full: bool = False, to_stderr: bool = False) -> None:
    """Print the sentence, the ladder and the places that matter; with `full`, all of them."""
    console = for_tables(WIDTH, to_stderr)

    def say(line: str, style: str = "") -> None:
        console.print(line, style=style, markup=False, highlight=False, emoji=False)

    say(sentence(found))
    for note in found.notes:
        say(f"Note: {note}.")
    console.print(_ladder(found))
    differing = that_differ(found)
    shown = found.last.places if full else differing[:MOST]
    if shown:
        heading = "all places, from the input to the logits" if full else "places that matter"
        console.print(_places(heading, shown, full))
    if full:
        console.print(_hypotheses(found))
    elif len(differing) > MOST:
        say(f"{len(differing) - MOST} more differ.")
    if not full:
        say(f"--full shows all {len(found.last.places)} places and the hypotheses.", "dim")
    say(
        f"*: |z| > {found.bound:.1f}, which 1 % of audits show at any place if all factors are 1. "
        + (KAPPA if full else ""),
        "dim",
    )


def _score(z: float, bound: float) -> str:
    """A z-score, marked where it differs."""
    if math.isnan(z):
        return "–"
    shown = f"{z:+.1f}" if abs(z) < 1e3 else f"{z:+.0e}"
    return f"{shown} *" if abs(z) > bound else shown


def _ladder(found: Findings) -> "Table":
    last, quantity = found.last, found.quantity
    table = _table(
        f"the ladder at side {last.side}",
        *(
            "network",
            norm_of(quantity),
            "times the one above",
            f"same of {norm_of(quantity, '₂²')}",
        ),
    )
    steps = {step.end: step for step in last.steps}

    def ratios(step: findings.Step | None) -> tuple[str, str]:
        if step is None:
            return "", ""
        return text(step.norm), "" if step.energy is None else text(step.energy)

    for name, norm in last.norms.items():
        table.add_row(title(found, name), f"{norm.value:.4g}", *ratios(steps.get(name)))
    wholes = dict.fromkeys((last.ladder.start, last.gap.start))
    if len(last.norms) > 2:
        table.add_section()
        for whole in (last.ladder, last.gap)[: len(wholes)]:
            table.add_row(f"network over {_short(whole.start)}", "", *ratios(whole))
    return table


def _short(name: str) -> str:
    return {LAW: "law", HYPOTHESIS: "H"}.get(name, "independence")


def _places(heading: str, places: list[Place], full: bool) -> "Table":
    table = _table(
        heading, "", "place", "where", "factor", *(("κ", "active") if full else ("energy",))
    )
    for place in places:
        gain = f"{place.gain.value:.3g}"
        active = "" if place.active is None else f"{place.active.value:.3f}"
        table.add_row(
            place.kind,
            place.name,
            "" if place.name.startswith(place.where) else place.where,
            text(place.norm) + ("*" if place.differs else " "),
            *((gain, active) if full else (f"{place.energy.value:.3f}",)),
        )
    return table


def _hypotheses(found: Findings) -> "Table":
    table = _table("hypotheses", "", "what", "measured", "asked", "z")
    measured, places = found.hypotheses, found.last.places

    def add(name: str, what: str, estimate: Measured, asked: str) -> None:
        table.add_row(name, what, _text(estimate), asked, _score(estimate.z, found.bound))

    active = [(place.active, place.name) for place in places if place.active is not None]
    if active:
        share, name = max(active, key=lambda item: abs(item[0].z))
        add("H1", f"active units, farthest: {name}", share, "1/2")
    weighted = [place for place in places if place.kind == "weights"]
    for kind, choose in (("least", min), ("most", max)):
        if weighted:
            one = choose(weighted, key=lambda place: place.independent_gain.value)
            what = f"in-degree · Var(w), {kind}: {one.name}"
            add("H3", what, one.independent_gain, "2 or 1")
    if measured.between is not None:
        add("H4", "largest correlation between two arrays' sums", measured.between, "0")
    if measured.nodes:
        worst = max(measured.nodes, key=lambda node: abs(node.correlation.z))
        what = f"(Σw)²/Σw² of one {worst.end}, farthest: {worst.array}"
        add("H5", what, worst.correlation, "1")
    add("S", "E g² of a pixel at the border over inside", measured.border, "1")
    add("", "… under gradient independence", measured.border_independent, "1")
    uneven = f"{measured.uneven:.3f}; {measured.uneven_independent:.3f}"
    table.add_row("S", "relative spread of E g² over pixels; independent", uneven, "0", "")
    add("Gaussian", "E|g| / √(E g²) / √(2/π)", measured.gaussian, "1")
    add("dense", "share of coordinates that are not zero", measured.nonzero, "1")
    return table


def _text(estimate: Measured) -> str:
    low, high = estimate.interval
    return f"{estimate.value:.3g} [{low:.3g}, {high:.3g}]"


def _table(title: str, *columns: str) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    class Plain(Table):
        """Cells are text, whatever brackets are in them."""

        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*(Text(cell) for cell in cells), **options)

    table = Plain(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=0)
    for column in columns:
        if column in ("", "network", "place", "where", "what", "asked"):
            table.add_column(column, overflow="fold", no_wrap=column == "")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table
