"""The attributes of samples: what is written there as JSON is encoded and read back here alone.

A dataset of samples carries its configuration, the experiment that made it and, for a user's own
model, digests of what that computes. All functions take the attributes as a mapping, whether they
are those of an xarray dataset (`samples.attrs`) or were read from the files of a run.
"""

import json
from collections.abc import Mapping
from typing import Any

EXTENDED_FROM = "extended_from"

GROWS = ("seeds", "widths", "sizes")
"""What a run may have more of when it is continued; all else must stay."""

ADDED = {
    "labels_per_seed": 1,
    "integrate_first": False,
    "flips": False,
    "model_args": None,
    "batch_statistics": False,
    "detail": None,
    "ordinary_seeds": None,
}
"""Fields that runs of earlier versions lack, with what they had instead."""


def as_read(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as it will be read back: JSON has lists for tuples."""
    return json.loads(json.dumps(config))


def encoded(config: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that hold a configuration."""
    return {"config": json.dumps(config)}


def configuration(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of samples, with lists for tuples.

    `sim.plan.configuration.restored` makes a dataclass of it.
    """
    return json.loads(attributes["config"])


def lasting(config: Mapping[str, Any], grows: tuple[str, ...] = GROWS) -> dict[str, Any]:
    """What a configuration keeps while its run grows, and whatever fields are added to it."""
    return {
        name: value
        for name, value in config.items()
        if name not in grows and not (name in ADDED and value == ADDED[name])
    }


def experiment(attributes: Mapping[str, Any]) -> str:
    """The package of `sim` that made the samples; the first runs did not say that it is scaling."""
    return attributes.get("experiment", "scaling")


def computations(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Digests of what a user's own model computes, by size; empty for other networks."""
    return attributes.get("computations", {})


def extended_from(attributes: Mapping[str, Any]) -> list[int]:
    """The numbers of seeds at which a run was extended by more of them: empty if it never was.

    At each of them a report may have been read, and have decided on the extension.
    """
    return [int(seeds) for seeds in attributes.get(EXTENDED_FROM, ())]
