"""What was found of a trained network, for people and as JSON for programs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from sim.pretrained.growth import Growth, Point, growths, points
from sim.statistics import numbers
from sim.statistics.estimates import Mean, OverSeeds
from sim.statistics.numbers import plain, with_error
from sim.storage import attributes
from theory.printout import Line, Printout
from theory.tables import Table, columns

SYMBOLS = {"logit": "f_y", "margin": "m", "loss": "L"}

NOTES = (
    "trained: 95 % interval over the images, of this one network. at initialization: over networks "
    "of the same architecture, means over the same images.",
    "norm, times: y is the class that the network itself chooses, f_y its logit, m its margin "
    "f_y − log Σ_{k≠y} e^{f_k}, L its cross-entropy: ∂L = −(1 − p_y) ∂m. times: trained over "
    "initialization.",
    "5 %, median, 95 %: so many images have less. same class: images in which the network sees "
    "what it sees at the largest side.",
)

LAW = (
    "The law is about random weights and says nothing of these; docs/pretrained.md has what may be "
    "concluded."
)


def name(quantity: str, q: str) -> str:
    """ "‖∂m‖₁"."""
    order = {"1": "₁", "2": "₂", "inf": "_∞"}.get(q, f"_{q}")
    return f"‖∂{SYMBOLS[quantity]}‖{order}"


def to_json(samples: xr.Dataset) -> str:
    """One JSON object {"config", "growth", "points"}."""

    def number(found: OverSeeds, what: str) -> dict[str, Any]:
        return {what: found.value, f"{what}_ci": found.interval}

    growth = [
        {"quantity": x.quantity, "q": x.q}
        | number(x.trained, "exponent")
        | number(x.initial, "exponent_at_initialization")
        for x in growths(samples)
    ]
    found = [
        numbers.fields(x, "quantity", "q", "side", "d")
        | number(x.mean, "mean")
        | {"quantiles": x.quantiles}
        | number(x.initial, "mean_at_initialization")
        | {"residual": x.residual, "same_class": x.kept}
        for x in points(samples)
    ]
    config = attributes.configuration(samples.attrs)
    return numbers.to_json({"config": config, "growth": growth, "points": found})


def printout(samples: xr.Dataset) -> Printout:
    """What the measurement says to people.

    Args:
        samples: What `sim.pretrained.run` returned.
    """
    growth, found = growths(samples), points(samples)
    first = str(samples["q"].values[0])
    tables = [_by_side(found, "margin", first)]
    if growth:
        tables.insert(0, _exponents(growth))
    more = [
        _by_side(found, quantity, q)
        for quantity in SYMBOLS
        for q in map(str, samples["q"].values)
        if (quantity, q) != ("margin", first)
    ]
    return Printout(
        _answer(samples, growth, found), tuple(tables), tuple(more), NOTES, (Line(LAW),)
    )


def _answer(samples: xr.Dataset, growth: Iterable[Growth], found: list[Point]) -> str:
    config = attributes.configuration(samples.attrs)
    what = f"{config['model']} with {Path(config['weights']).name}, {config['count']} images: "
    q = str(samples["q"].values[0])
    last = [x for x in found if (x.quantity, x.q) == ("margin", q)][-1]
    parts = [
        f"the margin's {name('margin', q)} grows with exponent of d {_of(x.trained)}, at "
        f"initialization with {_of(x.initial)}"
        for x in growth
        if (x.quantity, x.q) == ("margin", q)
    ]
    times = f"it is {last.factor:.3g} times as large as at initialization"
    if not parts:
        norm = f"at side {last.side} the margin's {name('margin', q)} is {last.mean.value:.3g}"
        return f"{what}{norm}; {times}."
    return f"{what}{parts[0]}. At side {last.side} {times}."


def _of(found: OverSeeds) -> str:
    return with_error(found.value, *found.interval)


def _exponents(growth: list[Growth]) -> Table:
    rows = tuple((name(x.quantity, x.q), _of(x.trained), _of(x.initial)) for x in growth)
    names = ("norm", "trained", "at initialization")
    return Table("exponents of d", columns(names, ("norm",)), rows)


def _by_side(found: list[Point], quantity: str, q: str) -> Table:
    names = (
        *("side", "d", "trained", "5 %", "median", "95 %", "at initialization", "times"),
        *("1 − p_y", "same class"),
    )
    rows = tuple(
        (
            *(str(x.side), str(x.d), _mean(x.mean), *(f"{one:.4g}" for one in x.quantiles)),
            *(_mean(x.initial), f"{x.factor:.3g}", plain(x.residual, ".3f"), f"{x.kept:.2f}"),
        )
        for x in found
        if (x.quantity, x.q) == (quantity, q)
    )
    return Table(
        f"{name(quantity, q)} by side, means ± standard errors",
        columns(names, spare=names[-2:]),
        rows,
    )


def _mean(found: Mean) -> str:
    error = found.standard_error
    return with_error(found.value, found.value - error, found.value + error)
