"""Convolutions as a user's model writes them, in the form that XLA computes fast on a processor.

XLA brings a convolution into the form of its fast routines, channels last, only where it is not
inside of a loop: in a loop over seeds, PyTorch's channels-first ones are computed a hundred times
slower (seen with jaxlib 0.10). So they are brought into that form here. Of depthwise convolutions
it has no fast routine: where kernels are small, shifted images are scaled and added.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

TAPS = 64
"""Taps of the largest depthwise kernels that are computed by shifts, which a program lists."""


def applies(equation: Any) -> bool:
    """Whether it is a convolution, and not in XLA's form already."""
    if equation.primitive.name != "conv_general_dilated" or jax.default_backend() != "cpu":
        return False
    if not jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating):
        return False
    params = equation.params
    return _by_shifts(equation) or (
        params["batch_group_count"] == 1 and params["dimension_numbers"] != _last(equation)
    )


def results(equation: Any, operands: Sequence[Any]) -> list[Any]:
    """That of a convolution."""
    of = _depthwise if _by_shifts(equation) else _channels_last
    return [of(equation, *operands)]


def _by_shifts(equation: Any) -> bool:
    """Whether every kernel reads one channel, and has few taps."""
    params, kernels = equation.params, equation.invars[1].aval.shape
    _, channels, *space = params["dimension_numbers"].rhs_spec
    return (
        params["batch_group_count"] == 1
        and params["feature_group_count"] > 1
        and kernels[channels] == 1
        and math.prod(kernels[axis] for axis in space) <= TAPS
    )


def _last(equation: Any) -> lax.ConvDimensionNumbers:
    """Channels last, and kernels (taps, input channel, output channel)."""
    rank = len(equation.outvars[0].aval.shape)
    images = (0, rank - 1, *range(1, rank - 1))
    return lax.ConvDimensionNumbers(images, (rank - 1, rank - 2, *range(rank - 2)), images)


def _channels_last(equation: Any, x: Any, kernels: Any) -> Any:
    numbers, last = equation.params["dimension_numbers"], _last(equation)
    found = equation.primitive.bind(
        _from_to(x, numbers.lhs_spec, last.lhs_spec),
        _from_to(kernels, numbers.rhs_spec, last.rhs_spec),
        **equation.params | {"dimension_numbers": last},
    )
    return _from_to(found, last.out_spec, numbers.out_spec)


def _depthwise(equation: Any, x: Any, kernels: Any) -> Any:
    """Channels first, where neighbours in memory are neighbours in the image."""
    params = equation.params
    numbers, dtype = params["dimension_numbers"], equation.outvars[0].aval.dtype
    first = tuple(range(x.ndim))
    x = _from_to(x, numbers.lhs_spec, first)
    kernels = _from_to(kernels, numbers.rhs_spec, first)
    x = jnp.repeat(x, kernels.shape[0] // x.shape[1], axis=1)
    space = zip(params["padding"], params["lhs_dilation"], strict=True)
    edges = [(0, 0, 0), (0, 0, 0), *((low, high, gap - 1) for (low, high), gap in space)]
    x = lax.pad(x, jnp.zeros((), x.dtype), edges)
    sides = equation.outvars[0].aval.shape
    lengths = [sides[axis] for axis in numbers.out_spec[2:]]
    found = jnp.zeros((*x.shape[:2], *lengths), dtype)
    for tap in np.ndindex(kernels.shape[2:]):
        reach = zip(tap, params["rhs_dilation"], params["window_strides"], lengths, strict=True)
        shifted = (slice(t * gap, t * gap + step * (n - 1) + 1, step) for t, gap, step, n in reach)
        weight = kernels[:, 0, *tap].reshape(-1, *[1] * len(lengths))
        found = found + x[:, :, *shifted].astype(dtype) * weight.astype(dtype)
    return _from_to(found, first, numbers.out_spec)


def _from_to(x: Any, spec: Sequence[int], wanted: Sequence[int]) -> Any:
    """An array whose axes have the meanings of `spec`, with those of `wanted`."""
    order = [0] * x.ndim
    for axis, place in zip(spec, wanted, strict=True):
        order[place] = axis
    return x.transpose(order)
