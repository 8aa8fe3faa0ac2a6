"""Windows that slide over arrays, padded and dilated as JAX has it, and sums over them.

Arrays have one more axis than in the jaxpr, the first, as in `sim.trace.arrays`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Parameters = dict[str, Any]
Slices = tuple[Any, ...]


def padding(shape: Shape, config: Sequence[Sequence[int]]) -> tuple[Shape, Slices, Slices]:
    """Of an array padded by (low, high, interior) along each axis; low and high may be negative.

    The shape that results, which entries go there, and where they are then.
    """
    sides, inside, outside = [], [], []
    for n, (low, high, interior) in zip(shape, config, strict=True):
        step = interior + 1
        side = max(0, low + high + (n - 1) * step + 1 if n else low + high)
        first = max(0, -(low // step)) if low < 0 else 0
        last = min(n, (side - 1 - low) // step + 1) if side else 0
        last = max(first, last)
        start = low + first * step
        sides.append(side)
        inside.append(slice(first, last))
        outside.append(
            slice(start, start + (last - first - 1) * step + 1 if last > first else start, step)
        )
    return tuple(sides), tuple(inside), tuple(outside)


@dataclass(frozen=True)
class Windows:
    """Windows over some axes of an array; those that are not listed stay as they are."""

    shape: Shape
    """Of the array."""
    window: Shape
    strides: Shape
    padding: Sequence[Sequence[int]]
    base_dilation: Shape
    window_dilation: Shape

    def _padded(self) -> tuple[Shape, Slices, Slices]:
        config = [(*ends, d - 1) for ends, d in zip(self.padding, self.base_dilation, strict=True)]
        return padding(self.shape, config)

    @property
    def padded(self) -> Shape:
        """The shape of the array when it is padded."""
        return self._padded()[0]

    @property
    def outputs(self) -> Shape:
        """How many windows there are along each axis."""
        return tuple(
            max(0, (n - (w - 1) * d - 1) // s + 1)
            for n, w, d, s in zip(
                self.padded, self.window, self.window_dilation, self.strides, strict=True
            )
        )

    def taps(self) -> Iterator[tuple[Shape, Slices]]:
        """Every place in a window, and the entries of the padded array that windows have there."""
        outputs = self.outputs
        for tap in np.ndindex(*self.window):
            yield (
                tap,
                tuple(
                    slice(t * d, t * d + s * (o - 1) + 1, s)
                    for t, d, s, o in zip(
                        tap, self.window_dilation, self.strides, outputs, strict=True
                    )
                ),
            )

    def spread(self, x: np.ndarray) -> np.ndarray:
        """The array (pass, *shape, …) padded with zeros."""
        sides, inside, outside = self._padded()
        if sides == self.shape:
            return x
        padded = np.zeros((len(x), *sides, *x.shape[1 + len(sides) :]), x.dtype)
        padded[:, *outside] = x[:, *inside]
        return padded

    def gathered(self, padded: np.ndarray) -> np.ndarray:
        """The transpose of `spread`."""
        sides, inside, outside = self._padded()
        if sides == self.shape:
            return padded
        x = np.zeros((len(padded), *self.shape, *padded.shape[1 + len(sides) :]), padded.dtype)
        x[:, *inside] = padded[:, *outside]
        return x

    def sums(self, x: np.ndarray) -> np.ndarray:
        """The sum over every window."""
        padded, total = self.spread(x), 0
        for _, where in self.taps():
            total = total + padded[:, *where]
        return np.asarray(total)

    def sums_transposed(self, y: np.ndarray) -> np.ndarray:
        """Every entry gets what its windows have."""
        padded = np.zeros((len(y), *self.padded, *y.shape[1 + len(self.shape) :]), y.dtype)
        for _, where in self.taps():
            padded[:, *where] += y
        return self.gathered(padded)


def windows(parameters: Parameters, shape: Shape) -> Windows:
    """Those of an equation reduce_window_sum or reduce_window_max."""
    ones = (1,) * len(shape)
    return Windows(
        shape,
        tuple(parameters["window_dimensions"]),
        tuple(parameters["window_strides"]),
        tuple(parameters["padding"]),
        tuple(parameters["base_dilation"] or ones),
        tuple(parameters["window_dilation"] or ones),
    )


def window_sum(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """reduce_window_sum."""
    return windows(parameters, x.shape[1:]).sums(x)
