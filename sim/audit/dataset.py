"""The samples of an audit as a dataset with labels: which place, where, what the law says."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import jax
import numpy as np
import xarray as xr

from sim.audit import moments
from sim.audit.configuration import Config
from sim.audit.moments import Moments
from sim.independence.backward import Place
from sim.independence.ladder import Ladder, Told
from sim.independence.sampling import initializer
from sim.plan.plan import Plan
from sim.predictions import prediction
from theory.laws.prediction import missing


def labelled(
    plan: Plan[Config], ladders: list[Ladder], found: list[tuple[Told, Moments]]
) -> xr.Dataset:
    """The samples of all sizes in one dataset (`sim.audit.run` says which).

    Args:
        plan: What is audited.
        ladders: Its ladder at every size.
        found: What was sampled at every size, on the ladder and of weights and gradients.
    """
    config, first, sides = plan.config, ladders[0], plan.sizes
    (network,) = plan.networks.values()
    variables: dict[str, Any] = {}
    for i, name in enumerate(("norm", "energy")):
        values = np.stack([told.norms[..., i].T for told, _ in found]).astype(float)
        variables[name] = ("size", "rung", "seed"), values
    law, basis = _law(plan)
    variables["law"] = ("size",), law
    for prefix, rung in (("", -1), ("independent_", first.independence)):
        told = np.stack([told.taps[:, rung].astype(float).T for told, _ in found])
        for name, values in _places(told, first, config.inputs_per_seed).items():
            variables[prefix + name] = ("size", "place", "seed"), values
    for name in ("gaussian", "nonzero"):
        values = np.stack([getattr(its, name) for _, its in found])
        variables[name] = ("size", "seed"), values.astype(float)
    for name, more in (("square", ()), ("sum", ()), ("node", ("end",))):
        values = np.stack([np.swapaxes(getattr(its, name), 0, 1) for _, its in found])
        variables[name] = ("size", "array", "seed", *more), values.astype(float)
    for name in ("independent_map", "map"):
        images = [_padded(getattr(its, name), max(sides)) for _, its in found]
        variables[name] = ("size", "seed", "y", "x"), np.stack(images)
    is_own = plan.is_own
    is_sampled = prediction.is_sampled(network, config.input) or not np.isfinite(law).all()
    left_out = None if np.isnan(law).all() else prediction.left_out(network, config.input)
    return xr.Dataset(
        variables,
        coords={
            "size": ("size", list(sides), {"long_name": "side of the image"}),
            "d": ("size", plan.dimensions, {"long_name": "input dimension"}),
            "step": ("rung", [-1, *first.steps], {"long_name": "place that the rung adds"}),
            "array": [name.removeprefix("0/") if is_own else name for name in _array_names(first)],
            "end": ["output", "input"],
            "name": ("place", _names(first)),
            "kind": ("place", [place.kind for place in first.places]),
            "where": ("place", [_where(place, is_own) for place in ladders[-1].places]),
        },
        attrs={
            "arch": config.arch,
            "config": json.dumps(asdict(config)),
            "quantity": config.quantity,
            "independence": first.independence,
            "basis": basis,
            "prediction": prediction.BASIS if is_sampled else "law",
            "left_out": left_out or "",
            "rectified": int(first.reading.is_rectified),
            "coupled": json.dumps(first.reading.coupled),
        },
    )


def _law(plan: Plan[Config]) -> tuple[np.ndarray, str]:
    """E‖∂‖₁ by size as theory has it, and what that rests on; NaN and "none" without a law."""
    (network,), sides = plan.networks.values(), plan.sizes
    if missing(network) is not None:
        return np.full(len(sides), np.nan), "none"
    found = prediction.by_law(network, sides, (plan.config.quantity,), ("1",), plan.config.input)
    return found.norm[0, 0], str(found.basis[0, 0])


def _places(told: np.ndarray, first: Ladder, inputs: int) -> dict[str, np.ndarray]:
    """Of `Backward.taps` by (size, 4, place, seed), what the dataset has by (size, place, seed)."""
    is_mask = np.array([place.kind == "mask" for place in first.places])[:, None]
    passes = np.where(told[:, 3] > 0, told[:, 3], 1)
    active = np.where(is_mask, told[:, 2] / passes, np.nan)
    return {"left": told[:, 0] / inputs, "arrived": told[:, 1] / inputs, "active": active}


def _padded(maps: np.ndarray, largest: int) -> np.ndarray:
    more = largest - maps.shape[-1]
    room = [(0, 0), (0, more), (0, more)]
    return np.pad(maps.astype(float), room, constant_values=np.nan)


def _names(first: Ladder) -> list[str]:
    """The scope of each place, else its line; numbered where places of a kind share a name."""
    names = [
        place.scope.removeprefix("0:Own").removeprefix("/") or str(place.source)
        for place in first.places
    ]
    pairs = [(name, place.kind) for name, place in zip(names, first.places, strict=True)]
    return [
        f"{pair[0]} #{pairs[: i + 1].count(pair)}" if pairs.count(pair) > 1 else pair[0]
        for i, pair in enumerate(pairs)
    ]


def _where(place: Place, is_own: bool) -> str:
    """The line of a user's source, or the shape of a described layer's output."""
    return str(place.source) if is_own else "×".join(map(str, place.shape[1:]))


def _array_names(first: Ladder) -> list[str]:
    init = initializer(first.network, first.side)
    return moments.array_names(jax.eval_shape(init, jax.random.key(0)))
