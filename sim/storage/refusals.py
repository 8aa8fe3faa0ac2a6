"""Why a run or a study on disk cannot be opened, read or written: one plain sentence each."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any


class RunError(ValueError):
    """A run on disk that cannot be opened, read or written; the message is one sentence."""


class BusyError(Exception):
    """Another process works in the folder."""


@contextmanager
def sentences(path: str) -> Generator[None, None, None]:
    """Turns what goes wrong while a place is written into a sentence.

    Args:
        path: The place as the user called it.

    Raises:
        RunError: Another process works there, or the operating system refuses an operation.
    """
    try:
        yield
    except BusyError as busy:
        raise RunError(f"{busy}.") from None
    except IsADirectoryError as error:
        raise RunError(f"cannot write {error.filename or path}: Is a directory.") from None
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}.") from None


def flag(name: str, value: Any) -> str:
    """A field of a configuration as it stands on the command line.

    Args:
        name: The name of the field.
        value: Its value as JSON has it; None is a flag that was not given.

    Returns:
        Text such as "--sizes 8 16" or "no --batch".
    """
    name = f"--{name.replace('_', '-')}"
    if value is None:
        return f"no {name}"
    return f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def refuse_differences(
    what: str,
    stored: Mapping[str, Any],
    asked: Mapping[str, Any],
    grows: tuple[str, ...],
    before: Mapping[str, Any],
) -> None:
    """Refuses to continue what was begun with another configuration.

    Args:
        what: The place and what it holds, such as "runs/mlp holds a run".
        stored: The configuration that is stored, as JSON has it.
        asked: The configuration that is asked for, as JSON has it.
        grows: Fields that may differ.
        before: For fields that older configurations lack, what they had instead.

    Raises:
        RunError: Another field differs; the message names all that do.
    """
    here, wanted = [], []
    for name in {**stored, **asked}:
        there = stored.get(name, before.get(name))
        if name not in grows and there != asked.get(name):
            here.append(flag(name, there))
            wanted.append(flag(name, asked.get(name)))
    if here:
        raise RunError(
            f"{what} with {', '.join(here)}, not {', '.join(wanted)}; choose another --out."
        )
