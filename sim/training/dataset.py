"""What the trainings of a study gave, as one labelled dataset."""

import json
from dataclasses import asdict

import numpy as np
import xarray as xr

from sim.sampling.datasets import CHANNELS
from sim.storage.studies import Arrays
from sim.training.design import BEFORE, SETS, Config
from sim.vulnerability.experiment import ATTACKS


def labelled(config: Config, found: dict[tuple[str, int], Arrays]) -> xr.Dataset:
    """What the cells gave, with labels; NaN where the design has no cell."""
    trainings = list(dict.fromkeys((BEFORE, *(config.trainings or ()), *(config.compared or ()))))
    sizes, epochs = list(config.sizes or ()), config.epochs or 0
    per_set, per_attack = ("set",), ("set", "attack", "p", "eps")
    dims = {
        "accuracy": per_set,
        "loss": per_set,
        "norm": (*per_set, "q"),
        "damage": per_attack,
        "fooled": per_attack,
        "curve_loss": ("epoch",),
        "curve_accuracy": (*per_set, "epoch"),
        "curve_norm": (*per_set, "epoch"),
        "failed": (),
    }
    coords = {
        "seed": np.arange(config.seeds or 0),
        "training": trainings,
        "size": ("size", sizes, {"long_name": "side of the image"}),
        "d": ("size", [CHANNELS[config.data] * side**2 for side in sizes]),
        "set": list(SETS),
        "q": ["1", "2", "inf"],
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
            if arrays[name].size:
                values[:, trainings.index(training), sizes.index(side)] = arrays[name]
        variables[name] = (("seed", "training", "size", *own), values)
    return xr.Dataset(variables, coords, {"config": json.dumps(asdict(config))})
