"""What users bring without a change of the project: an object by its name, package.module:name."""

import importlib
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

FOREIGN = ("jax", "flax", "equinox", "sim", "theory")
"""Packages that no user wrote for this program, wherever they are installed."""


def is_own(name: object) -> bool:
    """Whether a name is that of a user's own object."""
    return isinstance(name, str) and ":" in name


def loaded(flag: str, name: str, what: str = "name") -> Any:
    """The object that `package.module:name` names.

    Modules are found in the current directory too; `__main__` is a notebook, or the script that
    runs.

    Args:
        flag: What asks for it, such as "--arch".
        name: Where it is.
        what: What it is, for the sentence on a name without a colon.

    Raises:
        ValueError: In one sentence, if there is no such object.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise ValueError(f"{flag} needs package.module:{what}, not {name}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module = imported(module_name)
    if not hasattr(module, attribute):
        raise ValueError(f"{module_name} has no {attribute}.")
    return getattr(module, attribute)


def imported(name: str) -> Any:
    """A module by its name. Raises ValueError, in one sentence, if it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ValueError(f"cannot import {name}: {words(error)}.") from error


def words(error: Exception) -> str:
    """What went wrong, and where in the user's files if it is in one of them."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{_place(error)}{type(error).__name__}: {lines[0].rstrip('.')}"


def _place(error: Exception) -> str:
    """The innermost line of the traceback that is neither Python's, a library's nor our own."""
    found = [
        f"{Path(frame.filename).name}:{frame.lineno}: "
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not any(Path(frame.filename).is_relative_to(folder) for folder in _foreign())
    ]
    return found[-1] if found else ""


def _foreign() -> list[Path]:
    """Folders of what no user wrote for this program."""
    paths = sysconfig.get_paths()
    installed = [Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    loaded = [sys.modules.get(name) for name in FOREIGN]
    return installed + [Path(str(x.__file__)).parent for x in loaded if x is not None]
