"""Functions that a run before has traced are read from the cache, and not traced again.

To trace a function and to lower it takes as long as to run it, and half of a second run would be
spent on that. So a function is found by what it is made of (`Name`), by the source of this project
and by the versions of what traces it, before anything is traced. What is kept is the program
(`jax.export`): which machine runs it, jax decides when it compiles, or finds it compiled.
"""

import hashlib
import numbers
import pickle
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.export
import sympy as sp

from sim.running import compilation, files

Name = Any
"""Plain data (dataclasses, tuples, dictionaries, numbers, strings) of which a function is made."""

PREFIX = "traced-"
"""Of the files, in the folder of what is compiled."""

PACKAGES = ("sim", "theory")
"""Whose source a function is made of."""

BELOW = ("jax", "jaxlib", "numpy", "optax", "scipy", "sympy")
"""Libraries that trace it, or whose functions and constants are in it."""


def compiled(
    name: Name,
    function: Any,
    arguments: tuple[Any, ...],
    compile: Callable[[Any], Callable[..., Any]],
) -> Callable[..., Any]:
    """A function at arguments of these shapes and types, compiled.

    Args:
        name: What tells it from all others; None, or what is not plain data: it is always traced.
        function: A function under `jax.jit`.
        arguments: Arrays, or their shapes and types.
        compile: From a lowered function to a compiled one.
    """
    file = _file(name, arguments)
    if file is None:
        return compile(function.lower(*arguments))
    found = _read(file)
    if found is None:
        try:
            found = _exported(function, arguments)
        except Exception:  # whatever cannot be exported: to trace it alone tells what is wrong
            return compile(function.lower(*arguments))
        _write(file, found)
    program, outputs = found
    leaves = jax.tree.leaves(arguments)
    of_leaves = compile(jax.jit(jax.export.deserialize(bytearray(program)).call).lower(*leaves))

    def call(*given: Any) -> Any:
        results = of_leaves(*jax.tree.leaves(given))
        return jax.tree.map(lambda i: results[i], outputs)

    return call


def _exported(function: Any, arguments: tuple[Any, ...]) -> tuple[bytes, Any]:
    """The program of a function of leaves, and the tree of its results as numbers of leaves."""
    leaves, tree = jax.tree.flatten(arguments)
    outputs: list[Any] = []

    def of_leaves(*given: Any) -> list[Any]:
        found, structure = jax.tree.flatten(function(*tree.unflatten(given)))
        outputs.append(structure.unflatten(range(len(found))))
        return found

    program = bytes(jax.export.export(jax.jit(of_leaves))(*leaves).serialize())
    return program, outputs[0]


def _file(name: Name, arguments: tuple[Any, ...]) -> Path | None:
    """Where a program is kept; None if it is not."""
    folder = compilation.kept()
    if folder is None or name is None or jax.default_backend() != "cpu":
        return None
    shapes = [f"{x.shape} {x.dtype}" for x in jax.tree.leaves(arguments)]
    try:
        told = words((name, str(jax.tree.structure(arguments)), shapes))
    except TypeError:
        return None
    x64 = jax.dtypes.canonicalize_dtype(float).name
    digest = hashlib.sha256("\0".join((*_surroundings(), x64, told)).encode()).hexdigest()
    return folder / f"{PREFIX}{digest}"


def words(x: Any) -> str:
    """Plain data as text that tells it from all other data.

    Raises:
        TypeError: It has something else inside.
    """
    if is_dataclass(x) and not isinstance(x, type):
        kind = f"{type(x).__module__}.{type(x).__qualname__}"
        return f"{kind}({', '.join(f'{f.name}={words(getattr(x, f.name))}' for f in fields(x))})"
    if isinstance(x, dict):
        return f"{{{', '.join(f'{words(k)}: {words(v)}' for k, v in x.items())}}}"
    if isinstance(x, list | tuple):
        return f"{type(x).__name__}({', '.join(map(words, x))})"
    if isinstance(x, jax.ShapeDtypeStruct):
        return f"{x.shape} {x.dtype}"
    if x is None or isinstance(x, str | bytes | numbers.Number | sp.Basic):
        return f"{type(x).__name__} {x!r}"
    raise TypeError(f"{type(x).__name__} is no plain data")


def _surroundings() -> tuple[str, ...]:
    """What else a program depends on."""
    settings = sorted(map(str, jax.config.values.items()))
    return (_source(), *_versions(), *settings)


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    return platform.python_version(), *map(version, BELOW)


@lru_cache(maxsize=1)
def _source() -> str:
    """A digest of this project's source."""
    found, above = hashlib.sha256(), Path(__file__).parents[2]
    for package in PACKAGES:
        for file in sorted((above / package).rglob("*.py")):
            found.update(str(file.relative_to(above)).encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


def _read(file: Path) -> tuple[bytes, Any] | None:
    """What was written to a file; None if nothing was, or if it is damaged."""
    try:
        content = file.read_bytes()
        digest, rest = content[:32], content[32:]
        return pickle.loads(rest) if hashlib.sha256(rest).digest() == digest else None
    except Exception:  # a class that is no longer there, say
        return None


def _write(file: Path, found: tuple[bytes, Any]) -> None:
    """Keeps it, whole or not at all; a cache that fails only costs time."""
    rest = pickle.dumps(found)
    with suppress(OSError), files.replacing(str(file)) as part:
        part.write_bytes(hashlib.sha256(rest).digest() + rest)
