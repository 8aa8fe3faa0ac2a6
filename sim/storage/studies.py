"""A study of training: one file for each finished cell, and checkpoints of the others.

A cell of the study's design is one training at one side of the images. The study is described like
a run (`sim.storage.descriptions`); `cells/NAME.npz` has the results of a cell,
`checkpoints/NAME.npz` the state of one that is under way, each with a checksum of what it is and of
all its arrays. Every file is replaced as a whole, so a process may be killed at any moment.
"""

import io
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.storage import (
    attributes,
    checksums,
    descriptions,
    earlier,
    leftovers,
    provenance,
    refusals,
)
from sim.storage.folder import Folder
from sim.storage.folder import folder as open_folder
from sim.storage.refusals import RunError

Arrays = dict[str, np.ndarray]

EXPERIMENT = "training"

CHECKSUM = "checksum"
"""The array of a file that is not of its cell."""


@contextmanager
def opened(
    path: str | None,
    config: Mapping[str, Any],
    grows: tuple[str, ...],
    backend: str,
    tell: Callable[[str], None] = lambda line: None,
) -> Generator["Study", None, None]:
    """The study in a folder or at a URL, which is created if it is not there.

    No other process can open a folder of this machine meanwhile.

    Args:
        path: The place; None keeps nothing.
        config: The configuration as JSON.
        grows: Its fields that may differ from what is stored; all others may not.
        backend: What computes: cpu, gpu or tpu.
        tell: Hears a sentence for each file that is damaged, which is then computed again.

    Raises:
        RunError: The place cannot be used, or holds a study of another configuration.
    """
    if path is None:
        yield Study(None)
        return

    def damaged(file: str) -> None:
        tell(f"{file} is damaged and computed again.")

    with refusals.sentences(path):
        folder = open_folder(path)
        leftovers.refuse_other_folders(folder)
        folder.make()
        with folder.locked():
            leftovers.clear(folder)
            wanted = attributes.as_read(config)
            _describe(folder, wanted, grows)
            with descriptions.session(folder, provenance.session(backend, 1, 1)):
                yield Study(folder, attributes.lasting(wanted, grows), damaged)


def stored(path: str, grows: tuple[str, ...]) -> tuple["Study", dict[str, Any]]:
    """A study to read, and its configuration as JSON has it.

    Args:
        path: The folder or URL of the study.
        grows: Fields that may differ while it is continued.

    Raises:
        RunError: There is no study, it is damaged, or was written by another version.
    """
    folder = open_folder(path)
    kept = descriptions.described(folder)
    if (there := attributes.experiment(kept)) != EXPERIMENT:
        raise RunError(f"{folder} holds a run of python -m sim.{there}, no study of training.")

    def refuse(file: str) -> None:
        raise RunError(f"{file} is damaged; the command that wrote it computes it again.")

    config = attributes.configuration(kept)
    is_checked = kept["format"] == descriptions.FORMAT
    return Study(folder, attributes.lasting(config, grows) if is_checked else None, refuse), config


def _describe(folder: Folder, config: dict[str, Any], grows: tuple[str, ...]) -> None:
    """Write the configuration, if it may be in the place of what is stored."""
    kept = descriptions.begun(EXPERIMENT)
    if any(map(folder.exists, (descriptions.FILE, earlier.STUDY))):
        kept = descriptions.continued(folder, EXPERIMENT)
        before = attributes.configuration(kept)
        refusals.refuse_differences(f"{folder} holds a study", before, config, grows, {})
        if kept["sessions"] and (others := provenance.other_versions(kept["sessions"][-1])):
            raise RunError(
                f"{folder} was made with {' and '.join(others)}, which rounds in another way; "
                "choose another --out."
            )
    group = {"zarr_format": 3, "node_type": "group"}
    descriptions.write(folder, group | {"attributes": kept | attributes.encoded(config)})


@dataclass(frozen=True)
class Study:
    """A study that this process may read and write, cell by cell."""

    folder: Folder | None
    """Where it is kept; None keeps nothing."""
    config: dict[str, Any] | None = None
    """What stays of its configuration while it grows; None checks no checksums."""
    damaged: Callable[[str], None] = lambda file: None
    """Hears of each file that is damaged."""

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
            self.folder.remove(_file("checkpoints", name))

    def _read(self, kind: str, name: str) -> Arrays | None:
        file = _file(kind, name)
        if self.folder is None or not self.folder.exists(file):
            return None
        if not self.folder.is_file(file):
            raise RunError(f"{self.folder}/{file} is a folder where a file should be.")
        try:
            content = io.BytesIO(self.folder.read(file))
            if any(part.compress_type for part in zipfile.ZipFile(content).infolist()):
                raise ValueError  # not ours: it may unpack to any size
            with np.load(content, allow_pickle=False) as stored:  # checks every array's CRC-32
                arrays = {key: stored[key] for key in stored.files}
            if self.config is None or arrays.pop(CHECKSUM) == self._checksum(kind, name, arrays):
                return arrays
        except Exception:  # whatever a library makes of damaged bytes
            pass
        self.damaged(f"{self.folder}/{file}")
        return None

    def _write(self, kind: str, name: str, arrays: Arrays) -> None:
        if self.folder is None:
            return
        found = {key: np.asarray(array) for key, array in arrays.items()}
        checksum = np.uint32(self._checksum(kind, name, found))
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **found, **{CHECKSUM: checksum})
        self.folder.write(_file(kind, name), content.getvalue())

    def _checksum(self, kind: str, name: str, arrays: Arrays) -> int:
        about = checksums.of_words(EXPERIMENT, self.config, kind, name)
        return checksums.of_arrays(about, arrays)


def _file(kind: str, name: str) -> str:
    return f"{kind}/{name.replace(':', '_')}.npz"
