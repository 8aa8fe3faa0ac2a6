"""The list of named architectures, and what their options have in common.

An architecture is a function of its options that returns a `Network`; `@architecture` registers
it under its own name (underscores become hyphens) with the widths and image sides that an
experiment uses unless told otherwise. They are in `theory.architectures`.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from theory import own
from theory.initializers import Scheme
from theory.names import unknown
from theory.network import (
    GELU,
    Activation,
    BatchNorm,
    Border,
    Erf,
    Identity,
    LayerNorm,
    LeakyReLU,
    Network,
    Normalization,
    ReLU,
    SiLU,
    Tanh,
)

Head = Literal["dense", "avgpool", "gap", "gmaxpool"]
TokenHead = Literal["gap", "dense"]
ViTHead = Literal["cls", "gap"]
Pooling = Literal["stride", "average", "max"]
Norm = Literal["none", "layer", "batch"]
HEADS: tuple[str, ...] = get_args(Head)
POOLINGS: tuple[str, ...] = get_args(Pooling)
BORDERS: tuple[str, ...] = get_args(Border)
NORMS: dict[str, tuple[Normalization, ...]] = {
    "none": (),
    "layer": (LayerNorm(),),
    "batch": (BatchNorm(),),
}

ACTIVATIONS: dict[str, Activation] = {
    "relu": ReLU(),
    "leaky-relu": LeakyReLU(),
    "identity": Identity(),
    "tanh": Tanh(),
    "erf": Erf(),
    "gelu": GELU(),
    "silu": SiLU(),
}


@dataclass(frozen=True)
class Architecture:
    """A registered architecture: how to build it and which sweep shows its law."""

    name: str
    build: Callable[..., Network]
    widths: tuple[int, ...]
    sizes: tuple[int, ...]

    def has_option(self, name: str) -> bool:
        """True if the architecture takes this option."""
        return name in inspect.signature(self.build).parameters

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that it can have; none if it has no such option."""
        return get_args(get_type_hints(self.build).get("head"))


ARCHITECTURES: dict[str, Architecture] = {}


def architecture(
    widths: tuple[int, ...], sizes: tuple[int, ...]
) -> Callable[[Callable[..., Network]], Callable[..., Network]]:
    """Register a function as an architecture, with its default widths and image sides."""

    def register(build: Callable[..., Network]) -> Callable[..., Network]:
        name = build.__name__.replace("_", "-")
        ARCHITECTURES[name] = Architecture(name, build, widths, sizes)
        return build

    return register


OWN_WIDTHS = (16, 32, 64)
"""Widths of a user's own architecture unless others are given."""

OWN_SIZES = (8, 16, 32, 64)
"""Image sides of a user's own architecture unless others are given."""


def find(name: str) -> Architecture:
    """The architecture of that name, or a user's own: package.module:function.

    A function of one's own takes a `width` and what it likes of the options of other architectures,
    and returns a `theory.network.Network`.

    Raises:
        ValueError: In one sentence, for an unknown name, suggesting the nearest one.
    """
    if own.is_own(name):
        return _own(name)
    if name not in ARCHITECTURES:
        raise ValueError(unknown("architecture", name, ARCHITECTURES))
    return ARCHITECTURES[name]


def _own(name: str) -> Architecture:
    function = own.loaded("--arch", name)
    known = [found for found in ARCHITECTURES.values() if found.build is function]
    widths = known[0].widths if known else OWN_WIDTHS
    sizes = known[0].sizes if known else OWN_SIZES
    if not callable(function):
        raise ValueError(f"--arch needs a function, and {name} is none.")
    if "width" not in inspect.signature(function).parameters:
        raise ValueError(f"--arch {name} must take a width.")

    @functools.wraps(function)
    def build(*args: Any, **options: Any) -> Network:
        try:
            network = function(*args, **options)
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(f"--arch {name} fails: {own.words(error)}.") from error
        if not isinstance(network, Network):
            kind = type(network).__name__
            raise ValueError(f"--arch {name} returns a {kind}, which is no Network.")
        return network

    return Architecture(name, build, widths, sizes)


def scheme_of(init: str | Scheme) -> Scheme:
    """The scheme of that name. Raises ValueError for an unknown one."""
    return Scheme(init) if isinstance(init, str) else init


def activation_of(activation: str | Activation) -> Activation:
    """The activation of that name. Raises ValueError for an unknown one."""
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(unknown("activation", activation, ACTIVATIONS))
    return ACTIVATIONS[activation]


LARGEST = 10**12
"""No number of a description is larger: beyond, numbers that a law adds would lose digits."""


def counts(**sizes: int) -> None:
    """Raises ValueError, naming it, for a size below 1 or above `LARGEST`."""
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}.")
        if value > LARGEST:
            raise ValueError(f"{name} must be at most 10^12.")


def choice(what: str, value: str, known: Any) -> None:
    """Raises ValueError for a name that is not known."""
    if value not in known:
        raise ValueError(unknown(what, value, known))


def norm_of(norm: str) -> tuple[Normalization, ...]:
    """The layers of a normalization of that name. Raises ValueError for an unknown one."""
    choice("norm", norm, NORMS)
    return NORMS[norm]
