"""A study of training on disk: one file for each finished cell, and checkpoints of the others.

A cell of the study's design is one training at one side of the images. `study.json` holds the
configuration and the provenance of every process that worked on it, `cells/NAME.npz` the results of
a cell, `checkpoints/NAME.npz` the state of one that is under way. Every file is replaced as a
whole, so a process may be killed at any moment.
"""

import json
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim.running.files import PART, replacing
from sim.storage import attributes, provenance, refusals
from sim.storage.folder import LOCK, Local
from sim.storage.refusals import RunError

Arrays = dict[str, np.ndarray]

FORMAT = 1
"""Version of the files of a study."""


@contextmanager
def opened(
    path: str | None,
    config: Mapping[str, Any],
    grows: tuple[str, ...],
    backend: str,
    tell: Callable[[str], None] = lambda line: None,
) -> Generator["Study", None, None]:
    """The study in a folder, which is created if it is not there.

    No other process can open the study meanwhile.

    Args:
        path: The folder; None keeps nothing.
        config: The configuration as JSON.
        grows: Its fields that may differ from what is stored; all others may not.
        backend: What computes: cpu, gpu or tpu.
        tell: Hears a sentence for each file that is damaged, which is then computed again.

    Raises:
        RunError: The folder cannot be used, or holds a study of another configuration.
    """
    if path is None:
        yield Study(None, tell)
        return
    if "://" in path:
        raise RunError(f"a study is kept in a folder of this machine, not at a URL like {path}.")
    folder = Path(path)
    with refusals.sentences(path):
        _refuse_other_folders(folder)
        for inner in ("cells", "checkpoints"):
            (folder / inner).mkdir(parents=True, exist_ok=True)
        with Local(folder).locked():
            for inner in (".", "cells", "checkpoints"):  # what a killed process was writing
                for left in (folder / inner).glob(f"{PART}*"):
                    left.unlink()
            with _session(folder, attributes.as_read(config), grows, backend):
                yield Study(folder, tell)


def described(path: str) -> dict[str, Any]:
    """The configuration of the study in a folder, as JSON has it.

    Raises:
        RunError: There is no study, or one of another version of this program.
    """
    try:
        content = json.loads((Path(path) / "study.json").read_text())
        version, config = content["format"], content["config"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"{path} holds no study of training.") from None
    if version != FORMAT:
        raise RunError(f"{path} was written by another version of this program.")
    return config


def _refuse_other_folders(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is not a folder.")
    begun = (LOCK, PART)  # of a study that a killed process had just created
    if any(file.is_file() and not file.name.startswith(begun) for file in folder.rglob("*")):
        described(str(folder))


@contextmanager
def _session(
    folder: Path, config: dict[str, Any], grows: tuple[str, ...], backend: str
) -> Generator[None, None, None]:
    """Record the configuration and this process, when it starts and when it ends."""
    file, sessions = folder / "study.json", []
    if file.exists():
        stored = described(str(folder))
        refusals.refuse_differences(f"{folder} holds a study", stored, config, grows, {})
        sessions = json.loads(file.read_text())["sessions"]
        if before := provenance.other_versions(sessions[-1]):
            raise RunError(
                f"{folder} was made with {' and '.join(before)}, which rounds in another way; "
                "choose another --out."
            )
    sessions.append(provenance.session(backend, 1, 1))
    content = {"format": FORMAT, "config": config, "sessions": sessions}
    _replace(file, content)
    try:
        yield
    finally:
        sessions[-1]["ended"] = provenance.now()
        with suppress(OSError):  # a full disk must not hide what went wrong before
            _replace(file, content)


def _replace(file: Path, content: dict[str, Any]) -> None:
    with replacing(str(file)) as part:
        part.write_text(json.dumps(content, indent=1))


@dataclass(frozen=True)
class Study:
    """A study that this process may read and write, cell by cell."""

    folder: Path | None
    """Where it is kept; None keeps nothing."""
    tell: Callable[[str], None] = lambda line: None
    """Hears a sentence for each file that is damaged."""

    def finished(self, name: str) -> Arrays | None:
        """What is stored of a finished cell; None if it is not finished."""
        return self._read("cells", name)

    def checkpoint(self, name: str) -> Arrays | None:
        """The last state stored of a cell under way; None if there is none."""
        return self._read("checkpoints", name)

    def keep_checkpoint(self, name: str, arrays: Arrays) -> None:
        """Store the state of a cell in the place of the one before."""
        self._write("checkpoints", name, arrays)

    def finish(self, name: str, arrays: Arrays) -> None:
        """Store what a cell gave, and remove its checkpoint."""
        self._write("cells", name, arrays)
        if self.folder is not None:
            self._file("checkpoints", name).unlink(missing_ok=True)

    def _file(self, kind: str, name: str) -> Path:
        assert self.folder is not None
        return self.folder / kind / f"{name.replace(':', '_')}.npz"

    def _read(self, kind: str, name: str) -> Arrays | None:
        if self.folder is None or not self._file(kind, name).exists():
            return None
        file = self._file(kind, name)
        try:
            with np.load(file, allow_pickle=False) as stored:  # checks every array's CRC-32
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            self.tell(f"{file} is damaged and computed again.")
            return None

    def _write(self, kind: str, name: str, arrays: Arrays) -> None:
        if self.folder is None:
            return
        with replacing(str(self._file(kind, name))) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
