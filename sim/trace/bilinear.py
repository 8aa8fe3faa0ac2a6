"""Products, contractions and convolutions in NumPy, with their transposes; sums over windows.

Arrays have one more axis than in the jaxpr, the first, as in `sim.trace.arrays`. Where all entries
of the second factor are the same, which second moments of weights mostly are, a contraction is a
sum; an array says so by strides of 0 (`numpy.broadcast_to`).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Bilinear:
    """y = f(a, b), linear in both."""

    forward: Callable[[np.ndarray, np.ndarray], np.ndarray]
    to_left: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """(y, b) to a: the transpose of f(·, b)."""
    to_right: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """(y, a) to b: the transpose of f(a, ·)."""


def bilinear(equation: Any, left: Shape, right: Shape) -> Bilinear:
    """The map of an equation mul, dot_general or conv_general_dilated; shapes as in the jaxpr."""
    name = equation.primitive.name
    if name == "mul":
        return multiplication(left, right)
    if name == "dot_general":
        return contraction(equation.params["dimension_numbers"], left, right)
    return convolution(equation.params, left, right)


def uniform(x: np.ndarray) -> Any:
    """The one value of an array with strides of 0, else None."""
    return x.flat[0] if x.size and not any(x.strides) else None


def multiplication(left: Shape, right: Shape) -> Bilinear:
    """Entry by entry; one factor may be a scalar, or have sides of length 1."""

    def aligned(x: np.ndarray) -> np.ndarray:
        rank = max(len(left), len(right))
        return x.reshape(x.shape[:1] + (1,) * (rank - x.ndim + 1) + x.shape[1:])

    return Bilinear(
        lambda a, b: aligned(a) * aligned(b),
        lambda y, b: summed_to(y * aligned(b), left),
        lambda y, a: summed_to(y * aligned(a), right),
    )


def summed_to(x: np.ndarray, shape: Shape) -> np.ndarray:
    """The transpose of broadcasting from `shape`."""
    if x.shape[1:] == shape:
        return x
    rank = x.ndim - 1
    long = (1,) * (rank - len(shape)) + shape
    axes = tuple(i + 1 for i in range(rank) if long[i] == 1 and x.shape[i + 1] != 1)
    return np.sum(x, axis=axes, keepdims=True).reshape(len(x), *shape)


def contraction(numbers: Any, left: Shape, right: Shape) -> Bilinear:
    """A product of two stacks of matrices, a (…, m, k) and b (…, k, n), after reordering axes."""
    (left_sum, right_sum), (left_batch, right_batch) = numbers

    def orders(
        shape: Shape, batch: Sequence[int], summed: Sequence[int]
    ) -> tuple[list[int], Shape]:
        free = [axis for axis in range(len(shape)) if axis not in (*batch, *summed)]
        return free, tuple(shape[axis] for axis in free)

    left_free, m = orders(left, left_batch, left_sum)
    right_free, n = orders(right, right_batch, right_sum)
    batch = tuple(left[axis] for axis in left_batch)
    k = tuple(left[axis] for axis in left_sum)
    left_order = [*left_batch, *left_free, *left_sum]
    right_order = [*right_batch, *right_sum, *right_free]
    sides = [math.prod(x) for x in (m, k, n)]

    def matrices(x: np.ndarray, order: list[int], *sides: int) -> np.ndarray:
        return x.transpose(0, *(axis + 1 for axis in order)).reshape(len(x), *batch, *sides)

    def back(x: np.ndarray, order: list[int], *shape: int) -> np.ndarray:
        x = x.reshape(len(x), *batch, *shape)
        return x.transpose(0, *(int(axis) + 1 for axis in np.argsort(order)))

    def a_matrices(a: np.ndarray) -> np.ndarray:
        return matrices(a, left_order, sides[0], sides[1])

    def b_matrices(b: np.ndarray) -> np.ndarray:
        return matrices(b, right_order, sides[1], sides[2])

    def forward(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        value, other = uniform(b), uniform(a)
        shape = (*batch, *sides[::2])
        if value is not None:
            y = value * np.sum(a_matrices(a), axis=-1, keepdims=True)
        elif other is not None:
            y = other * np.sum(b_matrices(b), axis=-2, keepdims=True)
        else:
            y = np.matmul(a_matrices(a), b_matrices(b))
        return np.broadcast_to(y, (len(y), *shape)).reshape(len(y), *batch, *m, *n)

    def to_left(y: np.ndarray, b: np.ndarray) -> np.ndarray:
        y = y.reshape(len(y), *batch, *sides[::2])
        value = uniform(b)
        if value is not None:
            found = value * np.sum(y, axis=-1, keepdims=True)
            found = np.broadcast_to(found, (len(y), *batch, *sides[:2]))
        else:
            found = np.matmul(y, np.swapaxes(b_matrices(b), -1, -2))
        return back(found, left_order, *m, *k)

    def to_right(y: np.ndarray, a: np.ndarray) -> np.ndarray:
        y = y.reshape(len(y), *batch, *sides[::2])
        value = uniform(a)
        if value is not None:
            found = value * np.sum(y, axis=-2, keepdims=True)
            found = np.broadcast_to(found, (len(y), *batch, *sides[1:]))
        else:
            found = np.matmul(np.swapaxes(a_matrices(a), -1, -2), y)
        return back(found, right_order, *k, *n)

    return Bilinear(forward, to_left, to_right)


def padding(
    shape: Shape, config: Sequence[Sequence[int]]
) -> tuple[Shape, tuple[slice, ...], tuple[slice, ...]]:
    """Of an array padded by (low, high, interior) along each axis; low and high may be negative.

    The shape that results, which entries go there, and where they are then.
    """
    sides, inside, outside = [], [], []
    for n, ends in zip(shape, config, strict=True):
        low, high, interior = map(int, ends)
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

    def _padded(self) -> tuple[Shape, tuple[slice, ...], tuple[slice, ...]]:
        config = [(*ends, d - 1) for ends, d in zip(self.padding, self.base_dilation, strict=True)]
        return padding(self.shape, config)

    @property
    def outputs(self) -> Shape:
        """How many windows there are along each axis."""
        sides, _, _ = self._padded()
        return tuple(
            max(0, (n - (w - 1) * d - 1) // s + 1)
            for n, w, d, s in zip(
                sides, self.window, self.window_dilation, self.strides, strict=True
            )
        )

    def taps(self) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
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
        """The array (…, *shape, rest) padded with zeros, `shape` being its axes behind the first."""
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
        padded = np.zeros((len(y), *self._padded()[0], *y.shape[1 + len(self.shape) :]), y.dtype)
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


def convolution(parameters: Parameters, left: Shape, right: Shape) -> Bilinear:
    """conv_general_dilated: for each tap of the kernel, a contraction over channels."""
    numbers = parameters["dimension_numbers"]
    (image, image_channel, *image_axes) = numbers.lhs_spec
    (kernel_out, kernel_in, *kernel_axes) = numbers.rhs_spec
    if parameters["batch_group_count"] != 1:
        raise NotImplementedError("convolutions in groups of images")
    groups = parameters["feature_group_count"]
    places = Windows(
        tuple(left[axis] for axis in image_axes),
        tuple(right[axis] for axis in kernel_axes),
        tuple(parameters["window_strides"]),
        tuple(parameters["padding"]),
        tuple(parameters["lhs_dilation"]),
        tuple(parameters["rhs_dilation"]),
    )
    images, channels, features = left[image], left[image_channel], right[kernel_out]
    left_order = [*image_axes, image, image_channel]
    right_order = [*kernel_axes, kernel_in, kernel_out]
    out_order = [*numbers.out_spec[2:], numbers.out_spec[0], numbers.out_spec[1]]

    def ordered(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
        return x.transpose(0, *(axis + 1 for axis in order))

    def back(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
        return x.transpose(0, *(int(axis) + 1 for axis in np.argsort(order)))

    def grouped(x: np.ndarray, order: Sequence[int]) -> np.ndarray:
        """An image by (pass, *places, image, group, channel)."""
        x = ordered(x, order)
        return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)

    def kernel(w: np.ndarray) -> np.ndarray:
        """By (pass, *taps, group, channel in, channel out)."""
        w = ordered(w, right_order)
        w = w.reshape(*w.shape[:-1], groups, features // groups)
        return np.moveaxis(w, -2, -3)

    def tapped(w: np.ndarray, tap: Shape, rank: int) -> np.ndarray:
        part = w[:, *tap]
        return part.reshape(len(part), *[1] * (rank - part.ndim), *part.shape[1:])

    def mixed(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Channels of every group mixed, x (pass, *places, image, group, channel)."""
        if groups == 1:
            flat = x.reshape(len(x), -1, x.shape[-1])
            y = np.matmul(flat, matrix.reshape(len(matrix), *matrix.shape[-2:]))
            return y.reshape(len(y), *x.shape[1:-1], y.shape[-1])
        return np.einsum("...gi,...gio->...go", x, matrix)

    def flattened(y: np.ndarray) -> np.ndarray:
        return y.reshape(*y.shape[:-2], y.shape[-2] * y.shape[-1])

    def forward(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        value, x = uniform(w), grouped(x, left_order)
        if value is not None:
            y = value * places.sums(np.sum(x, axis=-1, keepdims=True))
            y = np.broadcast_to(y, (*y.shape[:-1], features // groups))
            return back(flattened(y), out_order)
        padded, kernels, total = places.spread(x), kernel(w), 0
        for tap, where in places.taps():
            part = padded[:, *where]
            total = total + mixed(part, tapped(kernels, tap, part.ndim + 1))
        return back(flattened(np.asarray(total)), out_order)

    def to_left(y: np.ndarray, w: np.ndarray) -> np.ndarray:
        value, y = uniform(w), grouped(y, out_order)
        if value is not None:
            x = value * places.sums_transposed(np.sum(y, axis=-1, keepdims=True))
            x = np.broadcast_to(x, (*x.shape[:-1], channels // groups))
            return back(flattened(x), left_order)
        kernels = np.swapaxes(kernel(w), -1, -2)
        sides, _, _ = places._padded()
        padded = np.zeros((len(y), *sides, images, groups, channels // groups), y.dtype)
        for tap, where in places.taps():
            padded[:, *where] += mixed(y, tapped(kernels, tap, y.ndim + 1))
        return back(flattened(places.gathered(padded)), left_order)

    def to_right(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        padded, y = places.spread(grouped(x, left_order)), grouped(y, out_order)
        found = np.zeros((len(y), *places.window, groups, channels // groups, features // groups))
        for tap, where in places.taps():
            axes = "abcdef"[: len(places.window) + 1]
            found[:, *tap] = np.einsum(f"n{axes}gi,n{axes}go->ngio", padded[:, *where], y)
        w = np.moveaxis(found, -3, -2)
        return back(w.reshape(*w.shape[:-2], features), right_order)

    return Bilinear(forward, to_left, to_right)
