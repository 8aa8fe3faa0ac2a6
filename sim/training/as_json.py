"""A study as JSON for programs."""

from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from sim.statistics import numbers
from sim.statistics.estimates import Mean
from sim.statistics.numbers import fields
from sim.storage import attributes
from sim.training.configuration import PARTS, SETS
from sim.training.damage_curve import DamageCurve, damage_curves
from sim.training.growth import Quantity, changes, fits
from sim.training.means import mean
from sim.training.remarks import remarks


def to_json(samples: xr.Dataset) -> str:
    """One JSON object {"config", "fits", "differences", "curves", "points", "warnings"}.

    Its schema: `sim/training/report.schema.json`.
    """
    return numbers.to_json(
        {
            "config": attributes.configuration(samples.attrs),
            "fits": [
                {
                    **fields(fit, "training", "set"),
                    **_quantity(fit.quantity),
                    "exponent": fit.exponent.value,
                    "ci": fit.exponent.interval,
                    **fields(fit, "zero_at", "predicted"),
                    "seeds": fit.exponent.seeds,
                }
                for fit in fits(samples)
            ],
            "differences": [
                {
                    **fields(change, "training", "reference", "set"),
                    **_quantity(change.quantity),
                    "difference": change.difference.value,
                    "ci": change.difference.interval,
                    "seeds": change.difference.seeds,
                }
                for change in changes(samples)
            ],
            "curves": [_curve(curve) for curve in damage_curves(samples)],
            "points": _points(samples),
            "warnings": remarks(samples),
        }
    )


def _quantity(quantity: Quantity) -> dict[str, Any]:
    fields = asdict(quantity)
    return {"quantity": fields.pop("kind"), **fields}


def _curve(curve: DamageCurve) -> dict[str, Any]:
    return {
        **fields(curve, "p", "q", "eps"),
        "size": curve.side,
        "trainings": curve.trainings,
        "rank_correlation": _interval(curve.correlation),
        "exponent": _interval(curve.exponent),
        "log_factors": {kind: _interval(one) for kind, one in curve.factors.items()},
    }


def _interval(found: Mean) -> dict[str, Any]:
    return {"mean": found.value, "ci": found.interval, "seeds": found.seeds}


def _points(samples: xr.Dataset) -> list[dict[str, Any]]:
    found = []
    for training in samples["training"].values:
        for size in samples["size"].values:
            for part in SETS:
                at = samples.sel(training=training, size=size, set=part)
                if np.isnan(at["accuracy"]).all():
                    continue
                found.append(
                    {
                        "training": str(training),
                        "size": int(size),
                        "d": int(at["d"]),
                        "set": part,
                        "accuracy": _summary(at["accuracy"]),
                        "loss": _summary(at["loss"]),
                        "norms": {str(q): _summary(at["norm"].sel(q=q)) for q in at["q"].values},
                        "parts": {
                            kind: {
                                str(q): _summary(at["parts"].sel(part=kind, q=q))
                                for q in at["q"].values
                            }
                            for kind in PARTS
                        },
                        "residual": _summary(at["residual"]),
                        "margin": {str(q): _summary(at["margin"].sel(q=q)) for q in at["q"].values},
                        "attacks": [
                            {
                                "attack": str(attack),
                                "p": str(p),
                                "eps": float(eps),
                                "damage": _summary(at["damage"].sel(attack=attack, p=p, eps=eps)),
                                "fooled": _summary(at["fooled"].sel(attack=attack, p=p, eps=eps)),
                                "linear_damage": _summary(at["linear_damage"].sel(p=p, eps=eps)),
                            }
                            for attack in at["attack"].values
                            for p in at["p"].values
                            for eps in at["eps"].values
                        ],
                    }
                )
    return found


def _summary(values: xr.DataArray) -> dict[str, Any]:
    found = mean(values.values)
    return {"mean": found.value, "sem": found.standard_error, "seeds": found.seeds}
