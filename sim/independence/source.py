"""Where in the user's source an equation of a jaxpr comes from."""

import re
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LIBRARIES = (sysconfig.get_path("stdlib"),)
HERE = str(Path(__file__).parent)
ADAPTERS = str(Path(__file__).parents[1] / "models")
BELOW = {"torchax", "torch"}
"""Packages that compute what a module of another library says."""


@dataclass(frozen=True)
class Source:
    """A line of a file; 0 for what has none, and then the file is a name, if anything is known."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}" if self.line else self.file or "a line unknown"


def of(equation: Any) -> Source:
    """The innermost line that is not a library's, else the innermost outside of jax and `BELOW`."""
    try:
        # private, and the only way to the lines that jax itself shows in its errors
        from jax._src import source_info_util

        frames = list(source_info_util.user_frames(equation.source_info.traceback))
        found = [Source(frame.file_name, frame.start_line) for frame in frames]
    except (ImportError, AttributeError, TypeError):
        return Source()
    outside = [x for x in found if not x.file.startswith((HERE, ADAPTERS))]
    own = [x for x in outside if not is_library(x.file)]
    above = [x for x in outside if BELOW.isdisjoint(Path(x.file).parts)]
    return (own or above or outside or [Source()])[0]


@lru_cache
def is_library(file: str) -> bool:
    """True for files of installed packages and of Python itself."""
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return bool(installed) or file.startswith((*LIBRARIES, "<"))


def of_library(jaxpr: Any) -> bool:
    """True if a library wrote the function that this jaxpr was traced from.

    Such functions are traced once and then kept, with the lines of their first caller.
    """
    file = getattr(getattr(jaxpr, "debug_info", None), "func_filename", None)
    return file is not None and is_library(file)


def of_function(jaxpr: Any) -> Source | None:
    """Where the user's function begins that this jaxpr was traced from; None for a library's."""
    found = getattr(jaxpr, "debug_info", None)
    parts = ("filename", "lineno", "name")
    file, line, name = (getattr(found, f"func_{part}", None) for part in parts)
    if name and file is not None and file.startswith(ADAPTERS):
        return Source(name)  # what a library computes
    return None if file is None or not line or is_library(file) else Source(file, line)


def scope(equation: Any) -> str:
    """The names of the modules around an equation, as `jax.named_scope` has them: "CNN/Conv_0"."""
    stack = str(getattr(equation.source_info, "name_stack", ""))
    names = re.sub(r"\b(?:vmap|jvp|transpose|remat|checkpoint|jit)\(([^()]*)\)", r"\1", stack)
    # torchax names its operators after those of PyTorch: "aten::convolution"
    return "/".join(name for name in names.split("/") if name and "::" not in name)
