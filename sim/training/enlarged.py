"""Images made larger: by copying pixels, or with detail of a power-law spectrum in place of copies.

Copied pixels fill a subspace. Natural images do not: the power of their frequencies f falls about
like f^−2 (Field 1987), and more pixels show more of it. Here the detail is a Gaussian random field,
drawn anew for every image and every pass, so that images fill all of their dimensions.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sim.training.subspace import parts


def enlarged(
    xs: Float[Array, "n s s c"], side: int, detail: float | None, key: Array
) -> Float[Array, "n side side c"]:
    """Images at a larger side.

    Args:
        xs: Images with mean square 1, as all inputs of `sim`.
        side: A multiple of their side.
        detail: The α of a spectrum like f^−α. None copies pixels and adds nothing.
        key: Of the detail.

    Returns:
        Images whose block means are those of `xs`, all times one number that leaves their expected
        mean square at 1.
    """
    larger = copied(xs, side)
    own = xs.shape[1]
    if detail is None or own == side:
        return larger
    scale = detail_scale(side, own, detail)
    fields = jax.vmap(lambda one: _field(one, side, xs.shape[3], detail))(
        jax.random.split(key, len(xs))
    )
    off = jax.vmap(lambda one: parts(one, own)[1])(fields)
    return (larger + scale.factor * off) / math.sqrt(1 + scale.mean_square)


def copied(xs: Float[Array, "n s s c"], side: int) -> Float[Array, "n side side c"]:
    """Images made larger by copying every pixel."""
    factor = side // xs.shape[1]
    return jnp.repeat(jnp.repeat(xs, factor, axis=1), factor, axis=2)


class Scale(NamedTuple):
    """How large detail is beside images of mean square 1."""

    factor: float
    """What a field is multiplied by, so that its block means have mean square 1."""
    mean_square: float
    """That of the field's part off the subspace of copied pixels, then."""


@lru_cache
def detail_scale(side: int, own: int, detail: float) -> Scale:
    """The scale at which a field's block means are as large as the image that they stand for.

    The spectrum then goes on from the frequencies of the image to those of the detail.

    Args:
        side: Of the enlarged images.
        own: Of the images themselves.
        detail: The α of the spectrum.
    """
    power = _amplitudes(side, detail) ** 2
    wave = np.fft.fftfreq(side) * np.pi
    factor = side // own
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(wave == 0, 1.0, np.sin(factor * wave) / (factor * np.sin(wave)))
    passed = np.sum(power * np.multiply.outer(mean, mean) ** 2)
    return Scale(1 / math.sqrt(passed / side**2), float(power.sum() / passed - 1))


def _field(key: Array, side: int, channels: int, detail: float) -> Float[Array, "side side c"]:
    """A periodic Gaussian field with mean 0 and a spectrum like f^−α."""
    white = jax.random.normal(key, (side, side, channels))
    spectrum = jnp.fft.fft2(white, axes=(0, 1)) * _amplitudes(side, detail)[..., None]
    return jnp.fft.ifft2(spectrum, axes=(0, 1)).real


@lru_cache
def _amplitudes(side: int, detail: float) -> Float[np.ndarray, "side side"]:
    """f^{−α/2}, f in periods of an image; 0 at f = 0."""
    wave = np.fft.fftfreq(side) * side
    squared = np.add.outer(wave**2, wave**2)
    squared[0, 0] = 1
    found = squared ** (-detail / 4)
    found[0, 0] = 0
    return found
