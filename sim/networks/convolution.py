"""The convolution of one padded image with one set of kernels, and its derivatives.

On a processor the library's convolution runs near the peak of its matrix products where the image
is large. Its derivative with respect to the input of a strided convolution does not. So that
derivative is written here:

- stride 1: the convolution of the cotangent with the reversed kernels;
- otherwise, and for small images: one matrix product gives what every output passes to every tap.
  Taps that read positions of the same residue modulo the stride (the same phase) are shifted and
  added, then the phases are interleaved. Nothing is scattered.

Everything is for one seed. Mapped over kernels by `jax.vmap`, it stays right, but the library's
convolution becomes a grouped one, which is several times slower: map seeds with `jax.lax.map`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FEW_CHANNELS = 8
"""With fewer input channels a matrix product of patches is faster than the library (measured)."""

SMALL_SIDE = 16
"""With fewer outputs along an axis the derivative by phases is faster (measured)."""


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(
    x: Float[Array, "s s c"], weights: Float[Array, "kkc m"], stride: int, dilation: int
) -> Float[Array, "r r m"]:
    """The convolution of an image that is padded already.

    r = (s − dilation (k − 1) − 1) // stride + 1. The rows of `weights` run over (column tap, row
    tap, input channel), its columns over the output channels.
    """
    if x.shape[2] < FEW_CHANNELS:
        return _by_patches(x, weights, stride, dilation)
    return _by_library(x, _kernels(weights, x.shape[2]), stride, dilation)


def _forward(
    x: Float[Array, "s s c"], weights: Float[Array, "kkc m"], stride: int, dilation: int
) -> tuple[Array, tuple[Array, Array]]:
    return convolve(x, weights, stride, dilation), (x, weights)


def _backward(
    stride: int, dilation: int, saved: tuple[Array, Array], g: Float[Array, "r r m"]
) -> tuple[Array, Array]:
    x, weights = saved
    patches = _patches(x, _taps(weights, x.shape[2]), stride, dilation)
    of_weights = patches.T @ g.reshape(-1, g.shape[2])
    if stride > 1 or x.shape[2] < FEW_CHANNELS or g.shape[0] < SMALL_SIDE:
        of_x = _by_phases(g, weights, x.shape, stride, dilation)
    else:
        taps = _taps(weights, x.shape[2])
        reach = dilation * (taps - 1)
        padded = jnp.pad(g, ((reach, reach), (reach, reach), (0, 0)))
        by_tap = weights.reshape(taps**2, x.shape[2], -1)[::-1].swapaxes(1, 2)
        # by this same function, so that its own derivative is not left to the library either
        reversed_kernels = by_tap.reshape(-1, x.shape[2])
        of_x = jnp.asarray(convolve(padded, reversed_kernels, 1, dilation))
    return of_x, of_weights


convolve.defvjp(_forward, _backward)


def _taps(weights: Float[Array, "kkc m"], channels: int) -> int:
    """The side k of a kernel, from the number of its rows."""
    return round((weights.shape[0] / channels) ** 0.5)


def _kernels(weights: Float[Array, "kkc m"], channels: int) -> Float[Array, "k k c m"]:
    """The weights in the library's order: row tap, column tap, input channel, output channel."""
    taps = _taps(weights, channels)
    return weights.reshape(taps, taps, channels, -1).swapaxes(0, 1)


def _by_library(
    x: Float[Array, "s s c"], kernels: Float[Array, "k k c m"], stride: int, dilation: int
) -> Float[Array, "r r m"]:
    return jax.lax.conv_general_dilated(
        x[None],
        kernels,
        (stride, stride),
        "VALID",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]


def _outputs(side: int, taps: int, stride: int, dilation: int) -> int:
    return (side - dilation * (taps - 1) - 1) // stride + 1


def _patches(
    x: Float[Array, "s s c"], taps: int, stride: int, dilation: int
) -> Float[Array, "rr kkc"]:
    """What every output reads: one row each, in the order of the rows of the weights."""
    last = stride * (_outputs(len(x), taps, stride, dilation) - 1) + 1
    starts = [dilation * tap for tap in range(taps)]
    rows = jnp.concatenate([x[i : i + last : stride] for i in starts], axis=-1)
    columns = jnp.concatenate([rows[:, j : j + last : stride] for j in starts], axis=-1)
    return columns.reshape(-1, columns.shape[2])


def _by_patches(
    x: Float[Array, "s s c"], weights: Float[Array, "kkc m"], stride: int, dilation: int
) -> Float[Array, "r r m"]:
    taps = _taps(weights, x.shape[2])
    side = _outputs(len(x), taps, stride, dilation)
    return (_patches(x, taps, stride, dilation) @ weights).reshape(side, side, -1)


def _by_phases(
    g: Float[Array, "r r m"],
    weights: Float[Array, "kkc m"],
    shape: tuple[int, ...],
    stride: int,
    dilation: int,
) -> Float[Array, "s s c"]:
    """The derivative with respect to an input of that shape, one phase of the stride at a time."""
    side, channels = shape[0], shape[2]
    taps = _taps(weights, channels)
    passed = g.reshape(-1, g.shape[2]) @ weights.T
    passed = passed.reshape(*g.shape[:2], taps, taps, channels)
    columns = _interleave(passed.swapaxes(0, 1), side, stride, dilation)
    return _interleave(columns.swapaxes(0, 1), side, stride, dilation)


def _interleave(
    passed: Float[Array, "r n k ..."], side: int, stride: int, dilation: int
) -> Float[Array, "s n ..."]:
    """Adds what output o (axis 0) passes to tap t (axis 2), at stride · o + dilation · t."""
    outputs, taps = passed.shape[0], passed.shape[2]
    length = -(-side // stride)
    phases = [jnp.zeros((length, passed.shape[1], *passed.shape[3:]), passed.dtype)] * stride
    for tap in range(taps):
        shift, phase = divmod(dilation * tap, stride)
        ends = ((shift, length - outputs - shift), *((0, 0),) * (passed.ndim - 2))
        phases[phase] = phases[phase] + jnp.pad(passed[:, :, tap], ends)
    together = jnp.stack(phases, axis=1)
    return together.reshape(length * stride, *together.shape[2:])[:side]
