"""A configuration completed, checked and turned into networks, sizes and a sampler: once."""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, Literal, TypeVar

from sim.plan.configuration import Experiment, ModelExperiment
from sim.plan.refusals import check_lists, check_seeds
from sim.sampling import inputs
from theory.architectures import find
from theory.initializers import Scheme, is_gaussian
from theory.names import unknown
from theory.network import BatchNorm, Dense, Network, walk
from theory.own import is_own

DEEPEST = 10_000
"""No more layers or blocks than this: describing them takes about a millisecond each."""

OPTIONS = (
    "head", "depth", "activation", "border", "pooling", "pool_after", "dilation", "norm", "patch",
    "tokens",
)  # fmt: skip
"""Fields of `Experiment` that an architecture may take or not."""

DEFAULT_ARCH = "resnet"

DESCRIBED = (
    *OPTIONS, "widths", "classes", "init", "distribution", "std", "sampler", "integrate_first",
)  # fmt: skip
"""Fields of experiments that say nothing about a user's own model."""

OWN_SIZES = (8, 16, 32, 64)
"""Image sides at which a user's own model is measured unless others are given."""

OWN_WIDTH = 1
"""The label of a user's own model, whose width is not known, along the dimension of widths."""

Config = TypeVar("Config", bound=Experiment)


@dataclass(frozen=True)
class Plan(Generic[Config]):
    """What an experiment on random networks will do."""

    config: Config
    """With its architecture filled in, and otherwise as it was given."""
    networks: dict[int, Network]
    """By width."""
    sizes: tuple[int, ...]
    """Image sides, in increasing order."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of a hidden layer, or channels of a convolution, of every network."""
        return tuple(self.networks)

    @cached_property
    def dimensions(self) -> list[int]:
        """The input dimensions d = channels · side², by size."""
        return [self.config.channels * side**2 for side in self.sizes]

    @property
    def samples(self) -> int:
        """Random networks in all: of every width, size and seed."""
        return len(self.networks) * len(self.sizes) * self.config.seeds

    @property
    def described(self) -> str:
        """What is sampled, in words."""
        config, ds = self.config, ", ".join(map(str, self.dimensions))
        widths = "" if self.is_own else f" of width {', '.join(map(str, self.widths))}"
        return (
            f"{self.samples} networks: {config.arch}{widths}, d = {ds}, {config.seeds} seeds each"
        )

    @property
    def descriptions(self) -> dict[str, str]:
        """Digests by width of the networks that a user's own code describes; none for others."""
        if not (is_own(self.config.arch) or is_own(self.config.init)) or self.is_own:
            return {}
        return {
            f"width {width}": hashlib.sha256(repr(network.body).encode()).hexdigest()
            for width, network in self.networks.items()
        }

    @property
    def explicit(self) -> Config:
        """The configuration with its widths and sizes filled in, as stored runs keep it."""
        return replace(self.config, widths=self.widths, sizes=self.sizes)

    @property
    def is_own(self) -> bool:
        """Whether the network is a user's own model."""
        return isinstance(self.config, ModelExperiment) and self.config.model is not None

    @cached_property
    def sampler(self) -> Literal["lazy", "dense"]:
        """How dense layers are sampled: "lazy" if there is a Gaussian matrix to leave unformed.

        It is "dense" if there is none, or if the configuration asks for it.
        """
        if getattr(self.config, "sampler", "auto") == "dense":
            return "dense"
        found = any(
            isinstance(layer, Dense) and is_gaussian(layer.init)
            for network in self.networks.values()
            for layer in walk(network.body)
        )
        return "lazy" if found else "dense"


def completed(config: Config) -> Config:
    """The configuration with its architecture filled in: the name of a user's model, if any.

    Raises:
        ValueError: for an architecture and a model, or options that a model does not take.
    """
    if not isinstance(config, ModelExperiment):
        return config
    if config.model is None:
        for name in ("model_args", "batch_statistics"):
            if getattr(config, name):
                raise ValueError(f"--{name.replace('_', '-')} are those of a --model.")
        return config if config.arch is not None else replace(config, arch=DEFAULT_ARCH)
    if config.arch not in (None, config.model):
        raise ValueError(f"choose --arch {config.arch} or --model {config.model}, not both.")
    own = (OWN_WIDTH,)
    for name in DESCRIBED:
        given = getattr(config, name, None)
        if given != getattr(type(config), name, None) and not (name == "widths" and given == own):
            raise ValueError(f"--model takes no --{name.replace('_', '-')}.")
    return replace(config, arch=config.model)


def planned(config: Config, *lists: str) -> Plan[Config]:
    """The plan of a configuration.

    Args:
        config: as it was given.
        lists: the fields, besides widths and sizes, that hold a tuple of distinct values.

    Returns:
        Its plan. What is special to one experiment is not checked yet.

    Raises:
        ValueError: with one sentence, for unknown names, bad options, or what cannot be run.
    """
    config = completed(config)
    check_lists(config, "widths", "sizes", *lists)
    if (config.depth or 0) > DEEPEST:
        raise ValueError(f"--depth must be at most {DEEPEST}, not {config.depth}.")
    if not config.std < math.inf:
        raise ValueError(f"--std must be a finite number, not {config.std}.")
    plan = Plan(config, _networks(config), _sizes(config))
    if len(plan.sizes) < 2:
        raise ValueError(f"an exponent needs two sizes or more, not only {min(plan.sizes)}.")
    if min(plan.sizes) < 1:
        raise ValueError(f"--sizes must be positive, not {min(plan.sizes)}.")
    check_seeds(config.seeds, config.seed)
    if config.inputs_per_seed < 1:
        raise ValueError(f"--inputs-per-seed must be at least 1, not {config.inputs_per_seed}.")
    if config.input not in inputs.INPUTS:
        raise ValueError(unknown("input", config.input, inputs.INPUTS))
    inputs.check(config.input, config.channels)
    bodies = [network.body for network in plan.networks.values()]
    is_flat = config.input == "constant" and config.border != "zero"
    if is_flat and any(isinstance(x, BatchNorm) for body in bodies for x in walk(body)):
        raise ValueError("--norm batch divides by a spread, and --input constant has none.")
    return plan


def _sizes(config: Experiment) -> tuple[int, ...]:
    if isinstance(config, ModelExperiment) and config.model is not None:
        return tuple(sorted(config.sizes or OWN_SIZES))
    return tuple(sorted(config.sizes or find(str(config.arch)).sizes))


def _networks(config: Experiment) -> dict[int, Network]:
    if isinstance(config, ModelExperiment) and config.model is not None:
        from sim.models import loading  # a user's model is code of jax

        given = config.model_args or (), config.batch_statistics
        return {OWN_WIDTH: loading.network(config.model, config.channels, *given)}
    architecture = find(str(config.arch))
    scheme = Scheme(config.init, config.distribution, config.std)
    options = {name: getattr(config, name) for name in OPTIONS if getattr(config, name) is not None}
    usual = {name: getattr(config, name) for name in ("classes", "channels", "init")}
    # a user's own architecture need not take what all others do
    given = {name for name, value in usual.items() if value != getattr(type(config), name)}
    for name in (*options, *sorted(given)):
        if not architecture.has_option(name):
            raise ValueError(f"{config.arch} takes no --{name.replace('_', '-')}.")
    options |= {k: v for k, v in (usual | {"init": scheme}).items() if architecture.has_option(k)}
    return {
        width: architecture.build(width=width, **options)
        for width in config.widths or architecture.widths
    }
