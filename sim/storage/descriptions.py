"""What a place says of itself: the attributes in its zarr.json, under a checksum.

A run and a study of training are described alike: by their `format`, the `experiment` that made
them, its `config` and the `sessions` of all processes that worked on them. For a run of random
networks, which is a Zarr group, the file also says how its arrays are laid out, and where that is
so the checksum is over it, too.
"""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from sim.storage import attributes, checksums, earlier, provenance
from sim.storage.folder import Folder
from sim.storage.refusals import RunError

FORMAT = 3
"""Version of what is stored."""

FILE = "zarr.json"

CHECKSUM = "checksum"
"""The attribute that holds the checksum of all else in the file."""

CODECS = ("bytes", "crc32c", "vlen-utf8")
"""What chunks are encoded with; nothing else is decoded."""

CONTROL = r"\\u00|\\[bfr]|[\x7f-\x9f]"
"""Control characters in JSON."""


def described(folder: Folder) -> dict[str, Any]:
    """The attributes of what is stored, read without its arrays (see `sim.storage.attributes`).

    Raises:
        RunError: Nothing is stored there, it is damaged, or was written by another version.
    """
    return document(folder)["attributes"]


def document(folder: Folder, below: str = "") -> dict[str, Any]:
    """All that zarr.json says.

    Args:
        folder: The place.
        below: The folder within, with a slash; none for what is in its place.

    Raises:
        RunError: Nothing is stored there, it is damaged, or was written by another version.
    """
    file = f"{below}{FILE}"
    try:
        if not folder.exists(file) and folder.exists(earlier.STUDY):
            file, found = earlier.STUDY, earlier.study(folder)
        else:
            found = json.loads(folder.read(file))
        version = found["attributes"]["format"]
    except FileNotFoundError:
        there = folder.exists()
        message = "is not a run." if there else "does not exist."
        raise RunError(f"{folder} {message}") from None
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RunError(
            f"{folder} is not a run, or its {file}, which describes it, is damaged."
        ) from None
    if version not in (FORMAT, earlier.FORMAT):
        raise RunError(f"{folder} was written by another version of this program.")
    if not _is_whole(found):
        raise RunError(
            f"{folder} cannot be used: its {file}, which describes it, is damaged or was edited."
        )
    return found


def _is_whole(found: Mapping[str, Any]) -> bool:
    kept = found["attributes"]
    try:
        if kept["format"] == FORMAT:
            return kept[CHECKSUM] == _checksum(found) and _is_plain(found)
        earlier.check(kept)
        return CHECKSUM not in kept and _is_plain(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _is_plain(found: Mapping[str, Any]) -> bool:
    """Whether its arrays, if there are any, have our codecs, and no word controls a terminal."""
    arrays = found.get("consolidated_metadata", {"metadata": {}})["metadata"]
    codecs = [codec["name"] for array in arrays.values() for codec in array["codecs"]]
    config = json.loads(found["attributes"]["config"])
    return set(codecs) <= set(CODECS) and not has_controls([found, config])


def has_controls(data: Any) -> bool:
    """Whether words in data that JSON can hold could control a terminal that prints them."""
    words = json.dumps(data, ensure_ascii=False).replace("\\\\", "")
    return re.search(CONTROL, words) is not None


def _checksum(found: Mapping[str, Any]) -> int:
    rest = {k: v for k, v in found["attributes"].items() if k != CHECKSUM}
    return checksums.of_words({**found, "attributes": rest})


def write(folder: Folder, found: Mapping[str, Any], below: str = "") -> None:
    """Write a description, with its checksum.

    Args:
        folder: The place.
        found: The whole of zarr.json.
        below: The folder within, with a slash; none where it will be read.
    """
    read_back = json.loads(json.dumps(found))
    read_back["attributes"][CHECKSUM] = _checksum(read_back)
    folder.write(f"{below}{FILE}", json.dumps(read_back, indent=1).encode())


def begun(experiment: str) -> dict[str, Any]:
    """The attributes of what no process has worked on yet."""
    return {"format": FORMAT, "experiment": experiment, "sessions": []}


def continued(folder: Folder, experiment: str) -> dict[str, Any]:
    """The attributes of what is stored, which that experiment may continue.

    Raises:
        RunError: It is no run of the experiment, or one of an earlier format.
    """
    kept = described(folder)
    if (there := attributes.experiment(kept)) != experiment:
        raise RunError(f"{folder} holds a run of python -m sim.{there}; choose another --out.")
    if kept["format"] != FORMAT:
        raise RunError(
            f"{folder} was written by an earlier version of this program: it can be reported, but "
            "not continued; choose another --out."
        )
    return kept


@contextmanager
def session(folder: Folder, now: dict[str, Any]) -> Generator[None, None, None]:
    """Records this process, as `sim.storage.provenance.session` knows it, until it ends."""
    sessions = [*described(folder)["sessions"], now]
    _record(folder, sessions)
    try:
        yield
    finally:
        now["ended"] = provenance.now()
        with suppress(OSError, RunError):  # a full disk must not hide what went wrong before
            _record(folder, sessions)


def _record(folder: Folder, sessions: list[dict[str, Any]]) -> None:
    found = document(folder)
    found["attributes"]["sessions"] = sessions
    write(folder, found)
