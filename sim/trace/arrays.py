"""Primitives of JAX evaluated by NumPy: nothing is compiled, which a trace would spend its time on.

Every array has one more axis than in the jaxpr, the first: several forward passes, or one. Values
may be `Dual`, with derivatives along one direction. A primitive without an implementation here is
evaluated by JAX, one pass after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import ThreadpoolController

from sim.trace import elementwise
from sim.trace.bilinear import Bilinear, bilinear
from sim.trace.walk import array, bind
from sim.trace.windows import padding, window_sum

Parameters = dict[str, Any]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Dual:
    """A value and its derivative along a direction."""

    value: np.ndarray
    tangent: np.ndarray


Value = np.ndarray | Dual


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrix products on one core: they are small, and sampling has the others meanwhile."""
    with _threads().limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def evaluate(equation: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs of an equation; values are arrays (passes, *shape) or `Dual`s of such arrays."""
    name, parameters = equation.primitive.name, equation.params
    if any(isinstance(value, Dual) for value in values):
        return _differentiated(equation, values)
    if name in elementwise.FUNCTIONS:
        return [elementwise.FUNCTIONS[name](parameters)(*aligned(values))]
    if name == "split":
        cuts = np.cumsum(parameters["sizes"])[:-1]
        return list(np.split(values[0], cuts, axis=parameters["axis"] + 1))
    try:
        if name in PRODUCTS:
            return [bilinear(equation, *(x.shape[1:] for x in values)).forward(*values)]
        return [STRUCTURAL[name](parameters, *values)]
    except (KeyError, NotImplementedError):
        return _by_jax(equation, values)


def is_implemented(name: str) -> bool:
    """Whether NumPy evaluates a primitive, and not JAX."""
    return name == "split" or any(name in x for x in (elementwise.FUNCTIONS, STRUCTURAL, PRODUCTS))


def times(product: Bilinear, a: Any, b: Any) -> Any:
    """A product of arrays or of `Dual`s."""
    if isinstance(a, Dual):
        other = b.value if isinstance(b, Dual) else b
        value, tangent = (product.forward(x, other) for x in (a.value, a.tangent))
        more = product.forward(a.value, b.tangent) if isinstance(b, Dual) else 0
        return Dual(value, tangent + more)
    if isinstance(b, Dual):
        return Dual(product.forward(a, b.value), product.forward(a, b.tangent))
    return product.forward(a, b)


def inverse_of(z: Any) -> Any:
    """1/z of an array or of a `Dual`, in silence where z is 0."""
    with np.errstate(all="ignore"):
        if isinstance(z, Dual):
            return Dual(1 / z.value, -z.tangent / np.square(z.value))
        return 1 / z


def aligned(values: Sequence[Any]) -> list[np.ndarray]:
    """Scalars among arrays get axes of length 1 behind the first."""
    arrays = [np.asarray(x) for x in values]
    rank = max(x.ndim for x in arrays)
    return [x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) for x in arrays]


def _by_jax(equation: Any, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    passes = max((len(x) for x in values), default=1)
    columns = []
    for i in range(passes):
        given = [jnp.asarray(x[i if len(x) > 1 else 0]) for x in values]
        columns.append([array(output) for output in bind(equation, *given)])
    return [np.stack(outputs) for outputs in zip(*columns, strict=True)]


def _differentiated(equation: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs with their derivatives, which are dropped where they are none."""
    name, parameters = equation.primitive.name, equation.params
    plain = [x.value if isinstance(x, Dual) else np.asarray(x) for x in values]
    tangents = [x.tangent if isinstance(x, Dual) else None for x in values]
    if name in PRODUCTS:
        return [times(bilinear(equation, *(x.shape[1:] for x in plain)), *values)]
    outputs = evaluate(equation, plain)
    if name in FLAT or not np.issubdtype(outputs[0].dtype, np.floating):
        return outputs
    if name in elementwise.SLOPES:
        slopes = elementwise.SLOPES[name](parameters)(*aligned(plain), outputs[0])
        terms = [
            _scaled(s, t)
            for s, t in zip(slopes, _aligned_tangents(plain, tangents), strict=True)
            if t is not None
        ]
        tangent = terms[0] if len(terms) == 1 else sum(terms)
        return [Dual(outputs[0], np.broadcast_to(tangent, outputs[0].shape))]
    if name in LINEAR:
        given = [
            x if t is None and j >= LINEAR[name] else np.zeros_like(x) if t is None else t
            for j, (x, t) in enumerate(zip(plain, tangents, strict=True))
        ]
        return [Dual(*pair) for pair in zip(outputs, evaluate(equation, given), strict=True)]
    if name in ("reduce_max", "reduce_min"):
        axes = tuple(axis + 1 for axis in parameters["axes"])
        chosen = plain[0] == np.expand_dims(outputs[0], axes)
        weight = np.sum(chosen, axis=axes)
        return [Dual(outputs[0], np.sum(tangents[0] * chosen, axis=axes) / weight)]
    return _by_jvp(equation, plain, tangents)


def _scaled(slope: Any, tangent: np.ndarray) -> np.ndarray:
    return tangent if isinstance(slope, int) and slope == 1 else slope * tangent


def _aligned_tangents(plain: list[np.ndarray], tangents: list[Any]) -> list[Any]:
    rank = max(x.ndim for x in plain)
    return [
        None if t is None else t.reshape(t.shape[:1] + (1,) * (rank - t.ndim) + t.shape[1:])
        for t in tangents
    ]


def _by_jvp(equation: Any, plain: list[np.ndarray], tangents: list[Any]) -> list[Any]:
    passes, columns = max(len(x) for x in plain), []
    moved = [i for i, t in enumerate(tangents) if t is not None]
    for k in range(passes):
        row = [jnp.asarray(x[k if len(x) > 1 else 0]) for x in plain]

        def function(*given: Any, row: list[Any] = row) -> list[Any]:
            every = dict(enumerate(row)) | dict(zip(moved, given, strict=True))
            return bind(equation, *every.values())

        along = [jnp.asarray(tangents[i][k if len(tangents[i]) > 1 else 0]) for i in moved]
        columns.append(jax.jvp(function, [row[i] for i in moved], along))
    values = [np.stack(x) for x in zip(*(c[0] for c in columns), strict=True)]
    slopes = [np.stack(x) for x in zip(*(c[1] for c in columns), strict=True)]
    return [Dual(v, t) for v, t in zip(values, slopes, strict=True)]


# Arrays moved, and sums over axes. The first axis is not the jaxpr's.


def _reshape(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    if parameters.get("dimensions") is not None:
        x = x.transpose(0, *(axis + 1 for axis in parameters["dimensions"]))
    return x.reshape(len(x), *parameters["new_sizes"])


def _broadcast(parameters: Parameters, x: np.ndarray, *rest: Any) -> np.ndarray:
    shape = [1] * len(parameters["shape"])
    for axis, length in zip(parameters["broadcast_dimensions"], x.shape[1:], strict=True):
        shape[axis] = length
    return np.broadcast_to(x.reshape(len(x), *shape), (len(x), *parameters["shape"]))


def _slice(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    starts, limits = parameters["start_indices"], parameters["limit_indices"]
    strides = parameters["strides"] or (1,) * len(starts)
    return x[:, *(slice(*ends) for ends in zip(starts, limits, strides, strict=True))]


def _concatenate(parameters: Parameters, *parts: np.ndarray) -> np.ndarray:
    passes = max(len(x) for x in parts)
    parts = tuple(np.broadcast_to(x, (passes, *x.shape[1:])) for x in parts)
    return np.concatenate(parts, axis=parameters["dimension"] + 1)


def _pad(parameters: Parameters, x: np.ndarray, value: np.ndarray) -> np.ndarray:
    config = [(0, 0, 0), *(tuple(map(int, ends)) for ends in parameters["padding_config"])]
    shape, inside, outside = padding(x.shape, config)
    passes = max(len(x), len(value))
    dtype = np.result_type(x, value)
    padded = np.empty((passes, *shape[1:]), dtype)
    padded[...] = value.reshape(-1, *[1] * (x.ndim - 1))
    padded[outside] = x[inside]
    return padded


def _gather(parameters: Parameters, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    numbers, sizes = parameters["dimension_numbers"], parameters["slice_sizes"]
    (indices,) = indices  # the same in all passes
    rank = x.ndim - 1
    if getattr(numbers, "operand_batching_dims", ()):
        raise NotImplementedError
    kept = [axis for axis in range(rank) if axis not in numbers.collapsed_slice_dims]
    batch = indices.shape[:-1]
    shape = tuple(sizes[axis] for axis in kept)
    found = np.empty((len(x), *batch, *shape), x.dtype)
    for place in np.ndindex(batch):
        start = [0] * rank
        for axis, index in zip(numbers.start_index_map, indices[place], strict=True):
            start[axis] = int(np.clip(index, 0, x.shape[axis + 1] - sizes[axis]))
        cut = tuple(slice(a, a + n) for a, n in zip(start, sizes, strict=True))
        found[:, *place] = x[:, *cut].reshape(len(x), *shape)
    total = len(batch) + len(kept)
    order = [axis for axis in range(total) if axis not in numbers.offset_dims]
    where = [*order, *numbers.offset_dims]
    return np.moveaxis(found, range(1, total + 1), [axis + 1 for axis in where])


def _starts(
    x: np.ndarray, sizes: Sequence[int], indices: Sequence[np.ndarray]
) -> tuple[slice, ...]:
    found = []
    for length, size, index in zip(x.shape[1:], sizes, indices, strict=True):
        start = int(np.clip(int(np.ravel(index)[0]), 0, length - size))
        found.append(slice(start, start + size))
    return tuple(found)


def _dynamic_slice(parameters: Parameters, x: np.ndarray, *indices: np.ndarray) -> np.ndarray:
    return x[:, *_starts(x, parameters["slice_sizes"], indices)]


def _dynamic_update_slice(
    parameters: Parameters, x: np.ndarray, update: np.ndarray, *indices: np.ndarray
) -> np.ndarray:
    passes = max(len(x), len(update))
    result = np.broadcast_to(x, (passes, *x.shape[1:])).astype(np.result_type(x, update))
    result[:, *_starts(x, update.shape[1:], indices)] = update
    return result


def _behind(axes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(axis) + 1 for axis in axes)


def _cumulated(parameters: Parameters, x: np.ndarray) -> np.ndarray:
    axis = parameters["axis"] + 1
    if parameters["reverse"]:
        return np.flip(np.cumsum(np.flip(x, axis), axis), axis)
    return np.cumsum(x, axis)


def _iota(parameters: Parameters) -> np.ndarray:
    shape, axis = parameters["shape"], parameters["dimension"]
    along = np.arange(shape[axis], dtype=parameters["dtype"])
    sides = [shape[axis] if i == axis else 1 for i in range(len(shape))]
    return np.broadcast_to(along.reshape(sides), shape)[None]


STRUCTURAL: dict[str, Function] = {
    "reshape": _reshape,
    "broadcast_in_dim": _broadcast,
    "transpose": lambda p, x: x.transpose(0, *_behind(p["permutation"])),
    "squeeze": lambda p, x: np.squeeze(x, _behind(p["dimensions"])),
    "expand_dims": lambda p, x: np.expand_dims(x, _behind(p["dimensions"])),
    "slice": _slice,
    "rev": lambda p, x: np.flip(x, _behind(p["dimensions"])),
    "concatenate": _concatenate,
    "pad": _pad,
    "gather": _gather,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "iota": _iota,
    "reduce_sum": lambda p, x: np.sum(x, axis=_behind(p["axes"])),
    "reduce_max": lambda p, x: np.max(x, axis=_behind(p["axes"])),
    "reduce_min": lambda p, x: np.min(x, axis=_behind(p["axes"])),
    "reduce_and": lambda p, x: np.all(x, axis=_behind(p["axes"])),
    "reduce_or": lambda p, x: np.any(x, axis=_behind(p["axes"])),
    "argmax": lambda p, x: np.argmax(x, axis=p["axes"][0] + 1).astype(p["index_dtype"]),
    "argmin": lambda p, x: np.argmin(x, axis=p["axes"][0] + 1).astype(p["index_dtype"]),
    "cumsum": _cumulated,
    "reduce_window_sum": window_sum,
}

LINEAR = {
    **dict.fromkeys(("reshape", "broadcast_in_dim", "transpose", "squeeze", "expand_dims"), 1),
    **dict.fromkeys(("slice", "rev", "gather", "dynamic_slice", "split"), 1),
    **dict.fromkeys(("reduce_sum", "cumsum", "reduce_window_sum"), 1),
    **dict.fromkeys(("pad", "dynamic_update_slice"), 2),
    "concatenate": 10**6,
}
"""How many of the first operands a primitive is linear in; the others are indices."""

PRODUCTS = ("mul", "dot_general", "conv_general_dilated")

FLAT = {"stop_gradient", "sign", "floor", "ceil", "round", "argmax", "argmin", "iota"}
