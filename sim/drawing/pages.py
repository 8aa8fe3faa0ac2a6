"""What all pages of HTML have in common: how they look, and names with their values."""

from html import escape
from importlib import resources
from typing import Any


def style() -> str:
    """The style sheet."""
    return resources.files("sim.drawing").joinpath("page.css").read_text()


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
