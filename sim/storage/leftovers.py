"""What a process that was killed leaves in a place, told apart from files that are not ours."""

import re

from sim.running.files import PART
from sim.storage.descriptions import described
from sim.storage.folder import LOCK, Folder
from sim.storage.refusals import RunError

BESIDE = f"{PART}new"
"""Where a new layout is written."""

COMPLETE = f"{BESIDE}/complete"
"""What says that it has been, to its end."""


def refuse_other_folders(folder: Folder) -> None:
    """Refuses a place with files that are neither described nor left by a process that was killed.

    Raises:
        RunError: The place is no folder, cannot be read, or holds something else.
    """
    try:
        begun = folder.exists(COMPLETE) or all(
            name == LOCK or name.startswith(PART) for name in folder.files()
        )
    except NotADirectoryError:
        raise RunError(f"{folder} is not a folder.") from None
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror or error}.") from None
    if not begun:
        described(folder)


def clear(folder: Folder) -> None:
    """Remove what was being written."""
    for name in folder.files():
        if is_half_written(name):
            folder.remove(name)


def is_half_written(name: str) -> bool:
    """Whether a file is what we, or Zarr for us, were writing."""
    last = name.rpartition("/")[2]
    return last.startswith(PART) or bool(re.fullmatch(r"(zarr|\d+)\.[0-9a-f]{32}\.partial", last))
