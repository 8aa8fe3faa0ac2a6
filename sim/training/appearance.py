"""What the pictures of a study have in common: which trainings, their marks, means."""

import json
from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.training import over_seeds
from sim.training.design import BEFORE, regularizer

ORDER = (
    *("penalty-l1", "penalty-l2", "step-linf", "step-l2", "pgd-linf", "pgd-l2"),
    "cross-lipschitz",
)
COLOURS = (*style.COLOURS, "#7A4A1E")
MARKERS = (*style.MARKERS, "X")
GRAY = "#777777"
"""Networks before training."""


def config_of(samples: xr.Dataset) -> dict[str, Any]:
    """The configuration of a study."""
    return json.loads(samples.attrs["config"])


def heading(samples: xr.Dataset) -> str:
    """What was trained."""
    config = config_of(samples)
    return f"{config['data']}, {config['seeds']} networks each, {config['epochs']} epochs"


def norm(p: str) -> str:
    """The name of ℓ_p, typeset."""
    return r"$\ell_\infty$" if p == "inf" else rf"$\ell_{{{p}}}$"


def colour_and_marker(training: str) -> tuple[str, str]:
    """Of a regularizer, whatever its strength; black circles without one, gray before training."""
    if training == BEFORE:
        return GRAY, "o"
    if regularizer(training) not in ORDER:
        return "black", "o"
    i = ORDER.index(regularizer(training))
    return COLOURS[i], MARKERS[i]


def by_regularizer(samples: xr.Dataset, side: int) -> dict[str, list[str]]:
    """Trainings that are finished at a side, in the order of their strengths, by regularizer."""
    accuracy = samples["accuracy"].sel(size=side, set="test")
    found: dict[str, list[str]] = {}
    for training in map(str, samples["training"].values):
        if training != BEFORE and np.isfinite(accuracy.sel(training=training)).any():
            found.setdefault(regularizer(training), []).append(training)
    return {
        name: sorted(own, key=lambda t: float(t.partition(":")[2] or 0))
        for name, own in found.items()
    }


def means(values: xr.DataArray, along: str) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds along a dimension, NaN where there are none, and how far their 95 %
    intervals reach down and up: (n), (2, n)."""
    found = [over_seeds.mean(row) for row in values.transpose(along, "seed").values]
    middle = np.array([mean.value for mean in found])
    ends = np.array([mean.interval for mean in found]).T
    return middle, np.abs(ends - middle)


def above_zero(middle: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The same for a logarithmic axis: an interval that reaches 0 ends at a tenth of its mean."""
    return np.stack([np.minimum(reach[0], 0.9 * middle), reach[1]])
