"""Which layers make the gap between what is predicted and the network as it is.

`python -m sim.audit --arch resnet` (or `--model package.module:factory`) samples random networks at
a few sizes and climbs a ladder, place by place: from hypothesis H, where the backward pass has
independent copies of all weights and a fair coin for every unit of a ReLU, over gradient
independence, which has the true masks, to the network as it is. Every ratio is measured with the
same seeds, so that intervals are short, and all of them multiply to the whole gap. The sentence
that comes first names the places whose measured factor accounts for it, and says whether the
exponent is safe. The hypotheses H1, H3, H4, H5 and S are measured beside it (--full).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from sim import cli, experiment
from sim.experiment import ModelExperiment, networks, sizes_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Config(ModelExperiment):
    """What to audit."""

    model: str | None = None
    """Your own model instead: package.module:factory, as for `python -m sim.scaling`."""
    widths: tuple[int, ...] | None = None
    """One width. Unless given: the smallest that suits the architecture."""
    sizes: tuple[int, ...] | None = None
    """Sides of the images, at least two. Unless given: the two smallest of `sim.scaling`."""
    seeds: int = 256
    """Number of random networks at each size."""
    quantity: Literal["loss", "logit"] = "loss"
    """Whose gradient: the cross-entropy loss, or one logit."""
    input: str = "gaussian"
    """Inputs: gaussian, constant, photo (crops of two photographs) or digits. All have mean square
    1 per coordinate."""


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    full: bool = False
    """Print the table of all places and that of the hypotheses, too."""
    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"; docs/audit.md has its
    fields."""
    figure: str | None = None
    """Draw the map of E g² over the input and the factor of every place; the name ends in .png,
    .svg or .pdf."""

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        cli.Output(self.json, self.figure).refuse()


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> xr.Dataset:
    """Measure the networks.

    Returns a dataset with, by (size, rung, seed), the `norm` ‖∂‖₁ and the `energy` ‖∂‖₂² of the
    networks of the ladder, means over the inputs of a seed, and by (size) the `law` for E‖∂‖₁, NaN
    where theory has none. A rung differs from the one before it in the place `step`; the rung
    `independence` (an attribute) is gradient independence, those before it have coins for masks,
    and the last one is the network as it is. By (size, place, seed) there are the energies of the
    gradient that `left` a place's output and that `arrived` in front of it, and the share of
    `active` units of a mask (NaN for weights), of the network as it is; with `independent_` before
    the name, under gradient independence. The rest are the fields of `sim.facts.Facts`; maps are by
    (size, seed, y, x), NaN beyond their side. Places have coordinates `name`, `kind` ("weights" or
    "mask") and `where`.

    Raises ValueError, with one sentence, for a configuration that makes no sense, for networks
    whose places differ between sizes, and for gradients that are not finite.
    """
    check(config)
    import jax
    import numpy as np

    from sim import audit_samples, facts, montecarlo
    from sim.independence import ladder

    config = complete(config)
    ((_, network),) = networks(config).items()
    draws = montecarlo.Draws(
        quantities=(config.quantity,),
        norms=(1.0,),
        input=config.input,
        inputs_per_seed=config.inputs_per_seed,
        seed=config.seed,
        lazy=False,
    )
    with jax.enable_x64(config.dtype == "float64"):
        ladders = [ladder.ladder(network, x, config.inputs_per_seed) for x in sizes_of(config)]
        shapes = [[(x.kind, x.scope, x.source) for x in one.places] for one in ladders]
        if any(one != shapes[0] for one in shapes):
            raise ValueError("the layers are not the same at all sizes, so no gap can be told.")
        found = [ladder.samples(x, draws, config.seeds, facts.of, advance) for x in ladders]
    if not all(np.isfinite(told.norms).all() for told, _ in found):
        raise ValueError("some norms lie beyond the range of floats, so they have no ratios.")
    return audit_samples.labelled(config, network, ladders, found)


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
    audit_report.deliver(samples, output.json, output.figure, output.full)
    return 0


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
