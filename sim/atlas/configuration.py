"""Which architectures are measured, and at which sides. Needs no jax."""

from dataclasses import dataclass

from sim.atlas.networks import NETWORKS
from sim.plan import refusals
from sim.running import flags
from sim.running.needs import Needs

SIZES = (32, 96, 224)
"""Sides of the images unless others are given."""

NORMS = ("1", "2", "inf")
"""Orders q of the norms."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to measure."""

    models: flags.Names = None
    """Architectures, as --model of python -m sim.scaling takes them: torchvision:resnet18,
    timm:NAME, package.module:factory. Unless given: the public ones of docs/atlas.md."""
    sizes: tuple[int, ...] = SIZES
    """Sides of the images, at least two."""
    seeds: int = 16
    """Random networks of each architecture at each side."""
    seed: int = 0
    """Key of the networks."""
    workers: int = 1
    """Architectures under way at once, each in a process of its own."""


def check(config: Config) -> None:
    """Refuses a configuration that cannot be run.

    Raises:
        ValueError: A field makes no sense; the message is one sentence.
    """
    refusals.check_lists(config, "sizes")
    if config.models is not None:
        refusals.check_lists(config, "models")
    for name in models(config):
        module, _, factory = name.partition(":")
        if not (module and factory):
            raise ValueError(f"--models takes LIBRARY:NAME or package.module:factory, not {name}.")
    if len(config.sizes) < 2:
        raise ValueError("--sizes needs at least two sides: exponents are slopes.")
    if min(config.sizes) < 1:
        raise ValueError(f"--sizes must be at least 1, not {min(config.sizes)}.")
    if config.workers < 1:
        raise ValueError(f"--workers must be at least 1, not {config.workers}.")
    refusals.check_seeds(config.seeds, config.seed)
    needs(config).refuse()


def models(config: Config) -> tuple[str, ...]:
    """The architectures that are asked for."""
    return NETWORKS if config.models is None else tuple(config.models)


def described(config: Config) -> str:
    """What is measured, in words."""
    sides = ", ".join(map(str, sorted(config.sizes)))
    count = len(models(config))
    what = f"{count} architectures" if count > 1 else "one architecture"
    return f"{config.seeds} networks of {what} at side {sides}"


EACH = 4 * 2**30
"""Bytes of a process that measures an architecture of usual size."""

SECONDS = 1.5e-5
"""Of a processor for each pixel of an image: of a network of usual size, and of its prediction."""

COMPILED = 20
"""Seconds of compiling for each side of a large network and its prediction."""


def needs(config: Config) -> Needs:
    """The memory and the time that an atlas needs, by what networks of usual size take."""
    pixels = sum(side**2 for side in config.sizes)
    seconds = round(len(models(config)) * config.seeds * pixels * SECONDS)
    what = f"{config.workers} architectures at once"
    compiling = COMPILED * len(models(config)) * len(config.sizes)
    return Needs(what, EACH * config.workers, seconds, compiling)
