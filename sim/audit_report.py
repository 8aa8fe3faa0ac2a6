"""The result of an audit as tables for people and as JSON for programs."""

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import xarray as xr

from sim import cli, findings
from sim.findings import Estimate, Findings
from theory.console import for_tables

if TYPE_CHECKING:
    from rich.table import Table


def deliver(samples: xr.Dataset, json_path: str | None, figure: str | None) -> None:
    """Print the tables and write what is asked for."""
    found = findings.of(samples)
    if figure is not None:
        from figures import audit as picture

        picture.write(samples, figure)
    show(found, to_stderr=json_path == "-")
    if json_path is not None:
        cli.write_text(json_path, to_json(samples, found))


def to_json(samples: xr.Dataset, found: Findings) -> str:
    """One JSON object {"config", "sentence", "safe", ...the fields of `Findings`}."""
    config = json.loads(samples.attrs["config"])
    content = {"config": config, "sentence": findings.sentence(found), "safe": found.safe}
    return json.dumps(_plain(content | asdict(found)), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """The value with null for numbers that JSON lacks."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def text(estimate: Estimate) -> str:
    """A value and its interval."""
    low, high = estimate.interval
    return f"{estimate.value:.4g} [{low:.4g}, {high:.4g}]"


def _score(z: float, bound: float) -> str:
    """A z-score, marked where it differs."""
    if math.isnan(z):
        return "–"
    shown = f"{z:+.1f}" if abs(z) < 1e3 else f"{z:+.0e}"
    return f"[bold red]{shown} *[/]" if abs(z) > bound else shown


def show(found: Findings, to_stderr: bool = False) -> None:
    """Print the tables, on standard output or on standard error."""

    console = for_tables(180, to_stderr)
    console.print(_layers(found))
    console.print(_hypotheses(found))
    console.print(
        "κ: energy gain; its prediction is given the energies measured behind the layer, and z its "
        f"distance from that. *: |z| > {found.bound:.1f}, which 1 % of audits show in any layer if "
        "the law holds.\nactive: share of units, H1 asks 1/2. passed: energy that a ReLU passes "
        "over its share of active units; 1 where masks are independent of the weights.",
        style="dim",
        highlight=False,
    )
    console.print(findings.sentence(found), highlight=False, soft_wrap=True)


def _layers(found: Findings) -> "Table":
    title = f"{found.arch} at side {found.sizes[-1]}, rests on {found.basis}"
    columns = ("layer", "where", "κ predicted", "κ measured", "z", "active", "passed")
    table = _table(title, *columns, "if not: because of")
    for layer in found.layers:
        table.add_row(
            _escaped(layer.name),
            layer.where,
            f"{layer.predicted:.4g}",
            text(layer.measured),
            _score(layer.measured.z, found.bound),
            "" if layer.active is None else text(layer.active),
            "" if layer.dependence is None else text(layer.dependence),
            layer.reason if layer.differs else "",
        )
    return table


def _hypotheses(found: Findings) -> "Table":
    table = _table("hypotheses", "hypothesis", "what", "measured", "asked", "z")

    def add(name: str, what: str, estimate: Estimate, asked: str) -> None:
        table.add_row(name, what, text(estimate), asked, _score(estimate.z, found.bound))

    active = [(x.name.strip(), x.active) for x in found.layers if x.active is not None]
    if active:
        name, share = max(active, key=lambda layer: abs(layer[1].z))
        add("H1", f"active units, farthest: {name}", share, "1/2")
    for layer in found.layers:
        if layer.kind == "weights":
            what = f"in-degree · Var(w) of {layer.name.strip()}"
            add("H3", _escaped(what), layer.measured, "2; 1 where no ReLU follows")
    if found.between is not None:
        add("H4", "largest correlation between two arrays' sums", found.between, "0")
    if found.correlations:
        worst_node = max(found.correlations, key=lambda item: abs(item[2].z))
        leaf, end, estimate = worst_node
        add("H5", _escaped(f"(Σw)²/Σw² of one {end}, farthest: {leaf}"), estimate, "1")
    add("S", "E g² of a pixel at the border over inside", found.border,
        f"1; predicted {found.border_predicted:.4g}")  # fmt: skip
    table.add_row("S", "relative spread of E g² over pixels", f"{found.uneven:.3f}",
                  f"0; predicted {found.uneven_predicted:.3f}", "")  # fmt: skip
    add("Gaussian", "E|g| / √(E g²) / √(2/π)", found.gaussian, "1")
    add("dense", "share of coordinates that are not zero", found.nonzero, "1")
    for side, total in zip(found.sizes, found.total, strict=True):
        add("law", f"E‖∂f‖₂² over the law's at side {side}", total, "1")
    return table


def _escaped(name: str) -> str:
    from rich.markup import escape

    return escape(name)


def _table(title: str, *columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD)
    words = ("layer", "where", "if not: because of", "hypothesis", "what", "asked")
    for column in columns:
        table.add_column(column, justify="left" if column in words else "right")
    return table
