"""How the trainings of a study look in its pictures: colours, marks, names."""

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.training.configuration import (
    BEFORE,
    REGULARIZERS,
    images_in_words,
    regularizer,
    seeds_in_words,
)
from sim.training.dataset import config_of

COLOURS = (*style.COLOURS, "#7A4A1E")
MARKERS = (*style.MARKERS, "X")
GRAY = "#777777"
"""Networks before training."""


def heading(samples: xr.Dataset) -> str:
    """What was trained."""
    config = config_of(samples)
    seeds = seeds_in_words(config)
    return f"{images_in_words(config)}, {seeds} networks each, {config.epochs} epochs"


def colour_and_marker(training: str) -> tuple[str, str]:
    """Of a regularizer, whatever its strength; black circles without one, gray before training."""
    if training == BEFORE:
        return GRAY, "o"
    if regularizer(training) not in REGULARIZERS:
        return "black", "o"
    i = REGULARIZERS.index(regularizer(training))
    return COLOURS[i], MARKERS[i]


def above_zero(middle: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The reach of intervals on a logarithmic axis: one that goes to 0 ends at a tenth of its mean.

    Args:
        middle: Means (n).
        reach: How far their intervals reach down and up, (2, n).
    """
    return np.stack([np.minimum(reach[0], 0.9 * middle), reach[1]])
