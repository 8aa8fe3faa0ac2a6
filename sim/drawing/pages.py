"""What all pages of HTML have in common: their frame, and names with their values."""

from html import escape
from importlib import resources
from string import Template
from typing import Any


def page(title: str, body: str) -> str:
    """A whole page, which needs no network and no script, around a body of HTML.

    Args:
        title: Text, which is escaped.
        body: HTML, whose text from outside has been escaped.
    """
    frame, style = (
        resources.files("sim.drawing").joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css")
    )
    return Template(frame).substitute(title=escape(title), style=style, body=body)


def pairs(values: dict[str, Any]) -> str:
    """Names and values, a row each; lists with spaces between, as on the command line."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {text(inner)}" for name, inner in value.items())
        if isinstance(value, list | tuple):
            return " ".join(map(text, value))
        return "–" if value is None else str(value)

    rows = [
        f"<div><dt>{escape(name)}</dt><dd>{escape(text(value))}</dd></div>"
        for name, value in values.items()
    ]
    return "<dl>\n" + "\n".join(rows) + "\n</dl>"
