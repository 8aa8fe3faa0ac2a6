"""What all experiments on random networks have in common: which networks, sizes, seeds and inputs.

An experiment's configuration derives from `Experiment`; flags of the same name mean the same in
all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from theory.network import Network


@dataclass(frozen=True)
class Experiment:
    """Random networks of one family at several sizes, and their inputs."""

    arch: str | None = "resnet"
    """Architecture: mlp, cnn, resnet, resnet-preact, convnet-avdim, densenet, mlp-mixer, vit."""
    head: str | None = None
    """Last layers: dense, avgpool (2x2 average, then dense), gap (global average), gmaxpool
    (global maximum), cls (class token). Unless given: dense; gap for mlp-mixer, cls for vit."""
    widths: tuple[int, ...] | None = None
    """Units of a hidden layer, or channels of a convolution; one network for each. Unless given:
    three widths that suit the architecture."""
    sizes: tuple[int, ...] | None = None
    """Sides of the images, at least two. Unless given: four sides that suit the architecture."""
    depth: int | None = None
    """Hidden layers (mlp), convolutions (cnn, convnet-avdim), blocks (resnets, mlp-mixer, vit) or
    layers of each of three blocks (densenet)."""
    classes: int = 10
    """Number of logits."""
    channels: int = 3
    """Channels of the input images; d = channels · side²."""
    activation: str | None = None
    """relu, leaky-relu, identity, tanh, erf, gelu or silu. Unless given: relu; gelu for mlp-mixer
    and vit."""
    norm: str | None = None
    """Normalization of cnn, resnets and densenet: none, layer, or batch (statistics over the inputs
    of a seed, --inputs-per-seed, and their positions). Unless given: none."""
    border: str | None = None
    """What convolutions see outside of the image: circular, zero or reflect. Unless given:
    reflect for convnet-avdim, circular otherwise."""
    pooling: str | None = None
    """How convnet-avdim halves the side: stride, average or max. Unless given: stride."""
    pool_after: tuple[int, ...] | None = None
    """Layers of convnet-avdim that halve the side, counted from 1. Unless given: 1 3 5 ..."""
    dilation: tuple[int, ...] | None = None
    """Dilation of convnet-avdim's kernels: one number, or one for each layer. Unless given: 1."""
    patch: int | None = None
    """Side of the patches of mlp-mixer and vit, which become more with the image. Unless given:
    4."""
    tokens: int | None = None
    """Instead of --patch: the number of patches, a square; they grow with the image."""
    init: str = "he"
    """Initialization: he, he-fan-out, lecun, glorot, pytorch, flax, constant, orthogonal."""
    distribution: str | None = None
    """Distribution of the weights: normal, uniform, truncated-normal or rademacher. Unless given:
    the usual one of the initialization."""
    std: float = 0.02
    """Standard deviation of the weights with --init constant."""
    seeds: int = 128
    """Number of random networks for each width and size."""
    seed: int = 0
    """Key of the whole run; the same key gives the same samples."""
    input: str = "photo"
    """Inputs: photo (crops of two photographs), digits (8x8 handwritten digits), gaussian, or
    constant. All have mean square 1 per coordinate."""
    inputs_per_seed: int = 1
    """Inputs over which the results of one seed are averaged."""
    dtype: Literal["float32", "float64"] = "float32"
    """Arithmetic of the simulation; results are float64 in any case."""


@dataclass(frozen=True)
class ModelExperiment(Experiment):
    """Random networks of one family, or a user's own model in its place."""

    arch: str | None = None
    """Architecture: mlp, cnn, resnet, resnet-preact, convnet-avdim, densenet, mlp-mixer, vit.
    Unless given: resnet."""
    model: str | None = None
    """Your own model instead: package.module:factory, a function of the input shape (side, side,
    channels); what it returns: sim/models.py, examples/models.py."""


@dataclass(frozen=True)
class Keep:
    """Where samples are kept."""

    out: str | None = None
    """Keep samples and provenance in this folder, or at this URL of fsspec, as they are finished
    (xarray and Zarr). The same command continues a run; more seeds, widths or sizes extend it."""


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
OWN_WIDTH = 1
"""The label of a user's own model, whose width is not known, along the dimension of widths."""

Config = TypeVar("Config", bound=Experiment)


def complete(config: Config) -> Config:
    """The configuration with its architecture filled in: the name of a user's model, if any.

    Raises ValueError for an architecture and a model, or options that a model does not take.
    """
    if not isinstance(config, ModelExperiment):
        return config
    if config.model is None:
        return config if config.arch is not None else replace(config, arch=DEFAULT_ARCH)
    if config.arch not in (None, config.model):
        raise ValueError(f"choose --arch {config.arch} or --model {config.model}, not both.")
    own = (OWN_WIDTH,)
    for name in DESCRIBED:
        given = getattr(config, name, None)
        if given != getattr(type(config), name, None) and not (name == "widths" and given == own):
            raise ValueError(f"--model takes no --{name.replace('_', '-')}.")
    return replace(config, arch=config.model)


def sizes_of(config: Experiment) -> tuple[int, ...]:
    """The image sides of a run, in increasing order."""
    from theory.architectures import find

    config = complete(config)
    if isinstance(config, ModelExperiment) and config.model is not None:
        return tuple(sorted(config.sizes or OWN_SIZES))
    return tuple(sorted(config.sizes or find(str(config.arch)).sizes))


def dimensions(config: Experiment) -> list[int]:
    """The input dimensions d = channels · side² of a run."""
    return [config.channels * side**2 for side in sizes_of(config)]


def networks(config: Experiment) -> dict[int, Network]:
    """The networks of a run by width. Raises ValueError for unknown names and bad options."""
    from theory.architectures import find
    from theory.initializers import Scheme

    config = complete(config)
    if isinstance(config, ModelExperiment) and config.model is not None:
        from sim.models import loading

        return {OWN_WIDTH: loading.network(config.model, config.channels)}
    architecture = find(str(config.arch))
    scheme = Scheme(config.init, config.distribution, config.std)
    options = {name: getattr(config, name) for name in OPTIONS if getattr(config, name) is not None}
    for name in options:
        if not architecture.has_option(name):
            raise ValueError(f"{config.arch} takes no --{name.replace('_', '-')}.")
    return {
        width: architecture.build(
            width=width, classes=config.classes, channels=config.channels, init=scheme, **options
        )
        for width in config.widths or architecture.widths
    }


def check(config: Experiment, *lists: str) -> None:
    """Raises ValueError, with one sentence, if the common part of it cannot be run.

    `lists` names the fields, besides widths and sizes, that hold a tuple of distinct values.
    """
    from sim.sampling import inputs
    from theory.initializers import unknown

    check_lists(config, "widths", "sizes", *lists)
    if (config.depth or 0) > DEEPEST:
        raise ValueError(f"--depth must be at most {DEEPEST}, not {config.depth}.")
    if not config.std < math.inf:
        raise ValueError(f"--std must be a finite number, not {config.std}.")
    networks(config)
    sizes = sizes_of(config)
    if len(sizes) < 2:
        raise ValueError(f"an exponent needs two sizes or more, not only {min(sizes)}.")
    if min(sizes) < 1:
        raise ValueError(f"--sizes must be positive, not {min(sizes)}.")
    check_seeds(config.seeds, config.seed)
    if config.inputs_per_seed < 1:
        raise ValueError(f"--inputs-per-seed must be at least 1, not {config.inputs_per_seed}.")
    if config.input not in inputs.INPUTS:
        raise ValueError(unknown("input", config.input, inputs.INPUTS))
    inputs.check(config.input, config.channels)


def check_lists(config: Any, *names: str) -> None:
    """Raises ValueError if one of these fields is an empty tuple, or one with a value twice."""
    for name in names:
        chosen, flag = getattr(config, name), name.replace("_", "-")
        if chosen is not None and len(set(chosen)) < len(chosen):
            raise ValueError(f"--{flag} lists a value twice: {' '.join(map(str, chosen))}.")
        if chosen == ():
            raise ValueError(f"--{flag} needs at least one value.")


def check_seeds(seeds: int, seed: int) -> None:
    """Raises ValueError for too few seeds, or a key that is none."""
    if seeds < 2:
        raise ValueError(f"an interval needs at least two seeds, not --seeds {seeds}.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed must lie between 0 and 2^32 - 1, not {seed}.")


def check_attacks(attack_norms: tuple[str, ...], eps: tuple[float, ...]) -> None:
    """Raises ValueError for orders p outside of [1, ∞], or sizes that are not positive numbers."""
    from theory.laws.law import norm_order

    for p in attack_norms:
        try:
            norm_order(p)
        except ValueError:
            raise ValueError(f"--attack-norms needs p in [1, inf], not {p}.") from None
    for size in eps:
        if not 0 < size < math.inf:
            raise ValueError(f"--eps must be positive numbers, not {size:g}.")


Stored = TypeVar("Stored")


def restored(kind: type[Stored], fields: dict[str, Any]) -> Stored:
    """A configuration from what was read of it as JSON, which has lists for tuples."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


def check_memory(config: Experiment, lazy: bool, inputs: int, together: int = 1) -> None:
    """Raises ValueError if a network does not fit the memory, or the shapes of its layers.

    `inputs` points per network are differentiated at once, and `together` networks; with `lazy`,
    Gaussian matrices of dense layers are not formed.
    """
    from sim.running import memory
    from theory.network import output_shape

    itemsize = 8 if config.dtype == "float64" else 4
    for width, net in networks(config).items():
        for side in sizes_of(config):
            shape = net.input_shape(side)
            output_shape(net.body, shape)
            need = together * memory.bytes_per_seed(net.body, shape, inputs, lazy, itemsize)
            memory.refuse(f"width {width} at side {side} needs", need)
