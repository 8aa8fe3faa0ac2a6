"""What flags take: in the words of `--help`, and checked where a configuration is made in Python.

A flag that is left out is None in the configuration; its help says what that means. Without jax.
"""

from collections.abc import Iterable
from dataclasses import fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tyro.conf import arg

Name = Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")]
Names = Annotated[tuple[str, ...] | None, arg(metavar="NAME [NAME ...]", help_behavior_hint="")]
Place = Annotated[str | None, arg(metavar="PLACE", help_behavior_hint="")]
"""A file, a folder, or the URL of one."""
Whole = Annotated[int | None, arg(metavar="INT", help_behavior_hint="")]
Wholes = Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]", help_behavior_hint="")]
Number = Annotated[float | None, arg(metavar="NUMBER", help_behavior_hint="")]


def one_of(names: Iterable[str], default: bool = False) -> Any:
    """What `--help` shows of a flag that takes one of these names.

    Args:
        names: The names, in order.
        default: Whether the help shows the flag's default; what is left out if it may be is None.
    """
    metavar = "{" + ",".join(names) + "}"
    return arg(metavar=metavar) if default else arg(metavar=metavar, help_behavior_hint="")


class Checked:
    """Base of configurations: their fields are checked where they are made."""

    def __post_init__(self) -> None:
        check_kinds(self)


def check_kinds(config: Any) -> None:
    """Checks that the fields of a configuration are of the kinds that it declares.

    Args:
        config: A dataclass, each field of which is a flag.

    Raises:
        ValueError: With one sentence, for the first field that is not.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        if not _is_of(value, field.type):
            raise ValueError(refusal(field.name, field.type, value))


def refusal(name: str, kind: Any, value: Any) -> str:
    """The sentence that says what a field takes, where it is given something else."""
    return f"--{name.replace('_', '-')} takes {_words(kind)}, not {value!r}."


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The kinds of which one is wanted, without what is said of them and without None."""
    if get_origin(kind) is Annotated:
        return _kinds(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(x for part in get_args(kind) if part is not NoneType for x in _kinds(part))
    return (kind,)


def _is_of(value: Any, kind: Any) -> bool:
    if value is None:
        return NoneType in get_args(get_args(kind)[0] if get_origin(kind) is Annotated else kind)
    return any(_is_one(value, one) for one in _kinds(kind))


def _is_one(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return isinstance(value, list | tuple) and all(_is_item(x, item) for x in value)
    if isinstance(value, bool):  # which Python counts among the integers
        return kind is bool
    return isinstance(value, NUMBERS.get(kind, kind))


def _is_item(value: Any, kind: Any) -> bool:
    """Whether it may be in a list; a number stands for its name, in Python."""
    return _is_of(value, kind) or (kind is str and isinstance(value, Real))


def _words(kind: Any) -> str:
    """What a flag takes: "a list of integers"."""
    (one, *_) = _kinds(kind)
    if get_origin(one) is Literal:
        return " or ".join(map(str, get_args(one)))
    if get_origin(one) is tuple:
        item = get_args(one)[0]
        return f"a list of {SEVERAL.get(item) or _words(item)}"
    return {int: "an integer", float: "a number", str: "a name", bool: "True or False"}[one]


NUMBERS: dict[Any, Any] = {int: Integral, float: Real}
SEVERAL = {int: "integers", float: "numbers", str: "names"}
