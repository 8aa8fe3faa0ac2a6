"""How the measures of a study grow with d, and how training and its regularizers change that.

All sides of one seed share their random numbers, and so do all trainings: exponents are compared
seed by seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool

from sim.sampling.datasets import CHANNELS, SIZES
from sim.statistics import finite
from sim.statistics.estimates import Slope
from sim.statistics.intervals import slope_weights
from sim.training.configuration import (
    BEFORE,
    INTERVENTIONS,
    ORDINARY,
    PARTS,
    SETS,
    Completed,
    regularizer,
)
from sim.training.dataset import at_several_sides, config_of, dimensions
from sim.training.network import without_batch_norm
from theory.laws.prediction import predict

PRESERVING = (ORDINARY, *INTERVENTIONS)
"""Trainings that see nothing but images on the data's subspace."""


VARIABLES = {
    "norm": "norm",
    "on": "parts",
    "off": "parts",
    "residual": "residual",
    "margin": "margin",
    "margin-on": "margin_parts",
    "margin-off": "margin_parts",
    "damage": "damage",
    "linear-damage": "linear_damage",
    "vulnerability": "fooled",
}
"""Where the dataset of a study has the values of each kind of quantity."""


@dataclass(frozen=True)
class Quantity:
    """One measure of the networks at every side, a mean over images."""

    kind: str
    """norm: ‖∂_x L‖_q; on and off: that of its parts on the data's subspace and off it; residual:
    1 − p_y; margin, margin-on, margin-off: ‖∂_x m‖_q and its parts; damage: increase of the loss by
    an attack; linear-damage: that if the margin is linear; vulnerability: that of the 0–1 loss."""
    q: str | None = None
    """Order of the norm of the gradient, for a norm."""
    attack: str | None = None
    """step or pgd, for damage and vulnerability."""
    p: str | None = None
    """Order of the attack's norm."""
    eps: float | None = None
    """Size of the attack: change per pixel."""

    def of(self, samples: xr.Dataset) -> xr.DataArray:
        """Its values in what `sim.training.run` returned."""
        given = {"q": self.q, "attack": self.attack, "p": self.p, "eps": self.eps}
        labels = {name: value for name, value in given.items() if value is not None}
        part = self.kind.rpartition("-")[2]
        return samples[VARIABLES[self.kind]].sel(labels | ({"part": part} if part in PARTS else {}))


@dataclass(frozen=True)
class Fit:
    """An exponent in d after one training, or at initialization."""

    training: str
    set: str
    quantity: Quantity
    exponent: Slope
    """NaN where the mean is zero at some side."""
    zero_at: tuple[int, ...]
    """Sides at which the mean is zero, so that it has no logarithm."""
    predicted: float | None
    """The law's slope over the same sizes, for norms at initialization; for their parts also after
    trainings that `copied-pixels` is about."""


@dataclass(frozen=True)
class Change:
    """The exponent after one training less that after another, the same seeds compared."""

    training: str
    reference: str
    """initialization, or the training that is compared with: ordinary."""
    set: str
    quantity: Quantity
    difference: Slope
    """Over the sides that both have."""


def quantities(samples: xr.Dataset) -> list[Quantity]:
    """All that is measured at every side; attacks that were not made are left out."""
    found = [Quantity("norm", str(q)) for q in samples["q"].values]
    if np.isfinite(samples["parts"]).any():
        found += [Quantity(part, str(q)) for part in PARTS for q in samples["q"].values]
    if np.isfinite(samples["margin"]).any():
        kinds = ("margin", *(f"margin-{part}" for part in PARTS))
        found += [Quantity("residual")]
        found += [Quantity(kind, str(q)) for kind in kinds for q in samples["q"].values]
        found += [
            Quantity("linear-damage", None, None, str(p), float(eps))
            for p in samples["p"].values
            for eps in samples["eps"].values
        ]
    for attack in samples["attack"].values:
        for p in samples["p"].values:
            for eps in samples["eps"].values:
                which = (None, str(attack), str(p), float(eps))
                if np.isfinite(Quantity("damage", *which).of(samples)).any():
                    found += [Quantity("damage", *which), Quantity("vulnerability", *which)]
    return found


def fits(samples: xr.Dataset) -> list[Fit]:
    """Exponents of every training that is finished at two sides or more.

    Args:
        samples: What `sim.training.run` returned.

    Returns:
        A fit for each training, set of images and quantity.
    """
    predicted = predictions(samples)
    found = []
    for training, part, quantity in _each(samples, at_several_sides(samples)):
        values = quantity.of(samples.sel(training=training, set=part))
        rows, there = _rows(values)
        if there.sum() < 2:  # nothing lies off the subspace at the smallest side
            continue
        slope = finite.exponent(rows[:, there], dimensions(samples)[there])
        sides = samples["size"].values[there]
        zero = np.nan_to_num(rows[:, there]).sum(axis=0) == 0
        law = predicted.get(str(quantity.q)) if training == BEFORE else None
        if quantity.kind.rpartition("-")[2] in PARTS:
            law = predicted_part(samples, training, quantity, there)
        nothing = tuple(int(side) for side in sides[zero])
        found.append(Fit(training, part, quantity, slope, nothing, law))
    return found


def changes(samples: xr.Dataset) -> list[Change]:
    """Every training against initialization, every regularizer against ordinary training.

    Args:
        samples: What `sim.training.run` returned.

    Returns:
        A difference for each pair of trainings, set of images and quantity, over the sides that
        both have.
    """
    there = at_several_sides(samples)
    pairs = [(t, BEFORE) for t in there if t != BEFORE and BEFORE in there]
    pairs += [(t, ORDINARY) for t in there if t not in (BEFORE, ORDINARY)]
    pairs = [pair for pair in pairs if pair[1] in there]
    found = []
    for part in SETS:
        for quantity in quantities(samples):
            values = quantity.of(samples.sel(set=part))
            for training, reference in pairs:
                (rows, one), (others, other) = (
                    _rows(values.sel(training=t)) for t in (training, reference)
                )
                both = one & other
                ds = dimensions(samples)[both]
                if len(ds) < 2:
                    continue
                slope = finite.exponent_difference(rows[:, both], others[:, both], ds)
                found.append(Change(training, reference, part, quantity, slope))
    return found


def predictions(samples: xr.Dataset) -> dict[str, float]:
    """The law's slope of E‖∂_x L‖_q over the sizes, at initialization, by q.

    Batch normalization with mean 0 and variance 1 changes nothing, so the law is that of the
    network without it. Labels do not depend on a network that has not been trained.

    Args:
        samples: What `sim.training.run` returned.

    Returns:
        The slopes of the logarithm of the norm in that of d; none for a study of one side.
    """
    ds, found = dimensions(samples), {}
    if len(ds) < 2:
        return {}
    for q in samples["q"].values:
        found[str(q)] = float(np.log(predicted_norms(samples, str(q))) @ slope_weights(ds))
    return found


def predicted_part(
    samples: xr.Dataset, training: str, quantity: Quantity, there: Bool[np.ndarray, " sizes"]
) -> float | None:
    """The slope of a part of the gradient that is predicted, for q = 1; None if none is.

    At initialization coordinates are about independent, so a subspace of m of d dimensions has the
    share √(m/d) of E‖∂_x L‖_1 and its complement √(1 − m/d). In dense networks under gradient
    descent that stays so off the subspace, and on it the norm does not depend on d
    (`copied-pixels`), unless training leaves the subspace, as attacks and detail do. The same is
    predicted of the gradient of the margin: before training 1 − p_y hardly depends on d.

    Args:
        samples: What `sim.training.run` returned.
        training: The training.
        quantity: With one of `PARTS` for its kind, or one of the margin's.
        there: Sizes of the fit.
    """
    config, ds = config_of(samples), dimensions(samples)[there]
    if quantity.q != "1" or len(ds) < 2:
        return None
    kept = config.network == "mlp" and config.optimizer == "sgd" and config.detail is None
    if training != BEFORE and not (kept and regularizer(training) in PRESERVING):
        return None
    own, is_on = own_dimension(config), quantity.kind in ("on", "margin-on")
    share = own / ds if is_on else 1 - own / ds
    if training != BEFORE and is_on:
        return 0.0
    if regularizer(training) == "zero-off":
        return None
    return float(np.log(predicted_norms(samples, "1")[there] * np.sqrt(share)) @ slope_weights(ds))


def own_dimension(config: Completed) -> int:
    """The dimension m of the subspace that enlarged images lie in, that of the images themselves.

    Args:
        config: Of a study.
    """
    return CHANNELS[config.data] * SIZES[config.data][0] ** 2


def predicted_norms(samples: xr.Dataset, q: str) -> np.ndarray:
    """The law's E‖∂_x L‖_q at every side, at initialization.

    Args:
        samples: What `sim.training.run` returned.
        q: Order of the norm.
    """
    config = config_of(samples)
    found = []
    for side, d in zip(samples["size"].values.tolist(), dimensions(samples), strict=True):
        net = without_batch_norm(config.data, side, config.width, config.depth, config.network)
        found.append(predict(net, q, "loss")(d))
    return np.array(found)


def _each(samples: xr.Dataset, trainings: list[str]) -> Iterator[tuple[str, str, Quantity]]:
    chosen = quantities(samples)
    for training in trainings:
        for part in SETS:
            for quantity in chosen:
                yield training, part, quantity


def _rows(values: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """By (seed, size), and which sizes are finished."""
    rows = values.transpose("seed", "size").values
    return rows, np.any(np.isfinite(rows), axis=0)
