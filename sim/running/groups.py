"""The flags of a dataclass in groups, as `--help` shows them: by the class that first has them."""

import contextlib
from collections.abc import Iterable
from dataclasses import field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Annotated, Any, get_type_hints

import docstring_parser
import tyro

GROUPS = {
    "Networks": "network",
    "ModelExperiment": "network",
    "Experiment": "sampling",
    "Config": "experiment",
    "Keep": "storage",
    "Spread": "devices",
    "Before": "estimate",
    "Debug": "debugging",
    "Json": "output",
    "Options": "output",
}
"""What `--help` calls the flags that a dataclass is the first to have; of others, its name."""


@cache  # tyro remembers what it has read of a class, not of its equal
def parts(kind: type) -> dict[str, type]:
    """Dataclasses with the flags of one group each, by the name of the group.

    Args:
        kind: A dataclass, every field of which is a flag and has a docstring.

    Returns:
        Subclasses of `kind`, which hide the flags of other groups.
    """
    names: dict[str, list[str]] = {}
    for one in fields(kind):
        names.setdefault(_group(kind, one.name), []).append(one.name)
    known = list(GROUPS.values())
    ordered = sorted(names, key=lambda group: known.index(group) if group in known else -1)
    return {group: _part(kind, names[group]) for group in ordered}


def joined(kind: type, found: Iterable[Any]) -> Any:
    """The `kind` whose fields are those that its parts show.

    Args:
        kind: The dataclass.
        found: Instances of all of `parts(kind)`, in their order.
    """
    shown = {
        one.name: getattr(part, one.name)
        for part, (group, _) in zip(found, parts(kind).items(), strict=True)
        for one in fields(kind)
        if _group(kind, one.name) == group
    }
    return kind(**shown)


def _group(kind: type, name: str) -> str:
    bases = [base for base in kind.__mro__ if is_dataclass(base)]
    first = [base for base in bases if name in vars(base).get("__annotations__", {})][-1]
    known = [GROUPS[base.__name__] for base in first.__mro__ if base.__name__ in GROUPS]
    return (*known, first.__name__.lower())[0]


def _part(kind: type, shown: list[str]) -> type:
    """A subclass that shows some flags, each with its docstring in one piece, and hides the rest.

    tyro keeps the line breaks of docstrings below fields.
    """
    kinds, docs = get_type_hints(kind, include_extras=True), _docstrings(kind)
    overridden = []
    for one in fields(kind):
        flag: Any = kinds[one.name]
        if one.name in shown:
            text = docs.get(one.name)
            switch = tyro.conf.arg(help=text, help_behavior_hint="")
            flag = Annotated[flag, switch if flag is bool else tyro.conf.arg(help=text)]
        else:
            flag = tyro.conf.Suppress[flag]
        overridden.append((one.name, flag, field(default=one.default)))
    return make_dataclass(kind.__name__, overridden, bases=(kind,), frozen=True)


@cache
def _docstrings(kind: type) -> dict[str, str]:
    """The docstrings of the fields of a dataclass, its own before those of its bases."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if is_dataclass(base)]):
        with contextlib.suppress(OSError, TypeError):  # its source is not in a file
            for one in docstring_parser.parse_from_object(base).params:
                found[one.arg_name] = " ".join((one.description or "").split())
    return found
