"""The samples of a scaling run as a dataset with labels and predictions."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import xarray as xr

from sim.plan.configuration import restored
from sim.plan.plan import Plan
from sim.predictions import prediction
from sim.scaling.configuration import Config, planned


def labelled(plan: Plan[Config], norms: np.ndarray, predicted: xr.Dataset) -> xr.Dataset:
    """Norms by (width, size, seed, quantity, q) with their labels, and what `predictions` gives."""
    config = plan.config
    dims = ("width", "size", "seed", "quantity", "q")
    about = {"long_name": "ℓ_q norm of the input gradient", "units": "1"}
    samples = xr.Dataset(
        {"norm": (dims, norms, about)},
        coords={
            "width": ("width", list(plan.widths), {"long_name": "units or channels"}),
            "size": (
                "size",
                list(plan.sizes),
                {"long_name": "side of the image", "units": "pixels"},
            ),
            "d": ("size", plan.dimensions, {"long_name": "input dimension"}),
            "seed": ("seed", np.arange(norms.shape[2]), {"long_name": "random network"}),
            "quantity": ("quantity", list(config.quantity), {"long_name": "whose gradient"}),
            "q": ("q", list(config.norms), {"long_name": "order of the norm"}),
        },
        attrs={
            "arch": config.arch,
            "config": json.dumps(asdict(config)),
            "sampler": plan.sampler,
            **({} if config.until is None else {"pilot": config.seeds}),
        },
    ).transpose("seed", "width", "size", "quantity", "q")
    samples.attrs |= predicted.attrs
    return samples.merge(predicted, combine_attrs="override")


def predictions(
    plan: Plan[Config],
    advance: Callable[..., None] = lambda done, more=0: None,
    seeds: int | None = None,
) -> xr.Dataset:
    """What is predicted for every network, size, quantity and q (`prediction.table`).

    `seeds` is the number that is measured, where it is not the configuration's.
    """
    config = plan.config
    asked = plan.sizes, config.quantity, config.norms
    beside = prediction.Beside.of(config)
    if seeds is not None:
        beside = replace(beside, seeds=seeds)
    return prediction.table(plan.networks, *asked, True, beside, advance)


def unsampled(
    stored: dict[str, Any], advance: Callable[..., None] = lambda done, more=0: None
) -> xr.Dataset:
    """The dataset of a run of which no sample has been computed, all norms NaN.

    Args:
        stored: its configuration as it was read from JSON.
        advance: hears of what is sampled for predictions.
    """
    plan = planned(restored(Config, stored))
    config = plan.config
    shape = len(plan.widths), len(plan.sizes), config.seeds, len(config.quantity), len(config.norms)
    return labelled(plan, np.full(shape, np.nan), predictions(plan, advance))
