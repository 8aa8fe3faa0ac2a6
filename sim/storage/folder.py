"""Where a run is kept: a folder of this machine, or any place that fsspec knows by a URL.

Only a folder of this machine, or one that it shares, can be locked. Nothing keeps two processes
from writing to one URL at the same time: whoever starts them must see to it that one at a time
does.
"""

import errno
import shutil
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from fsspec.core import url_to_fs

from sim.running.files import PART, replacing
from sim.storage.refusals import BusyError, RunError

LOCK = ".lock"
"""The file that is locked in a folder of this machine while a process writes there."""

PROBE = f"{PART}probe"


class Folder(ABC):
    """Files by their names (with slashes) below one place; each is written as a whole.

    Methods raise OSError for what goes wrong. `str(folder)` is what the user called it, and what
    Zarr opens.
    """

    @abstractmethod
    def make(self) -> None:
        """Create it, if it is not there."""

    @abstractmethod
    def exists(self, name: str = "") -> bool:
        """Whether there is a file or a folder of that name; of the place itself for none."""

    @abstractmethod
    def is_file(self, name: str) -> bool:
        """Whether there is a file of that name."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of one file."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Put a file in the place of the one of that name, if there is one."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove one file, if it is there."""

    @abstractmethod
    def remove_all(self, below: str) -> None:
        """Remove all files whose names begin with `below` and a slash."""

    @abstractmethod
    def files(self, below: str = "") -> list[str]:
        """Names of all files there; none if there is no such folder."""

    @abstractmethod
    def locked(self) -> AbstractContextManager[None]:
        """Keeps other processes out where a place can be locked, which a URL cannot.

        Raises:
            BusyError: Another process holds the lock.
        """


@dataclass(frozen=True)
class Local(Folder):
    """A folder of this machine, or one that it shares."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def exists(self, name: str = "") -> bool:
        return (self.path / name).exists()

    def is_file(self, name: str) -> bool:
        return (self.path / name).is_file()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(str(target)) as part:
            part.write_bytes(content)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def remove_all(self, below: str) -> None:
        shutil.rmtree(self.path / below, ignore_errors=True)

    def files(self, below: str = "") -> list[str]:
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        found = (self.path / below).rglob("*")
        return sorted(file.relative_to(self.path).as_posix() for file in found if file.is_file())

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        lock = FileLock(self.path / LOCK)  # ends with the process
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(f"another process is working on {self}") from None
        try:
            yield
        finally:
            lock.release()


@dataclass(frozen=True)
class Remote(Folder):
    """A place that fsspec knows: an object store, for example."""

    url: str
    system: Any
    """An fsspec filesystem, which has no type stub."""
    root: str

    def __str__(self) -> str:
        return self.url

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self.system, method)(*arguments, **options)
        except OSError:
            raise
        except Exception as error:  # every service has its own
            raise OSError(_said(error)) from error

    def make(self) -> None:
        self._ask("makedirs", self.root, exist_ok=True)
        self.write(PROBE, b"")  # not all that can be read can be written
        self.remove(PROBE)

    def exists(self, name: str = "") -> bool:
        self._ask("invalidate_cache")
        return self._ask("exists", self._path(name))

    def is_file(self, name: str) -> bool:
        self._ask("invalidate_cache")
        return self._ask("isfile", self._path(name))

    def read(self, name: str) -> bytes:
        return self._ask("cat_file", self._path(name))

    def write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        self._ask("makedirs", path.rpartition("/")[0], exist_ok=True)
        self._ask("pipe_file", path, content)

    def remove(self, name: str) -> None:
        if self.exists(name):
            self._ask("rm_file", self._path(name))

    def remove_all(self, below: str) -> None:
        if self.exists(below):
            self._ask("rm", self._path(below), recursive=True)

    def files(self, below: str = "") -> list[str]:
        root = self.root.rstrip("/") + "/"
        found = self._ask("find", self._path(below)) if self.exists(below) else []
        return sorted(path[path.index(root) + len(root) :] for path in found)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        yield


def folder(name: str) -> Folder:
    """The folder of a path, or of a URL that fsspec knows; file:// is a folder of this machine.

    Raises:
        RunError: The URL is none that fsspec can open, or the package for it is not installed.
    """
    if not name:
        raise RunError("the name of the place where a run is kept is empty.")
    if "://" not in name:
        return Local(Path(name))
    if "::" in name:
        raise RunError(f"{name} is a chain of URLs, and a run is kept at one.")
    try:
        system, root = url_to_fs(name)
    except ImportError as error:
        raise RunError(f"{name} needs a package that is not installed: {error}.") from None
    except ValueError as error:
        raise RunError(f"{name} is not a URL that fsspec knows: {error}.") from None
    except OSError as error:
        raise RunError(f"cannot open {name}: {error.strerror or _said(error)}.") from None
    except Exception:  # the URL lacks what a system needs to know
        raise RunError(f"{name} is no place where runs can be kept.") from None
    protocols = [system.protocol] if isinstance(system.protocol, str) else system.protocol
    if "file" not in protocols:
        return Remote(name, system, root)
    if not name.partition("://")[2].startswith("/"):
        raise RunError(f"{name} is no absolute path: write file:///path, or a path alone.")
    return Local(Path(root))


def _said(error: Exception) -> str:
    """What an error of a service says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(".")
