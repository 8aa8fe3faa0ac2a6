"""Files that a command writes: whole or not at all."""

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

PART = ".sqrt-d-law-"
"""What the name of a file begins with while it is written."""

PICTURES = (".png", ".svg", ".pdf")
"""Endings of the pictures that can be drawn."""


def check_format(path: str) -> None:
    """Raises ValueError unless the file's ending is one that can be drawn."""
    if Path(path).suffix.lower() not in PICTURES:
        raise ValueError(f"a figure's name must end in {', '.join(PICTURES)}, unlike '{path}'.")


def check_writable(*paths: str | None) -> None:
    """Raises ValueError if a file cannot be written, or if two of them are one.

    None is no file; "-", standard output, can always be written.
    """
    targets = [_identity(name) for name in paths if name is not None]
    for name in paths:
        if name is not None and targets.count(_identity(name)) > 1:
            place = "standard output" if name == "-" else name
            raise ValueError(f"two results would be written to {place}.")
        if name == "-" and getattr(sys.stdout, "name", None) == os.devnull:
            raise ValueError("cannot write to standard output: it is closed.")
        if name is None or name == "-":
            continue
        try:
            path = Path(name)
            if path.is_dir():
                raise ValueError(f"cannot write {name}: it is a directory.")
            if path.exists() and not os.access(path, os.W_OK):
                raise ValueError(f"cannot write {name}: Permission denied.")
            if not _is_written_to(path):
                with tempfile.TemporaryFile(dir=path.resolve().parent):
                    pass
        except OSError as error:
            raise ValueError(f"cannot write {name}: {error.strerror}.") from None
        except RuntimeError:
            raise ValueError(f"cannot write {name}: its links lead in a circle.") from None


def check_apart(run: str | None, *paths: str | None) -> None:
    """Raises ValueError if a file is the folder of a run, lies in it, or has it inside."""
    if run is None or "://" in run:
        return
    place = Path(_place(run))
    for name in paths:
        if name is None or name == "-":
            continue
        target = Path(_place(name))
        if target.is_relative_to(place) or place.is_relative_to(target):
            raise ValueError(f"cannot write {name}: that and {run}, a run, lie in each other.")


def _place(name: str) -> str:
    """The file behind a name, whatever links lead there."""
    return os.path.realpath(name)


def _identity(name: str) -> str | tuple[int, int]:
    """What two names of one file have in common: its number, or its place before it exists."""
    place = _place(name)
    with contextlib.suppress(OSError):
        found = Path(place).stat()
        if stat.S_ISREG(found.st_mode) and found.st_ino:
            return found.st_dev, found.st_ino
    return place


def write_text(path: str, text: str) -> None:
    """Write to a file, whole or not at all, or to standard output for "-"."""
    if path == "-":
        sys.stdout.write(text)
    else:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replacing(path: str) -> Generator[Path, None, None]:
    """A temporary file with the same ending whose content becomes that of `path` if all goes well.

    The file behind a link is replaced, and keeps its mode. What cannot be replaced without breaking
    something else, a device or a file of several names, is written to instead.
    """
    target, part = Path(_place(path)), None
    try:
        written_to = _is_written_to(target)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else _new_mode()
        folder = None if written_to else target.parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=PART, suffix=target.suffix)
        os.close(handle)
        part = Path(name)
        yield part
        if written_to:
            with part.open("rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            part.chmod(mode)
            part.replace(target)
    except OSError as error:  # whose file would be the temporary one
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _is_written_to(path: Path) -> bool:
    """Whether a new file in the place of this one would break something else."""
    if not path.exists():
        return False
    there = path.stat()
    return not stat.S_ISREG(there.st_mode) or there.st_nlink > 1


def _new_mode() -> int:
    """The mode that the user's umask gives a new file."""
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
