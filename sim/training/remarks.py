"""Sentences about a study: what it is, what its tables mean, what went wrong."""

import numpy as np
import xarray as xr

from sim.training.configuration import ORDINARY, design, images_in_words, seeds_in_words
from sim.training.dataset import config_of

ENOUGH = 0.97
"""Accuracy on test digits that ordinary training must reach at every side."""

NOTES = (
    "exponents and their differences with 95 % intervals over seeds (Student's t); means ± "
    "standard errors over seeds.",
    "predicted: the law's slope over the same sides, for the network before training. ε: change "
    "per pixel, in units of the root mean square of the image.",
    "damage, fooled: increase of the loss and of the 0-1 loss under projected ascent. "
    "Differences are over the sides that both trainings have. too few: fooled in one network alone "
    "at some side.",
    "on, off: parts of the gradient on the subspace of images whose pixels are copies, and off it; "
    "predicted after training for dense networks under gradient descent, which cannot change the "
    "first layer off that subspace (`copied-pixels`).",
    "m: the margin of the label, f_y less the log-sum-exp of the other logits; 1 − p_y: the share "
    "of the other classes. if m is linear: the damage if an attack changed m by ε ‖∂m‖ exactly.",
    "one curve: trainings but not initialization, on test images; means over seeds, each of the "
    "networks of one seed, with 95 % intervals. By regularizer: 1 for all would be one curve.",
)


def title(samples: xr.Dataset) -> str:
    """What was trained."""
    c = config_of(samples)
    what = f"{c.depth} convolutions of {c.width} channels"
    if c.network == "mlp":
        what = f"mlp of {c.depth} × {c.width} units, {c.optimizer}"
    seeds = seeds_in_words(c)
    return f"{images_in_words(c)}, {what}, {c.epochs} epochs, batches of {c.batch}, {seeds} seeds"


def remarks(samples: xr.Dataset) -> list[str]:
    """What a reader must know of this study besides its tables."""
    return [*unfinished(samples), *warnings(samples), *inaccurate(samples)]


def warnings(samples: xr.Dataset) -> list[str]:
    """A sentence for each training that was not finite, or not as accurate as it should be."""
    found = []
    failed = samples["failed"]
    for training in samples["training"].values:
        for size in samples["size"].values:
            at = failed.sel(training=training, size=size).values
            seeds = np.flatnonzero(at >= 0)
            if len(seeds):
                found.append(
                    f"{training} at side {size}: the loss of seed {' '.join(map(str, seeds))} is "
                    f"not finite from epoch {int(at[seeds].min()) + 1} on; it is left out."
                )
    return found


def unfinished(samples: xr.Dataset) -> list[str]:
    """A sentence if trainings of the design are not finished, as in a study under way."""
    cells = design(config_of(samples))
    missing = [
        cell
        for cell in cells
        if np.isnan(samples["failed"].sel(training=cell.training, size=cell.side)).all()
    ]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(cells)} trainings are not finished; exponents are over the sides "
        "that are."
    ]


def inaccurate(samples: xr.Dataset) -> list[str]:
    """A sentence for each side at which ordinary training has less accuracy than `ENOUGH`."""
    if config_of(samples).data != "digits" or ORDINARY not in samples["training"].values:
        return []
    accuracy = samples["accuracy"].sel(training=ORDINARY, set="test").mean("seed")
    return [
        f"ordinary training at side {int(size)} leaves an accuracy of {value:.4f} on test images."
        for size, value in zip(samples["size"].values, accuracy.values, strict=True)
        if value < ENOUGH
    ]
