"""The result of an audit as text for people and as JSON for programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import xarray as xr

from sim.audit import analysis, picture
from sim.audit.analysis import HYPOTHESIS, LAW, Analysis, Place, Step
from sim.audit.ratios import Measured
from sim.audit.sentence import norm_of, sentence, text, that_differ, title
from sim.running.command_line import Picture
from sim.statistics import numbers
from theory.printout import Line, Printout
from theory.tables import Column, Table

KAPPA = (
    "κ: energy of the gradient in front of a place over that behind it. active: share of units, H1 "
    "asks 1/2."
)

MOST = 8
"""Rows of the table of places that matter."""


def deliver(samples: xr.Dataset, output: Picture) -> None:
    """Prints the sentence and the tables, and writes what is asked for.

    Args:
        samples: What `sim.audit.run` returned.
        output: What to write.
    """
    found = analysis.analysed(samples)
    if output.figure is not None:
        picture.write(samples, output.figure)
    output.deliver(partial(printout, found, output.full), partial(to_json, samples, found))


def to_json(samples: xr.Dataset, found: Analysis) -> str:
    """One JSON object {"config", "sentence", "safe", ...the fields of `Analysis`}."""
    config = json.loads(samples.attrs["config"])
    content = {"config": config, "sentence": sentence(found), "safe": found.safe}
    return numbers.to_json(content | asdict(found))


def printout(found: Analysis, full: bool = False) -> Printout:
    """The sentence, the ladder and the places that matter; if `full`, all of them."""
    differing = that_differ(found)
    shown = found.last.places if full else differing[:MOST]
    heading = "all places, from the input to the logits" if full else "places that matter"
    tables = [_ladder(found), *([_places(heading, shown, full)] if shown else [])]
    lines = [Line(f"Note: {note}.") for note in found.notes]
    if not full and len(differing) > MOST:
        lines.append(Line(f"{len(differing) - MOST} more differ."))
    if not full:
        places = len(found.last.places)
        lines.append(Line(f"--full shows all {places} places and the hypotheses.", "dim"))
    lines.append(
        Line(
            f"*: |z| > {found.bound:.1f}, which 1 % of audits show at any place if all factors "
            f"are 1. {KAPPA if full else ''}",
            "dim",
        )
    )
    tables += [_hypotheses(found)] if full else []
    return Printout(sentence(found), tuple(tables), remarks=tuple(lines))


def _score(z: float, bound: float) -> str:
    """A z-score, marked where it differs."""
    if math.isnan(z):
        return "–"
    shown = f"{z:+.1f}" if abs(z) < 1e3 else f"{z:+.0e}"
    return f"{shown} *" if abs(z) > bound else shown


def _ladder(found: Analysis) -> Table:
    last, quantity = found.last, found.quantity
    steps = {step.end: step for step in last.steps}

    def ratios(step: Step | None) -> tuple[str, str]:
        if step is None:
            return "", ""
        return text(step.norm), "" if step.energy is None else text(step.energy)

    rows = [
        (title(found, name), f"{norm.value:.4g}", *ratios(steps.get(name)))
        for name, norm in last.norms.items()
    ]
    wholes = (last.ladder,) if last.ladder.start == last.gap.start else (last.ladder, last.gap)
    wholes = wholes if len(rows) > 2 else ()
    below = [(f"network over {_short(step.start)}", "", *ratios(step)) for step in wholes]
    return _table(
        f"the ladder at side {last.side}",
        (
            _text("network"),
            _number(norm_of(quantity)),
            _number("times the one above"),
            _number(f"same of {norm_of(quantity, '₂²')}"),
        ),
        [*rows, *below],
        section_ends=(len(rows),) if below else (),
    )


def _short(name: str) -> str:
    return {LAW: "law", HYPOTHESIS: "H"}.get(name, "independence")


def _places(heading: str, places: list[Place], full: bool) -> Table:
    rows = []
    for place in places:
        gain = f"{place.gain.value:.3g}"
        active = "" if place.active is None else f"{place.active.value:.3f}"
        where = "" if place.name.startswith(place.where) else place.where
        factor = text(place.norm) + ("*" if place.differs else " ")
        last = (gain, active) if full else (f"{place.energy.value:.3f}",)
        rows.append((place.kind, place.name, where, factor, *last))
    numbers_of_a_place = ("factor", "κ", "active") if full else ("factor", "energy")
    columns = (_KEY, _text("place"), _text("where"), *map(_number, numbers_of_a_place))
    return _table(heading, columns, rows)


def _hypotheses(found: Analysis) -> Table:
    measured, places = found.hypotheses, found.last.places
    rows: list[tuple[str, ...]] = []

    def add(name: str, what: str, estimate: Measured, asked: str) -> None:
        value = numbers.between(estimate.value, *estimate.interval, ".3g")
        rows.append((name, what, value, asked, _score(estimate.z, found.bound)))

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
    rows.append(("S", "relative spread of E g² over pixels; independent", uneven, "0", ""))
    add("Gaussian", "E|g| / √(E g²) / √(2/π)", measured.gaussian, "1")
    add("dense", "share of coordinates that are not zero", measured.nonzero, "1")
    columns = (_KEY, _text("what"), _number("measured"), _text("asked"), _number("z"))
    return _table("hypotheses", columns, rows)


_KEY = Column("", "left", wrap="never")
"""What kind of row it is."""


def _text(name: str) -> Column:
    return Column(name, "left", wrap="fold")


def _number(name: str) -> Column:
    return Column(name, wrap="never")


def _table(
    title: str,
    columns: tuple[Column, ...],
    rows: Sequence[tuple[str, ...]],
    section_ends: tuple[int, ...] = (),
) -> Table:
    return Table(title, columns, tuple(rows), section_ends, is_compact=True)
