"""Files that a command writes: whole or not at all."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

PICTURES = (".png", ".svg", ".pdf")
"""Endings of the pictures that can be drawn."""


def check_format(path: str) -> None:
    """Raises ValueError unless the file's ending is one that can be drawn."""
    if Path(path).suffix.lower() not in PICTURES:
        raise ValueError(f"a figure's name must end in {', '.join(PICTURES)}, unlike '{path}'.")


def check_writable(*paths: str | None) -> None:
    """Raises ValueError if a file cannot be written; None and "-" (standard output) always can."""
    for name in paths:
        if name is None or name == "-":
            continue
        path = Path(name)
        if path.is_dir():
            raise ValueError(f"cannot write {name}: it is a directory.")
        try:
            with tempfile.TemporaryFile(dir=path.absolute().parent):
                pass
            if path.exists():
                with path.open("r+b"):
                    pass
        except OSError as error:
            raise ValueError(f"cannot write {name}: {error.strerror}.") from None


def write_text(path: str, text: str) -> None:
    """Write to a file, whole or not at all, or to standard output for "-"."""
    if path == "-":
        sys.stdout.write(text)
    else:
        with replacing(path) as part:
            part.write_text(text)


@contextlib.contextmanager
def replacing(path: str) -> Generator[Path, None, None]:
    """A temporary file with the same ending that takes the place of `path` when all went well."""
    target = Path(path).absolute()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=target.suffix)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
