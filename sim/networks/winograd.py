"""3×3 convolutions of stride 1 with fewer products, for processors.

Winograd's algorithm F(4×4, 3×3) in the form of Lavin & Gray (CVPR 2016, arXiv 1509.09308): each
tile of 4×4 outputs reads 6×6 inputs; both the tile and the kernel are transformed along both axes
by the small matrices below, so that 36 products for each pair of channels take the place of 144.
Its rounding in float32 stays below 1e-4 of the outputs' root mean square.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

OF_INPUTS = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
OF_KERNELS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
TO_OUTPUTS = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)

LEAST_SIDE = 32
LEAST_CHANNELS = 32
"""With fewer outputs along an axis, or fewer channels, the direct sum is faster (measured)."""


def pays(taps: int, stride: int, dilation: int, side: int, *channels: int) -> bool:
    """Whether it can be used and is faster, for `side` outputs along an axis and these channels."""
    fits = taps == 3 and stride == 1 and dilation == 1
    return fits and side >= LEAST_SIDE and min(channels) >= LEAST_CHANNELS


def convolve(x: Float[Array, "s s c"], kernels: Float[Array, "3 3 c m"]) -> Float[Array, "r r m"]:
    """The convolution of an image that is padded already, r = s − 2.

    `kernels` by (row tap, column tap, input channel, output channel).
    """
    wanted, channels = len(x) - 2, kernels.shape[3]
    missing = -wanted % 4
    x, side = jnp.pad(x, ((0, missing), (0, missing), (0, 0))), wanted + missing
    by_rows = jnp.stack(_combined(OF_KERNELS, kernels))
    factors = jnp.stack(_combined(OF_KERNELS, by_rows.swapaxes(0, 1)), axis=1)

    def row_of_tiles(first: Array) -> Float[Array, "4 r m"]:
        six = jax.lax.dynamic_slice_in_dim(x, first, 6)
        rows = jnp.stack(_combined(OF_INPUTS, six))
        every_fourth = [rows[:, i : i + side - 3 : 4] for i in range(6)]
        tiles = jnp.stack(_combined(OF_INPUTS, every_fourth), axis=1)
        products = jnp.einsum("abtc,abcm->abtm", tiles, factors)
        rows = jnp.stack(_combined(TO_OUTPUTS, products))
        columns = _combined(TO_OUTPUTS, rows.swapaxes(0, 1))
        return jnp.stack(columns, axis=2).reshape(4, side, channels)

    rows = jax.lax.map(row_of_tiles, jnp.arange(0, side, 4))
    return rows.reshape(side, side, channels)[:wanted, :wanted]


def _combined(
    matrix: Sequence[Sequence[int | float]], parts: Sequence[Array] | Array
) -> list[Array]:
    """Each row's linear combination of the parts, without those that it multiplies by zero."""
    found = []
    for row in matrix:
        terms = [x if w == 1 else w * x for w, x in zip(row, parts, strict=True) if w != 0]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        found.append(total)
    return found
