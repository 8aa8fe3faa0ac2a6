"""Which trained network is measured, at which images. Needs no jax."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sim.plan import refusals
from sim.running import flags
from sim.running.needs import Needs
from sim.sampling import inputs
from theory.laws.norms import norm_order

SIZES = (32, 64, 128)
"""Sides of the images unless others are given."""

INPUTS = ("photo", "digits")

MOST = {"photo": 64, "digits": 1797}
"""Different images that there are."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to measure."""

    model: flags.Name = None
    """The model, as of python -m sim.scaling: package.module:factory, or one of a library by its
    name, such as torchvision:resnet18."""
    model_args: flags.Names = None
    """What its factory takes besides: name=value, such as num_classes=10, or one object of JSON."""
    weights: flags.Place = None
    """Its trained weights: a file of safetensors, a state dictionary of PyTorch (.pt, .pth, .bin),
    a file of Equinox (.eqx), or a folder of Orbax. No code of the file is run."""
    sizes: tuple[int, ...] = SIZES
    """Sides of the images: each image is brought to all of them."""
    channels: int = 3
    """Channels of the images; d = channels · side²."""
    input: Annotated[str, flags.one_of(INPUTS, default=True)] = "photo"
    """Images: photo (crops of two photographs), digits (8x8 handwritten digits)."""
    images: flags.Place = None
    """Your own instead: a folder of pictures (PNG, JPEG), of which the middle square is taken. All
    images are standardized to mean 0 and mean square 1."""
    count: int = 32
    """How many images: the first of them in the order of their names."""
    networks: int = 8
    """Networks at initialization that see the same images."""
    norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders q of the norms, from 1 to inf."""
    seed: int = 0
    """Key of the networks at initialization."""


def check(config: Config) -> None:
    """Refuses a configuration that cannot be run.

    Raises:
        ValueError: A field makes no sense; the message is one sentence.
    """
    for name in ("model", "weights"):
        if getattr(config, name) is None:
            raise ValueError(f"--{name} is needed: a trained network is a model and its weights.")
    refusals.check_lists(config, "sizes", "norms")
    for q in config.norms:
        norm_order(q)
    for name in ("channels", "count", "networks"):
        least = 1 if name == "channels" else 2
        if getattr(config, name) < least:
            raise ValueError(f"--{name} must be at least {least}, not {getattr(config, name)}.")
    if min(config.sizes) < 1:
        raise ValueError(f"--sizes must be at least 1, not {min(config.sizes)}.")
    refusals.check_key(config.seed)
    if config.images is not None:
        if not Path(config.images).is_dir():
            raise ValueError(f"there is no folder {config.images}.")
    elif config.input not in INPUTS:
        raise ValueError(f"--input must be photo or digits, not {config.input}.")
    else:
        inputs.check(config.input, config.channels)
        if config.count > MOST[config.input]:
            raise ValueError(
                f"--count must be at most {MOST[config.input]}, the images of --input "
                f"{config.input}, not {config.count}."
            )
    needs(config).refuse()


def described(config: Config) -> str:
    """What is measured, in words."""
    sides = ", ".join(map(str, sorted(config.sizes)))
    return (
        f"{config.model} with the weights of {config.weights} and {config.networks} networks at "
        f"initialization, {config.count} images at side {sides}"
    )


RATE = 10**6
"""Coordinates of images whose gradients a processor has in a second at most: of a large network of
convolutions."""

BEGUN = 2 * 2**30
"""Bytes of a process that has loaded a large model and its library."""


def needs(config: Config) -> Needs:
    """The memory and the time that a measurement needs; those of the model are not known."""
    coordinates = config.channels * sum(side**2 for side in config.sizes)
    seconds = config.count * (1 + config.networks) * coordinates // RATE
    what = f"{config.count} images at {len(config.sizes)} sides"
    images = 4 * config.count * max(config.sizes) ** 2 * config.channels
    return Needs(what, BEGUN + 2 * images, seconds, 10 * len(config.sizes))
