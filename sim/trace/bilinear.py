"""Products, contractions and convolutions in NumPy, with their transposes.

Arrays have one more axis than in the jaxpr, the first, as in `sim.trace.arrays`. Where all entries
of the second factor are the same, which second moments of weights mostly are, a contraction is a
sum; an array says so by strides of 0 (`numpy.broadcast_to`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.trace.windows import Parameters, Shape, Windows


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
    convolution = Convolution(equation.params, left, right)
    return Bilinear(convolution.forward, convolution.to_left, convolution.to_right)


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
        y = _product(a_matrices(a), b_matrices(b))
        return y.reshape(len(y), *batch, *m, *n)

    def to_left(y: np.ndarray, b: np.ndarray) -> np.ndarray:
        y = y.reshape(len(y), *batch, *sides[::2])
        return back(_product(y, np.swapaxes(b_matrices(b), -1, -2)), left_order, *m, *k)

    def to_right(y: np.ndarray, a: np.ndarray) -> np.ndarray:
        y = y.reshape(len(y), *batch, *sides[::2])
        return back(_product(np.swapaxes(a_matrices(a), -1, -2), y), right_order, *k, *n)

    return Bilinear(forward, to_left, to_right)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Stacks of matrices, a (…, m, k) times b (…, k, n): once along each axis with strides of 0."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    k, a, b = a.shape[-1], _once(a), _once(b)
    if a.shape[-1] < b.shape[-2]:
        b = np.sum(b, axis=-2, keepdims=True)
    elif a.shape[-1] > b.shape[-2]:
        a = np.sum(a, axis=-1, keepdims=True)
    elif a.shape[-1] < k:
        a = k * a
    return np.broadcast_to(np.matmul(a, b), shape)


def _once(x: np.ndarray) -> np.ndarray:
    """Sides of length 1 where the strides are 0."""
    return x[tuple(slice(None if stride else 1) for stride in x.strides)]


class Convolution:
    """conv_general_dilated: for each tap of the kernel, a contraction over channels.

    Images are ordered (pass, *places, image, group, channel), kernels (pass, *taps, group, channel
    in, channel out).
    """

    def __init__(self, parameters: Parameters, left: Shape, right: Shape) -> None:
        numbers = parameters["dimension_numbers"]
        image, image_channel, *image_axes = numbers.lhs_spec
        kernel_out, kernel_in, *kernel_axes = numbers.rhs_spec
        if parameters["batch_group_count"] != 1:
            raise NotImplementedError("convolutions in groups of images")
        self.groups = parameters["feature_group_count"]
        self.places = Windows(
            tuple(left[axis] for axis in image_axes),
            tuple(right[axis] for axis in kernel_axes),
            tuple(parameters["window_strides"]),
            tuple(parameters["padding"]),
            tuple(parameters["lhs_dilation"]),
            tuple(parameters["rhs_dilation"]),
        )
        self.channels = left[image_channel] // self.groups
        self.features = right[kernel_out] // self.groups
        self.images = left[image]
        self.left_order = [*image_axes, image, image_channel]
        self.right_order = [*kernel_axes, kernel_in, kernel_out]
        self.out_order = [*numbers.out_spec[2:], *numbers.out_spec[:2]]

    def _image(self, x: np.ndarray, order: Sequence[int]) -> np.ndarray:
        x = x.transpose(0, *(axis + 1 for axis in order))
        return x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)

    def _back(self, x: np.ndarray, order: Sequence[int]) -> np.ndarray:
        x = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
        return x.transpose(0, *(int(axis) + 1 for axis in np.argsort(order)))

    def _kernel(self, w: np.ndarray) -> np.ndarray:
        w = w.transpose(0, *(axis + 1 for axis in self.right_order))
        w = w.reshape(*w.shape[:-1], self.groups, self.features)
        return np.moveaxis(w, -2, -3)

    def _mixed(self, x: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """Channels of every group mixed, by matrices (pass, group, from, to)."""
        if self.groups == 1:
            y = np.matmul(x.reshape(len(x), -1, x.shape[-1]), matrices[:, 0])
            return y.reshape(len(y), *x.shape[1:-1], y.shape[-1])
        between = (1,) * (x.ndim - matrices.ndim + 1)
        matrices = matrices.reshape(len(matrices), *between, *matrices.shape[1:])
        return np.einsum("...gi,...gio->...go", x, matrices)

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        value, x = uniform(w), self._image(x, self.left_order)
        if value is not None:
            y = value * self.places.sums(np.sum(x, axis=-1, keepdims=True))
            y = np.broadcast_to(y, (*y.shape[:-1], self.features))
        else:
            padded, kernel, y = self.places.spread(x), self._kernel(w), np.zeros(())
            for tap, where in self.places.taps():
                y = y + self._mixed(padded[:, *where], kernel[:, *tap])
        return self._back(y, self.out_order)

    def to_left(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        value, y = uniform(w), self._image(y, self.out_order)
        if value is not None:
            x = value * self.places.sums_transposed(np.sum(y, axis=-1, keepdims=True))
            x = np.broadcast_to(x, (*x.shape[:-1], self.channels))
        else:
            kernel = np.swapaxes(self._kernel(w), -1, -2)
            passes = max(len(y), len(w))
            shape = (passes, *self.places.padded, self.images, self.groups, self.channels)
            padded = np.zeros(shape, y.dtype)
            for tap, where in self.places.taps():
                padded[:, *where] += self._mixed(y, kernel[:, *tap])
            x = self.places.gathered(padded)
        return self._back(x, self.left_order)

    def to_right(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        padded = self.places.spread(self._image(x, self.left_order))
        y = self._image(y, self.out_order)
        passes = max(len(y), len(x))
        window, axes = self.places.window, "abcdef"[: len(self.places.window) + 1]
        w = np.zeros((passes, *window, self.groups, self.channels, self.features), y.dtype)
        for tap, where in self.places.taps():
            w[:, *tap] = np.einsum(f"n{axes}gi,n{axes}go->ngio", padded[:, *where], y)
        w = np.moveaxis(w, -3, -2)
        return self._back(w, self.right_order)
