"""The page of a scaling run: its picture, tables, remarks and provenance put into the template."""

from html import escape
from importlib import resources
from string import Template
from typing import Any

from sim.drawing import pages
from sim.scaling import picture, remarks, table
from sim.scaling.report import Report
from sim.statistics.numbers import plain, with_ends
from theory.printout import Line


def page(result: Report, sessions: list[dict[str, Any]]) -> str:
    """The whole page, which needs no network and no script.

    All text from outside, such as the name of a user's model, is escaped.

    Args:
        result: What the run says.
        sessions: The provenance of the samples (`sim.storage.provenance`).
    """
    template = resources.files("sim.scaling").joinpath("page.html").read_text(encoding="utf-8")
    body = Template(template).substitute(
        summary=escape(table.title(result)),
        remarks="\n".join(map(_remark, remarks.remarks(result))),
        seeds=result.seeds,
        picture=picture.svg(result),
        points=_table(_points(result)),
        table=_table(table.columns(result)),
        notes="\n".join(f"<li>{escape(note)}</li>" for note in remarks.notes(result)),
        configuration=pages.pairs(result.config),
        provenance="\n".join(map(pages.pairs, sessions)),
    )
    return pages.page(f"The √d law: {result.config['arch']}", body)


def _points(result: Report) -> dict[str, list[Any]]:
    """The cells of the table of all values, by column."""
    points = result.points
    any_time = [with_ends(x.mean, *x.any_time) for x in points if x.any_time]
    at_any_time = {"mean, at any time": any_time} if any_time else {}
    widths = {} if result.config.get("model") else {"width": [point.width for point in points]}
    return {
        "norm": [table.norm_name(point.quantity, point.q) for point in points],
        **widths,
        "side": [point.size for point in points],
        "d": [point.d for point in points],
        "mean": [with_ends(point.mean, *point.interval) for point in points],
        **at_any_time,
        "predicted": [plain(point.predicted, ".4g") for point in points],
        "networks": [point.seeds for point in points],
    }


def _remark(remark: Line) -> str:
    kind = "remark" if remark.style == "dim" else "warning"
    return f'<p class="{kind}">{escape(remark.text)}</p>'


def _table(columns: dict[str, list[Any]]) -> str:
    texts = ("norm", "rests on", "verdict")

    def cell(kind: str, name: str, value: Any) -> str:
        found = ["text"] if name in texts else []
        found += ["contradicts"] if str(value).startswith("CONTRADICTS") else []
        found += ["off"] if name == "verdict" and str(value).startswith("exponent agrees") else []
        style = f' class="{" ".join(found)}"' if found else ""
        return f"<{kind}{style}>{escape(str(value))}</{kind}>"

    head = "".join(cell("th", name, name) for name in columns)
    rows = [
        "".join(cell("td", name, value) for name, value in zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
