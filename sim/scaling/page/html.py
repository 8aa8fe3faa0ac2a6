"""The page: its table, remarks, pictures and data put into the template."""

import json
from html import escape
from importlib import resources
from string import Template
from typing import Any

from sim.drawing import pages
from sim.scaling import remarks, report, table
from sim.scaling.page import picture
from sim.scaling.remarks import Remark
from sim.scaling.report import Report


def page(result: Report, sessions: list[dict[str, Any]]) -> str:
    """The whole page. `sessions`: the provenance of the samples (`sim.storage.provenance`).

    All text from outside, such as the name of a user's model, is escaped.
    """
    here = resources.files("sim.scaling.page")
    config = result.config
    panels = list(dict.fromkeys((fit.quantity, fit.q) for fit in result.fits))
    widths = list(dict.fromkeys(fit.width for fit in result.fits))
    choices = "".join(_choice(i, width) for i, width in enumerate(widths) if width is not None)
    return Template(here.joinpath("page.html").read_text()).substitute(
        title=escape(f"The √d law: {config['arch']}"),
        summary=escape(table.title(result)),
        remarks="\n".join(map(_remark, remarks.remarks(result))),
        seeds=result.seeds,
        choose="; choose widths:" if choices else ".",
        widths=choices,
        panels="\n".join(
            picture.panel(table.norm_name(*panel), _numbered(result, *panel), widths)
            for panel in panels
        ),
        table=_table(result),
        notes="\n".join(f"<li>{escape(note)}</li>" for note in remarks.notes(result)),
        configuration=pages.pairs(config),
        provenance="\n".join(map(pages.pairs, sessions)),
        data=_harmless(json.dumps({"points": _data(result)}, allow_nan=False)),
        style=pages.style(),
        script=here.joinpath("page.js").read_text(),
    )


def _numbered(result: Report, quantity: str, q: str) -> list[picture.Mark]:
    return [
        (i, point)
        for i, point in enumerate(result.points)
        if (point.quantity, point.q) == (quantity, q)
    ]


def _data(result: Report) -> list[dict[str, Any]]:
    """The points as the report's JSON has them, with the names of their norms."""
    points = json.loads(report.to_json(result))["points"]
    return [
        {
            "name": table.norm_name(point["quantity"], point["q"]),
            **{key: point[key] for key in ("width", "size", "d", "mean", "ci")},
            **{key: point[key] for key in ("predicted", "seeds")},
        }
        for point in points
    ]


def _harmless(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _remark(remark: Remark) -> str:
    kind = "remark" if remark.style == "dim" else "warning"
    return f'<p class="{kind}">{escape(remark.text)}</p>'


def _choice(i: int, width: int) -> str:
    sample = f'<svg viewBox="-8 -8 16 16" aria-hidden="true">{picture.marker(i)}</svg>'
    return f'<label><input type="checkbox" value="{width}" checked>{sample} width {width}</label>'


def _table(result: Report) -> str:
    columns = table.columns(result)
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
