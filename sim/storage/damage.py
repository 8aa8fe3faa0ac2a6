"""Which chunks of a run are not what was written there."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from sim.storage import attributes, checksums, layout
from sim.storage.folder import Folder
from sim.storage.layout import BLOCK

Place = tuple[int, int, int]
"""A block of seeds, a width and a size, counted from 0."""


def about(kept: Mapping[str, Any]) -> Callable[[int, int], int]:
    """What the checksums of samples at a width and a size begin with (`checksums.of_samples`).

    Args:
        kept: The attributes of the run.
    """
    config = attributes.lasting(attributes.configuration(kept))
    return partial(checksums.of_words, attributes.experiment(kept), config)


def damaged(folder: Folder, kept: Mapping[str, Any]) -> list[Place]:
    """Places with a chunk that is unreadable, gone though finished, or no file.

    Or one with samples of another configuration, or another place.

    Args:
        folder: Where the run is kept.
        kept: Its attributes.
    """
    arrays, labels, begins = layout.open_arrays(folder, "r"), layout.open_zarr(folder), about(kept)
    widths, sizes = labels["width"].values.tolist(), labels["size"].values.tolist()
    everything = {name: _readable(array, ...) for name, array in arrays.items()}
    whole = all(values is not None for values in everything.values())
    found: list[Place] = []
    for block, width, size in np.ndindex(-(-len(labels["seed"]) // BLOCK), len(widths), len(sizes)):
        place = (slice(block * BLOCK, (block + 1) * BLOCK), width, size)
        there = {
            name: values[place] if whole and values is not None else _readable(arrays[name], place)
            for name, values in everything.items()
        }
        files = [
            layout.chunk(name, (block, width, size), array.ndim) for name, array in arrays.items()
        ]
        begin = begins(widths[width], sizes[size])
        if not (_are_files(folder, files, there) and _is_intact(there, block, begin)):
            found.append((block, width, size))
    return found


def _readable(array: Any, selection: Any) -> np.ndarray | None:
    try:
        return array[selection]
    except Exception:  # whatever a codec makes of damaged bytes
        return None


def _are_files(folder: Folder, files: list[str], there: Mapping[str, Any]) -> bool:
    flags = there["finished"]
    needed = flags is None or bool(flags.any())
    return all(folder.is_file(file) or not (needed or folder.exists(file)) for file in files)


def _is_intact(there: Mapping[str, Any], block: int, begin: int) -> bool:
    if any(values is None for values in there.values()):
        return False
    flags = there["finished"]
    if "checksum" not in there:  # of an earlier format
        return True
    seeds = block * BLOCK + np.flatnonzero(flags)
    samples = [there[name][flags] for name in sorted(there) if name not in layout.BESIDES]
    return np.array_equal(checksums.of_samples(begin, seeds, samples), there["checksum"][flags])


def named(place: Place, widths: list[int], sizes: list[int]) -> str:
    """How a chunk is called in a sentence."""
    block, width, size = place
    return (
        f"the chunk of seeds {block * BLOCK} to {(block + 1) * BLOCK - 1}, width {widths[width]}, "
        f"size {sizes[size]}"
    )
