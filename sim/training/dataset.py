"""The labelled dataset of a study: how it is made from its trainings, and what is in it."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import xarray as xr

from sim.attacks.damage import ATTACKS
from sim.plan import configuration
from sim.sampling.datasets import CHANNELS
from sim.storage import attributes
from sim.storage.studies import Arrays
from sim.training.configuration import (
    BEFORE,
    PARTS,
    SETS,
    Cell,
    Completed,
    numbers_of_seeds,
    regularizer,
)

NORMS = ("1", "2", "inf")
"""Orders q of the norms of input gradients that are measured."""


def labelled(config: Completed, found: Mapping[Cell, Arrays]) -> xr.Dataset:
    """What the trainings gave, with labels; NaN where the design has none or it is not finished.

    Args:
        config: What was trained.
        found: The arrays of every finished training, by seed first.
    """
    trainings = list(dict.fromkeys((BEFORE, *config.trainings, *config.compared)))
    sizes, epochs = list(config.sizes), config.epochs
    per_set, per_attack = ("set",), ("set", "attack", "p", "eps")
    dims = {
        "accuracy": per_set,
        "loss": per_set,
        "norm": (*per_set, "q"),
        "parts": (*per_set, "part", "q"),
        "residual": per_set,
        "margin": (*per_set, "q"),
        "margin_parts": (*per_set, "part", "q"),
        "damage": per_attack,
        "fooled": per_attack,
        "linear_damage": (*per_set, "p", "eps"),
        "curve_loss": ("epoch",),
        "curve_accuracy": (*per_set, "epoch"),
        "curve_norm": (*per_set, "epoch"),
        "curve_parts": (*per_set, "part", "epoch"),
        "failed": (),
    }
    coords = {
        "seed": np.arange(numbers_of_seeds(config)[-1]),
        "training": trainings,
        "size": ("size", sizes, {"long_name": "side of the image"}),
        "d": ("size", [CHANNELS[config.data] * side**2 for side in sizes]),
        "set": list(SETS),
        "q": list(NORMS),
        "part": list(PARTS),
        "attack": list(ATTACKS),
        "p": list(config.attack_norms),
        "eps": list(config.eps),
        "epoch": np.arange(1, epochs + 1),
    }
    lengths = {k: len(v[1] if isinstance(v, tuple) else v) for k, v in coords.items()}
    variables = {}
    for name, own in dims.items():
        shape = tuple(lengths[dim] for dim in own)
        values = np.full((lengths["seed"], len(trainings), len(sizes), *shape), np.nan)
        for (training, side), arrays in found.items():
            if name in arrays and arrays[name].size:  # earlier studies have fewer
                there = slice(len(arrays[name]))  # trainings may have fewer seeds
                values[there, trainings.index(training), sizes.index(side)] = arrays[name]
        variables[name] = (("seed", "training", "size", *own), values)
    return xr.Dataset(variables, coords, attributes.encoded(asdict(config)))


def config_of(samples: xr.Dataset) -> Completed:
    """The completed configuration of a study."""
    return configuration.restored(Completed, attributes.configuration(samples.attrs))


def dimensions(samples: xr.Dataset) -> np.ndarray:
    """The input dimensions d of a study by size, as floats."""
    return samples["d"].values.astype(float)


def at_several_sides(samples: xr.Dataset) -> list[str]:
    """Trainings that are finished at more than one side."""
    accuracy = samples["accuracy"].sel(set="test").transpose("training", "size", "seed").values
    sides = np.isfinite(accuracy).any(axis=2).sum(axis=1)
    return [str(t) for t, n in zip(samples["training"].values, sides, strict=True) if n > 1]


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


def shown_attack(samples: xr.Dataset) -> str:
    """The order p of the attacks that tables and figures show: ∞, 2, 1, or what there is."""
    orders = [str(p) for p in samples["p"].values]
    return next((p for p in ("inf", "2", "1") if p in orders), orders[0])
