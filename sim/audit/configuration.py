"""The configuration of an audit."""

from dataclasses import dataclass, replace
from typing import Literal

from sim.plan import needs as of_plan
from sim.plan import plan
from sim.plan.configuration import Input, ModelExperiment
from sim.plan.plan import OWN_SIZES, Plan
from sim.running import flags, memory
from sim.running.needs import Needs
from theory.architectures import find


@dataclass(frozen=True)
class Config(ModelExperiment):
    """What to audit."""

    model: flags.Name = None
    """Your own model instead: package.module:factory, as for `python -m sim.scaling`."""
    widths: flags.Wholes = None
    """One width. Unless given: the smallest that suits the architecture."""
    sizes: flags.Wholes = None
    """Sides of the images, at least two. Unless given: the two smallest of `sim.scaling`."""
    seeds: int = 256
    """Number of random networks at each size."""
    quantity: Literal["loss", "logit"] = "loss"
    """Whose gradient: the cross-entropy loss, or one logit."""
    input: Input = "gaussian"
    """Inputs: photo (crops of two photographs), digits (8x8 handwritten digits). All have mean
    square 1 per coordinate."""


def completed(config: Config) -> Config:
    """The configuration with its architecture, width and sizes filled in.

    Raises:
        ValueError: For an unknown architecture, or options that a user's model does not take.
    """
    config = plan.completed(config)
    if config.model is not None:
        return replace(config, sizes=OWN_SIZES[:2] if config.sizes is None else config.sizes)
    architecture = find(str(config.arch))
    return replace(
        config,
        widths=architecture.widths[:1] if config.widths is None else config.widths,
        sizes=tuple(sorted(architecture.sizes[:2] if config.sizes is None else config.sizes)),
    )


def planned(config: Config) -> Plan[Config]:
    """The plan of an audit.

    Args:
        config: As it was given.

    Returns:
        The network by its width, and the sizes, all of them checked.

    Raises:
        ValueError: With one sentence, if the configuration cannot be run.
    """
    found = plan.planned(completed(config))
    if len(found.networks) > 1:
        raise ValueError(f"an audit is of one width, not of {len(found.networks)}.")
    needs(found).refuse()
    return found


TAPS = 4
"""Numbers that every rung has of every place (`sim.independence.backward.Backward.taps`)."""


def needs(plan: Plan[Config]) -> Needs:
    """The memory and the time that an audit needs."""
    (network,) = plan.networks.values()
    places = len(memory.leaves(network.body, network.input_shape(min(plan.sizes))))
    return of_plan.sampling(
        plan,
        of_plan.Sampling(
            points=2 * plan.config.inputs_per_seed,
            numbers=TAPS * places**2 + 2 * max(plan.sizes) ** 2,
            compiling=0.6,
        ),
    )
