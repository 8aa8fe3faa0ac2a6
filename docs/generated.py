"""Pages that are made of the code: every command's flags, the fields of the JSON, every module."""

import contextlib
import importlib
import importlib.util
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sim.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGES = ("theory", "sim", "figures")
WIDTH = "92"
"""Columns of a help text."""


def commands() -> str:
    """Every command with its help."""
    lines = ["# Commands", "", "What `sqrt-d-law NAME --help` says."]
    for name, (module, purpose) in COMMANDS.items():
        title = f"## {name}", "", f"`python -m {module}`: {purpose}.", ""
        lines += ["", *title, "```text", _help(module), "```"]
    return "\n".join(lines) + "\n"


def _help(module: str) -> str:
    spec = importlib.util.find_spec(module)
    is_package = spec is not None and spec.submodule_search_locations
    main = importlib.import_module(f"{module}.__main__" if is_package else module).main
    before, printed = os.environ.get("COLUMNS"), io.StringIO()
    os.environ["COLUMNS"] = WIDTH
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main(["--help"])
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def json_fields() -> str:
    """The fields of what `--json` writes, from its schema."""
    path = "sim/scaling/report.schema.json"
    schema = json.loads((ROOT / path).read_text(encoding="utf-8"))
    lines = [
        "# What `--json` writes",
        "",
        "`python -m sim.scaling --json -` writes one object to standard output, and nothing else. "
        f"This page is made of its JSON Schema, `{path}`. Names stay as they are; new ones may "
        "come. `q` is text, so that `inf` is JSON. Numbers that are not finite are null.",
    ]
    for title, fields in _objects("", schema):
        lines += [
            "",
            f"## {title or 'The object'}",
            "",
            "| field | type | meaning |",
            "|---|---|---|",
        ]
        lines += [f"| `{name}` | {_kind(one)} | {_meaning(schema, one)} |" for name, one in fields]
    return "\n".join(lines) + "\n"


def _objects(name: str, schema: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    fields = schema.get("properties")
    if not fields:
        return
    yield name, list(fields.items())
    for inner, one in fields.items():
        dotted = f"{name}.{inner}" if name else inner
        if "items" in one:
            yield from _objects(f"{dotted}[]", one["items"])
        yield from _objects(dotted, one)


def _kind(field: dict[str, Any]) -> str:
    kinds = field.get("type", "string" if "enum" in field else ["array", "null"])
    each = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(each).replace("string", "text")


def _meaning(schema: dict[str, Any], field: dict[str, Any]) -> str:
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rsplit("/", 1)[1]]
    if field.get("items", {}).get("properties"):
        return "see below"
    choices = ", ".join(f"`{one}`" for one in field.get("enum", ()))
    return "; ".join(filter(None, (choices, field.get("description", "")))).replace("|", "\\|")


def named(page: str) -> str:
    """A page whose table has names in its first column, with the documentation of each below it."""
    names = re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)
    parts = [page]
    for name in names:
        title = f"      heading: {name}\n      toc_label: {name}\n"
        parts.append(f"::: {_home(name)}\n    options:\n      heading_level: 2\n{title}")
    return "\n".join(parts)


def _home(name: str) -> str:
    """The module that a public name is defined in, and the name: what mkdocstrings reads."""
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last)
    home = getattr(found, "__module__", None)
    return f"{home}.{last}" if home and hasattr(found, "__qualname__") else name


def modules() -> list[str]:
    """All public modules, dotted, packages before what is in them."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__main__":
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)


def contents() -> str:
    """The list of modules, each with the first line of its docstring."""
    lines = ["# Modules", "", "Every module, read from its docstrings.", ""]
    for name in modules():
        path = ROOT / Path(*name.split("."))
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        summary = source.read_text(encoding="utf-8").split('"""')[1].strip().splitlines()[0]
        lines.append(f"- [{name}](reference/{name}.md): {summary}")
    return "\n".join(lines) + "\n"
