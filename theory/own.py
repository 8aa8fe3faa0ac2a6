"""What users bring without a change of the project: an object by its name, package.module:name."""

import importlib
import sys
from pathlib import Path
from typing import Any


def is_own(name: object) -> bool:
    """Whether a name is that of a user's own object."""
    return isinstance(name, str) and ":" in name


def loaded(flag: str, name: str) -> Any:
    """The object that `package.module:name` names.

    Modules are found in the current directory too; `__main__` is a notebook, or the script that
    runs.

    Args:
        flag: What asks for it, such as "--arch".
        name: Where it is.

    Raises:
        ValueError: In one sentence, if there is no such object.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise ValueError(f"{flag} needs package.module:name, not {name}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(f"cannot import {module_name}: {words(error)}.") from error
    if not hasattr(module, attribute):
        raise ValueError(f"{module_name} has no {attribute}.")
    return getattr(module, attribute)


def words(error: Exception) -> str:
    """What went wrong, in a line."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"
