"""The configuration of an audit."""

from dataclasses import dataclass, replace
from typing import Literal

from sim.plan import configuration
from sim.plan.configuration import ModelExperiment
from theory.architectures import find


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


def completed(config: Config) -> Config:
    """The configuration with its architecture, width and sizes filled in.

    Raises:
        ValueError: For an unknown architecture, or options that a user's model does not take.
    """
    config = configuration.complete(config)
    if config.model is not None:
        return replace(config, sizes=config.sizes or configuration.OWN_SIZES[:2])
    architecture = find(str(config.arch))
    return replace(
        config,
        widths=config.widths or architecture.widths[:1],
        sizes=tuple(sorted(config.sizes or architecture.sizes[:2])),
    )


def check(config: Config) -> None:
    """Checks that the configuration can be run.

    Raises:
        ValueError: With one sentence, if it cannot.
    """
    config = completed(config)
    configuration.check(config)
    if config.widths is not None and len(config.widths) > 1:
        raise ValueError(f"an audit is of one width, not of {len(config.widths)}.")
    configuration.check_memory(config, lazy=False, inputs=2 * config.inputs_per_seed)
