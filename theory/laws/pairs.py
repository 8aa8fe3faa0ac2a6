"""Pairs of positions along one axis of an image: which of them meet, and arrays over them.

An array over pairs has a row for each pair of the first axis, and a column for each of the second:
one column, where there is no second axis.
"""

from typing import Any

import numpy as np


def diagonal(side: int) -> np.ndarray:
    """Each of `side` positions with itself, (side, 2)."""
    return np.stack([np.arange(side)] * 2, axis=1)


def meeting(through: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of outputs that read some of `pairs` through one tap.

    Args:
        through: `theory.geometry.taps` of a layer.
        pairs: pairs of its inputs, (m, 2).

    Returns:
        Pairs of outputs (n, 2), those of a position with itself first, and the number of taps
        through which each of them reads each of `pairs`, (n, m).
    """
    readers: list[dict[int, list[int]]] = []
    for tap in through:
        by_input: dict[int, list[int]] = {}
        for output, read in zip(*np.nonzero(tap), strict=True):
            by_input.setdefault(int(read), []).append(int(output))
        readers.append(by_input)
    counts: dict[tuple[int, int], dict[int, int]] = {(o, o): {} for o in range(through.shape[1])}
    for column, (i, j) in enumerate(pairs.tolist()):
        for by_input in readers:
            for o in by_input.get(i, []):
                for p in by_input.get(j, []):
                    row = counts.setdefault((o, p), {})
                    row[column] = row.get(column, 0) + 1
    matrix = np.zeros((len(counts), len(pairs)))
    for k, row in enumerate(counts.values()):
        matrix[k, list(row)] = list(row.values())
    return np.array(list(counts)), matrix


def union(several: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All pairs, those of a position with itself first, and the place of each in the union."""
    places: dict[tuple[int, int], int] = {}
    found = []
    for pairs in several:
        found.append([places.setdefault((i, j), len(places)) for i, j in pairs.tolist()])
    return np.array(list(places)), [np.array(x) for x in found]


def chosen(place: np.ndarray, products: np.ndarray) -> tuple[Any, ...]:
    """The index of some pairs in an array over pairs, of an image or else."""
    return np.ix_(place, place) if products.shape[1] > 1 else (place, slice(None))


def both(counts: np.ndarray, axes: int) -> np.ndarray:
    """Products of what pairs of the first axis count and what those of the second do."""
    return np.outer(counts, counts) if axes == 2 else counts[:, None]
