"""Checksums (CRC-32) of what is stored: over what it is, as well as over its bytes.

A sample that lies in the place of another one, or belongs to another configuration, has another
checksum although its bytes are whole. Checksums find accidents and edits by hand; they protect from
nobody who means harm.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def of_words(*about: Any) -> int:
    """The checksum of data that JSON can hold; those of what it describes begin with it."""
    return zlib.crc32(json.dumps(about, sort_keys=True).encode())


def of_samples(about: int, seeds: np.ndarray, samples: Sequence[np.ndarray]) -> np.ndarray:
    """The checksums of samples, one for each seed.

    Args:
        about: The checksum of what they are, but for their seeds (`of_words`).
        seeds: Their seeds.
        samples: Arrays by seed first, as they are stored.
    """
    parts = (np.asarray(seeds, np.int64), *samples)
    rows = np.concatenate([_bytes(part) for part in parts], axis=1)
    return np.array([zlib.crc32(row, about) for row in rows], np.uint32)


def of_arrays(about: int, arrays: Mapping[str, np.ndarray]) -> int:
    """The checksum of named arrays, their types and shapes included."""
    found = about
    for name, array in sorted(arrays.items()):
        head = json.dumps([name, array.dtype.kind, array.dtype.itemsize, array.shape])
        found = zlib.crc32(_bytes(array[None]).tobytes(), zlib.crc32(head.encode(), found))
    return found


def of_files(files: Mapping[str, bytes]) -> int:
    """The checksum of files and their names."""
    found = 0
    for name, content in sorted(files.items()):
        found = zlib.crc32(content, zlib.crc32(f"{name}\0{len(content)}\0".encode(), found))
    return found


def _bytes(array: np.ndarray) -> np.ndarray:
    """The bytes (rows, bytes of a row), the lowest first."""
    ordered = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    shape = len(array), int(np.prod(array.shape[1:])) * array.dtype.itemsize
    return np.frombuffer(ordered.tobytes(), np.uint8).reshape(shape)
