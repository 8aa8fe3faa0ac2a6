"""The files of a run on disk: how they are laid out, which of them are damaged.

A layout is everything but the chunks of samples: labels, predictions, shapes, attributes. A new one
is written beside the old one and then copied in place, file by file; after a process that is killed
between two files the next one copies all of them again. Chunks carry CRC-32C checksums and keep
their places when a run grows.
"""

import json
import re
import warnings
from typing import Any

import numpy as np
import xarray as xr

from sim.running.files import PART
from sim.storage.folder import LOCK, Folder
from sim.storage.refusals import RunError

FORMAT = 2
"""Version of the layout on disk."""

BESIDE = f"{PART}new"
"""Where a new layout is written."""

COMPLETE = f"{BESIDE}/complete"
"""What says that it has been, to its end."""

BLOCK = 64
"""Seeds in one chunk of a file; a chunk holds one width and one size."""


def open_zarr(folder: Folder) -> xr.Dataset:
    """The dataset in a folder, its arrays not yet read."""
    return _open(str(folder))


def _open(path: str) -> xr.Dataset:
    return xr.open_zarr(path, chunks=None, decode_times=False)


def described(folder: Folder) -> dict[str, Any]:
    """The attributes of a run, read without its arrays (see `sim.storage.attributes`).

    Raises:
        RunError: The folder is no run, is damaged, or was written by another version.
    """
    try:
        attributes = json.loads(folder.read("zarr.json"))["attributes"]
        version = attributes["format"]
    except FileNotFoundError:
        there = folder.exists()
        message = "is not a run." if there else "does not exist."
        raise RunError(f"{folder} {message}") from None
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"{folder} is not a run, or its zarr.json, which describes it, is damaged."
        ) from None
    if version != FORMAT:
        raise RunError(f"{folder} was written by another version of this program.")
    return attributes


def sampled(dataset: xr.Dataset) -> list[str]:
    """Names of the variables that hold samples: by (seed, width, size, …)."""
    first = ("seed", "width", "size")
    return [
        str(name)
        for name, variable in dataset.data_vars.items()
        if variable.dims[:3] == first and name != "finished"
    ]


def damaged(folder: Folder) -> list[tuple[int, int, int]]:
    """Places (block of seeds, width, size) whose chunks are unreadable, or gone though finished."""
    import zarr

    group: Any = zarr.open_group(str(folder), mode="r")
    samples = {name: group[name] for name in sampled(open_zarr(folder))}
    finished = group["finished"]

    def readable(array: Any, selection: Any) -> np.ndarray | None:
        try:
            return array[selection]
        except Exception:  # whatever a codec makes of damaged bytes
            return None

    whole = all(readable(array, ...) is not None for array in (*samples.values(), finished))
    everything = finished[...] if whole else None
    found = []
    for place in np.ndindex(-(-finished.shape[0] // BLOCK), *finished.shape[1:3]):
        block = (slice(place[0] * BLOCK, (place[0] + 1) * BLOCK), *place[1:])
        flags = readable(finished, block) if everything is None else everything[block]
        if flags is None or (
            flags.any()
            and not all(
                folder.exists(chunk(name, place, array.ndim))
                and (whole or readable(array, block) is not None)
                for name, array in samples.items()
            )
        ):
            found.append(place)
    return found


def chunk(array: str, place: tuple[int, int, int], axes: int) -> str:
    """The file of the chunk at one place of an array with so many axes."""
    return "/".join((array, "c", *map(str, place), *("0",) * (axes - 3)))


def lay_out(folder: Folder, dataset: xr.Dataset) -> None:
    """Write all but the chunks of samples, beside what is there, and put it in place.

    Args:
        folder: Where the run is kept.
        dataset: The run, its samples by (seed, width, size, …), `finished` by (seed, width, size).
    """
    from zarr.codecs import Crc32cCodec
    from zarr.errors import ZarrUserWarning

    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "U":  # the format's own strings have no fixed length
            dataset[name] = dataset[name].astype(object)
    encoding: dict[str, Any] = {
        str(name): {"compressors": (Crc32cCodec(),)} for name in dataset.variables
    }
    for name in (*(names := sampled(dataset)), "finished"):
        encoding[name]["chunks"] = (BLOCK, 1, 1, *dataset[name].shape[3:])
    for name in names:
        encoding[name]["fill_value"] = np.nan
    with warnings.catch_warnings():
        # Zarr 3 reads consolidated metadata everywhere, and says that no standard has it yet
        warnings.simplefilter("ignore", ZarrUserWarning)
        beside = f"{folder}/{BESIDE}"
        dataset.to_zarr(beside, zarr_format=3, encoding=encoding, consolidated=True)
    folder.write(COMPLETE, b"")
    finish(folder)


def is_begun(folder: Folder) -> bool:
    """Whether there is nothing in a folder but what a process that was killed has laid out."""
    return folder.exists(COMPLETE) or all(
        name == LOCK or name.startswith(PART) for name in folder.files()
    )


def is_half_written(name: str) -> bool:
    """Whether a file is what a process that was killed, or Zarr within it, was writing."""
    last = name.rpartition("/")[2]
    return last.startswith(PART) or bool(re.fullmatch(r"(zarr|\d+)\.[0-9a-f]{32}\.partial", last))


def finish(folder: Folder) -> None:
    """Put a layout that was written to its end in place, and remove one that was not."""
    if folder.exists(COMPLETE):
        written = [name.removeprefix(f"{BESIDE}/") for name in folder.files(BESIDE)]
        stay = {*sampled(_open(f"{folder}/{BESIDE}")), "finished"}  # whose chunks stay
        arrays = {name.split("/")[0] for name in written if "/" in name}
        for array in sorted(arrays - stay):
            folder.remove_all(array)
        for name in sorted(set(written) - {"complete"}, key=lambda name: name == "zarr.json"):
            array, _, within = name.partition("/")
            if not (array in stay and within.startswith("c/")):
                folder.write(name, folder.read(f"{BESIDE}/{name}"))
        folder.remove(COMPLETE)
    folder.remove_all(BESIDE)
