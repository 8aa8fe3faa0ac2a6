"""The hypotheses of the law, each against the network as it is.

`python -m sim.audit --arch resnet` (or `--model package.module:factory`) samples random networks at
a few sizes and measures, layer by layer, what the law takes for granted: how many units are active
and whether that depends on the weights (H1), the variance of the weights (H3) and their
correlations (H4, H5), how even the gradient is over the image (S), how Gaussian and how dense its
coordinates are, and the energy gain of every layer. It ends with a sentence: which layer or choice
accounts for the gap between predicted and measured constant, and whether the exponent is safe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sim import cli, experiment
from sim.experiment import ModelExperiment, dimensions, networks, sizes_of

if TYPE_CHECKING:
    import xarray as xr

    from sim.audited import Audited


@dataclass(frozen=True)
class Config(ModelExperiment):
    """What to audit."""

    model: str | None = None
    """Your own model instead: package.module:factory, as for `python -m sim.scaling`."""
    widths: tuple[int, ...] | None = None
    """One width. Unless given: the smallest that suits the architecture."""
    sizes: tuple[int, ...] | None = None
    """Sides of the images, at least two. Unless given: the two smallest of `sim.scaling`."""
    seeds: int = 128
    """Number of random networks at each size."""
    input: str = "gaussian"
    """Inputs: gaussian, constant, photo (crops of two photographs) or digits. All have mean square
    1 per coordinate."""


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    figure: str | None = None
    """Draw the map of E g² over the input and every layer's gain over its prediction; the name ends
    in .png, .svg or .pdf."""

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        cli.Output(self.json, self.figure).refuse()


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> xr.Dataset:
    """Measure the networks.

    Returns a dataset with, by (size, row, seed), a row being a layer, the energy of the gradient
    that `arrived` at its input, that which was `expected` there by the law given the energy that
    `left` its output, and the share of `active` units (NaN where none is asked for); by (size,
    row), the `flow`, the share of the network's energy that goes through the row, and `paper`,
    what the paper's hypotheses expect over what the law does (NaN where they say nothing); by
    (size, seed), the `energy` ‖∂_x f_k‖_2², `gaussian`, the mean |g| over √(mean g²)·√(2/π), and
    the share `nonzero` of coordinates; by (size, seed, y, x), a `map` of g² summed over channels,
    and without seed, `predicted_map`; by (size, leaf, seed), for arrays of weights, the mean
    `square` and the `sum`, and with (end) `node`, mean (Σw)²/Σw² over the weights of one output
    and of one input, if the array is laid out inputs first. Rows have coordinates `kind`, `where`,
    `rests` and `reason`. Gradients are those of one logit in the mean.

    Raises ValueError, with one sentence, for a configuration that makes no sense, or a model that
    cannot be traced.
    """
    check(config)
    import jax

    from sim import audited, montecarlo, predictions
    from theory.network import serial

    config = complete(config)
    ((_, network),) = networks(config).items()
    own = predictions.to_trace(network)
    if own is not None:
        network = replace(network, body=serial(own))
    draws = montecarlo.Draws(
        quantities=("logit",),
        norms=(2.0,),
        input=config.input,
        inputs_per_seed=config.inputs_per_seed,
        seed=config.seed,
        lazy=False,
    )
    found: list[Audited] = []
    with jax.enable_x64(config.dtype == "float64"):
        for side in sizes_of(config):
            reading = audited.reading(network, side)
            seeds = range(config.seeds)
            raw = montecarlo.measured(network, side, seeds, draws, reading.measure, advance)
            found.append(reading.understood(raw))
    return labelled(config, found)


def labelled(config: Config, found: list[Audited]) -> xr.Dataset:
    """What was found at every size, with its labels."""
    import numpy as np
    import xarray as xr

    rows = found[0].rows
    if any([row.name for row in one.rows] != [row.name for row in rows] for one in found):
        raise ValueError("the layers are not the same at all sizes, so gaps cannot be compared.")
    chosen = [one.shown for one in found if one.shown is not None]
    shown = np.any(chosen, axis=0) if chosen else np.ones(len(rows), bool)
    rows = [row for row, is_shown in zip(rows, shown, strict=True) if is_shown]
    # nodes of a model have no names of their own
    names = [f"{i}: {row.name}" if chosen else row.name for i, row in enumerate(rows)]
    dims = {
        **dict.fromkeys(("arrived", "expected", "left", "active"), ("size", "row", "seed")),
        **dict.fromkeys(("flow", "paper"), ("size", "row")),
        **dict.fromkeys(("energy", "gaussian", "nonzero"), ("size", "seed")),
        **dict.fromkeys(("square", "sum"), ("size", "leaf", "seed")),
        "node": ("size", "leaf", "seed", "end"),
    }
    variables: dict[str, Any] = {}
    for name, axes in dims.items():
        values = np.stack([getattr(one, name) for one in found])
        variables[name] = axes, values[:, shown] if axes[1] == "row" else values
    largest = max(one.map.shape[-1] for one in found)

    def padded(image: np.ndarray) -> np.ndarray:
        more = largest - image.shape[-1]
        room = [(0, 0)] * (image.ndim - 2) + [(0, more), (0, more)]
        return np.pad(image, room, constant_values=np.nan)

    variables["map"] = ("size", "seed", "y", "x"), np.stack([padded(one.map) for one in found])
    predicted = np.stack([padded(one.predicted_map) for one in found])
    variables["predicted_map"] = ("size", "y", "x"), predicted
    texts = ("kind", "where", "rests", "reason")
    return xr.Dataset(
        variables,
        coords={
            "size": ("size", list(sizes_of(config)), {"long_name": "side of the image"}),
            "d": ("size", dimensions(config), {"long_name": "input dimension"}),
            "leaf": list(found[0].leaves),
            "end": ["output", "input"],
            "name": ("row", names),
            **{text: ("row", [getattr(row, text) for row in rows]) for text in texts},
        },
        attrs={
            "arch": config.arch,
            "config": json.dumps(asdict(config)),
            "basis": found[0].basis,
            "total": json.dumps([one.total for one in found]),
        },
    )


def complete(config: Config) -> Config:
    """The configuration with its architecture, width and sizes filled in."""
    from theory.architectures import find

    config = experiment.complete(config)
    if config.model is not None:
        return replace(config, sizes=config.sizes or experiment.OWN_SIZES[:2])
    architecture = find(str(config.arch))
    return replace(
        config,
        widths=config.widths or architecture.widths[:1],
        sizes=tuple(sorted(config.sizes or architecture.sizes[:2])),
    )


def check(config: Config) -> None:
    """Raises ValueError, with one sentence, if it cannot be run."""
    config = complete(config)
    experiment.check(config)
    if config.widths is not None and len(config.widths) > 1:
        raise ValueError(f"an audit is of one width, not of {len(config.widths)}.")
    experiment.check_memory(config, lazy=False, inputs=2 * config.inputs_per_seed)


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    config, output = cli.parse((Config, Output), "python -m sim.audit", __doc__ or "", args)
    with cli.one_sentence():
        config = complete(config)
        check(config)
        output.refuse()
    from sim import audit_report, compilation

    compilation.keep()
    total = len(sizes_of(config)) * config.seeds
    with cli.one_sentence(), cli.progress(f"{config.arch}: auditing networks", total) as advance:
        samples = run(config, advance)
    audit_report.deliver(samples, output.json, output.figure)
    return 0


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
