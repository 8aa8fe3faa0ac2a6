"""The files of a run on disk: how they are laid out.

A layout is everything but the chunks of samples: labels, predictions, shapes, attributes. A new one
is written beside the old one and then copied in place, file by file; after a process that is killed
between two files the next one copies all of them again. Chunks carry CRC-32C checksums and keep
their places when a run grows.
"""

import json
import math
import re
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from sim.storage import checksums, descriptions
from sim.storage.folder import Folder
from sim.storage.leftovers import BESIDE, COMPLETE
from sim.storage.refusals import RunError

AXES = ("seed", "width", "size")
"""The first axes of samples."""

BESIDES = ("finished", "checksum")
"""Arrays by these axes alone that say something of each sample; written after it, the first one
last."""

BLOCK = 64
"""Seeds in one chunk of a file; a chunk holds one width and one size."""


def open_zarr(folder: Folder) -> xr.Dataset:
    """The dataset in a folder, its arrays not yet read."""
    return xr.open_zarr(
        str(folder), chunks=None, decode_times=False, consolidated=True, zarr_format=3
    )


def open_arrays(folder: Folder, mode: Literal["r", "r+"]) -> dict[str, Any]:
    """`BESIDES` and the arrays of samples, by their names.

    In an order in which they can be read while another process writes.
    """
    import zarr

    group: Any = zarr.open_group(str(folder), mode=mode, zarr_format=3, use_consolidated=True)
    names = (*BESIDES, *sampled(open_zarr(folder)))
    return {name: group[name] for name in names if name in group}


def sampled(dataset: xr.Dataset) -> list[str]:
    """Names of the variables that hold samples: by (seed, width, size, …)."""
    return [
        str(name)
        for name, variable in dataset.data_vars.items()
        if variable.dims[:3] == AXES and name not in BESIDES
    ]


def chunk(array: str, place: tuple[int, int, int], axes: int) -> str:
    """The file of the chunk at one place of an array with so many axes."""
    return "/".join((array, "c", *map(str, place), *("0",) * (axes - 3)))


def lay_out(folder: Folder, dataset: xr.Dataset) -> None:
    """Write all but the chunks of samples, beside what is there, and put it in place.

    Args:
        folder: Where the run is kept.
        dataset: The run, its samples by (seed, width, size, …), `BESIDES` by (seed, width, size).
    """
    from zarr.codecs import Crc32cCodec
    from zarr.errors import ZarrUserWarning

    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "U":  # the format's own strings have no fixed length
            dataset[name] = dataset[name].astype(object)
    encoding: dict[str, Any] = {
        str(name): {"compressors": (Crc32cCodec(),)} for name in dataset.variables
    }
    for name in (*(names := sampled(dataset)), *BESIDES):
        encoding[name]["chunks"] = (BLOCK, 1, 1, *dataset[name].shape[3:])
    for name in names:
        encoding[name]["fill_value"] = np.nan
    with warnings.catch_warnings():
        # Zarr 3 reads consolidated metadata everywhere, and says that no standard has it yet
        warnings.simplefilter("ignore", ZarrUserWarning)
        beside = f"{folder}/{BESIDE}"
        dataset.to_zarr(beside, zarr_format=3, encoding=encoding, consolidated=True)
    found = json.loads(folder.read(f"{BESIDE}/{descriptions.FILE}"))
    found["attributes"]["labels"] = _labels(folder, found, f"{BESIDE}/")
    descriptions.write(folder, found, f"{BESIDE}/")
    folder.write(COMPLETE, b"")
    finish(folder)


def size(found: Mapping[str, Any]) -> int:
    """Bytes that all arrays of a run take in memory, eight for a number.

    Args:
        found: Its description.
    """
    arrays = found["consolidated_metadata"]["metadata"].values()
    return 8 * sum(math.prod(array["shape"]) for array in arrays)


def is_whole(folder: Folder, found: Mapping[str, Any], below: str = "") -> bool:
    """Whether all but the chunks of samples is what was laid out.

    Args:
        folder: Where the run is kept.
        found: Its description (`sim.storage.descriptions.document`).
        below: The folder of a layout within, with a slash; none for the one in its place.
    """
    try:
        return _labels(folder, found, below) == found["attributes"]["labels"]
    except OSError:
        return False


def _labels(folder: Folder, found: Mapping[str, Any], below: str) -> int:
    """The checksum of all files of a run but its description and the chunks of samples."""
    contents = {}
    for array, is_staying in _staying(found).items():
        names = [f"{below}{array}/zarr.json"]
        if not is_staying:
            names += [
                name
                for name in folder.files(f"{below}{array}")
                if re.fullmatch(r"c(/\d+)*", name.removeprefix(f"{below}{array}/"))
            ]
        contents |= {name.removeprefix(below): folder.read(name) for name in names}
    return checksums.of_files(contents)


def _staying(found: Mapping[str, Any]) -> dict[str, bool]:
    """Which arrays of a run have chunks that stay in their places when it is laid out again."""
    arrays = found["consolidated_metadata"]["metadata"]
    return {name: tuple(array["dimension_names"][:3]) == AXES for name, array in arrays.items()}


def finish(folder: Folder) -> None:
    """Put a layout that was written to its end in place, and remove one that was not."""
    if folder.exists(COMPLETE) and (found := _laid_out(folder)) is not None:
        arrays = _staying(found)
        for array, is_staying in sorted(arrays.items()):
            if not is_staying:
                folder.remove_all(array)
        written = [name.removeprefix(f"{BESIDE}/") for name in folder.files(BESIDE)]
        for name in sorted(set(written) - {"complete"}, key=lambda name: name == "zarr.json"):
            array, _, within = name.partition("/")
            if not (arrays.get(array) and within.startswith("c/")):
                folder.write(name, folder.read(f"{BESIDE}/{name}"))
        folder.remove(COMPLETE)
    folder.remove_all(BESIDE)


def _laid_out(folder: Folder) -> dict[str, Any] | None:
    """The description of a new layout; None if that is damaged."""
    try:
        found = descriptions.document(folder, f"{BESIDE}/")
    except RunError:
        return None
    return found if is_whole(folder, found, f"{BESIDE}/") else None
