"""The inputs at which gradients are taken: random, constant, or real images without a download.

All inputs have mean square 1 over their coordinates, so ‖x‖_2² = d at every size; Gaussian ones
have that in expectation. Real images are also centred: each one has mean 0 and variance 1 over all
of its pixels and channels.
"""

from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

Input = Literal["photo", "digits", "gaussian", "constant"]
INPUTS: tuple[str, ...] = get_args(Input)

CROP = 256
"""Side of the square crops of the photographs, in pixels."""


def check(name: str, channels: int) -> None:
    """Raises ValueError if images of that name cannot have so many channels."""
    if name == "photo" and channels not in (1, 3):
        raise ValueError(f"photographs have 1 or 3 channels, not {channels}.")


def images(
    name: str, choices: Int[np.ndarray, "..."], side: int, channels: int
) -> Float[np.ndarray, "... side side channels"]:
    """Real images, one for each integer in `choices` (taken modulo how many there are).

    `photo`: 256×256 crops of the two photographs that scikit-learn ships, in colour, or their mean
    over colours for one channel. `digits`: scikit-learn's 1797 handwritten digits of side 8, the
    same in every channel. Both are brought to `side` by a box filter: pixels are averaged where
    the image shrinks and copied where it grows.
    """
    originals = _photographs(channels) if name == "photo" else _digits()
    wanted, where = np.unique(choices % len(originals), return_inverse=True)
    prepared = np.stack([_prepared(name, int(i), side, channels) for i in wanted])
    chosen = prepared[where.reshape(choices.shape)]
    return np.broadcast_to(chosen, (*chosen.shape[:-1], channels))


@lru_cache(maxsize=256)
def _prepared(name: str, index: int, side: int, channels: int) -> np.ndarray:
    originals = _photographs(channels) if name == "photo" else _digits()
    return prepared(originals[index], side)


def prepared(
    image: Float[np.ndarray, "s s channels"], side: int
) -> Float[np.ndarray, "side side channels"]:
    """The image brought to that side by a box filter, with mean 0 and mean square 1."""
    return _standardized(_resized(image, side))


def _resized(image: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    planes = [
        Image.fromarray(plane).resize((side, side), Image.Resampling.BOX)
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _standardized(image: np.ndarray) -> np.ndarray:
    centred = image - image.mean(dtype=np.float64)
    spread = np.sqrt(np.mean(centred**2, dtype=np.float64))
    if spread == 0:  # a single pixel has no contrast
        return np.ones_like(image)
    return (centred / spread).astype(np.float32)


@lru_cache(maxsize=2)
def _photographs(channels: int) -> np.ndarray:
    from sklearn.datasets import load_sample_images

    crops = []
    for photograph in load_sample_images().images:
        height, width, _ = photograph.shape
        for top in np.linspace(0, height - CROP, 4).astype(int):
            for left in np.linspace(0, width - CROP, 8).astype(int):
                crops.append(photograph[top : top + CROP, left : left + CROP])
    colour = np.stack(crops).astype(np.float32)
    return colour if channels == 3 else colour.mean(axis=-1, keepdims=True)


@lru_cache(maxsize=1)
def _digits() -> np.ndarray:
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return bunch.images.astype(np.float32)[..., None]
