"""The named architectures. The command line, the tables and the tests read this one list.

An architecture is a function of its options that returns a `Network`; `@architecture` registers
it under its own name (underscores become hyphens) with the widths and image sides that an
experiment uses unless told otherwise.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from theory.activations import reference_gain
from theory.initializers import Initializer, Scheme, unknown
from theory.network import (
    GELU,
    Activation,
    AvgPool,
    Border,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    Network,
    ReLU,
    SiLU,
    Tanh,
    residual,
    serial,
)

Head = Literal["dense", "avgpool", "gap", "gmaxpool"]
Pooling = Literal["stride", "average", "max"]
HEADS: tuple[str, ...] = get_args(Head)
POOLINGS: tuple[str, ...] = get_args(Pooling)
BORDERS: tuple[str, ...] = get_args(Border)

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


def find(name: str) -> Architecture:
    """The architecture of that name. Raises ValueError, suggesting the nearest name."""
    if name not in ARCHITECTURES:
        raise ValueError(unknown("architecture", name, ARCHITECTURES))
    return ARCHITECTURES[name]


def _scheme(init: str | Scheme) -> Scheme:
    return Scheme(init) if isinstance(init, str) else init


def _activation(activation: str | Activation) -> Activation:
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(unknown("activation", activation, ACTIVATIONS))
    return ACTIVATIONS[activation]


def _positive(**sizes: int) -> None:
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}.")


def _choice(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(unknown(what, value, known))


def _head(head: str, classes: int, scheme: Scheme) -> tuple[Layer, ...]:
    last = Dense(classes, scheme.last())
    heads: dict[str, tuple[Layer, ...]] = {
        "dense": (Flatten(), last),
        "avgpool": (AvgPool(2), Flatten(), last),
        "gap": (GlobalAvgPool(), last),
        "gmaxpool": (GlobalMaxPool(), last),
    }
    _choice("head", head, HEADS)
    return heads[head]


@architecture(widths=(64, 128, 256), sizes=(8, 16, 32, 64))
def mlp(
    width: int | Sequence[int] = 128,
    depth: int = 3,
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
) -> Network:
    """Fully connected network on the flattened image.

    `depth` counts hidden layers, all of `width` units; a sequence of widths gives each hidden
    layer its own and replaces `depth`. Last layer without activation.
    """
    widths = (width,) * depth if isinstance(width, int) else tuple(width)
    _positive(depth=len(widths), classes=classes, channels=channels, width=min(widths, default=1))
    scheme, act = _scheme(init), _activation(activation)
    hidden = scheme.hidden(reference_gain(act))
    layers: list[Layer] = [Flatten()]
    for features in widths:
        layers += [Dense(features, hidden), act]
    return Network("mlp", serial(*layers, Dense(classes, scheme.last())), channels)


@architecture(widths=(16, 32, 64), sizes=(16, 32, 64, 96))
def cnn(
    width: int = 32,
    depth: int = 4,
    head: Head = "dense",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
    border: Border = "circular",
) -> Network:
    """`depth` 3×3 convolutions of `width` channels; the second and the fourth have stride 2.

    The strides do not grow with the image. The side must be divisible by 4 (depth ≥ 4), and by 8
    with the head `avgpool`, a 2×2 average before the dense layer.
    """
    _positive(width=width, depth=depth, classes=classes, channels=channels)
    _choice("border", border, BORDERS)
    scheme, act = _scheme(init), _activation(activation)
    hidden = scheme.hidden(reference_gain(act))
    layers: list[Layer] = []
    for i in range(depth):
        layers += [Conv(width, hidden, stride=2 if i in (1, 3) else 1, border=border), act]
    return Network("cnn", serial(*layers, *_head(head, classes, scheme)), channels)


def _residual_blocks(
    width: int,
    depth: int,
    hidden: Initializer,
    border: Border,
    act: Activation,
    preactivation: bool,
) -> list[Layer]:
    """`depth` blocks of two convolutions; the second and third block halve the side."""
    layers: list[Layer] = []
    for i in range(depth):
        stride = 2 if i in (1, 2) else 1
        first = Conv(width, hidden, stride=stride, border=border)
        second = Conv(width, hidden, border=border)
        shortcut = Conv(width, hidden, kernel=1, stride=stride) if stride > 1 else None
        if preactivation:
            layers += [residual(serial(act, first, act, second), shortcut)]
        else:
            layers += [residual(serial(first, act, second), shortcut), act]
    return layers


@architecture(widths=(24, 40, 64), sizes=(16, 32, 64, 96))
def resnet(
    width: int = 32,
    depth: int = 3,
    head: Head = "dense",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
    border: Border = "circular",
) -> Network:
    """Textbook post-activation ResNet: relu(conv(relu(conv(x))) + shortcut(x)), `depth` blocks.

    A 3×3 convolution comes first; the second and third block have stride 2 and a 1×1 convolution
    as shortcut; all layers have `width` channels and there is no normalization. The side must be
    divisible by 4 (depth ≥ 3), and by 8 with the head `avgpool`.
    """
    _positive(width=width, depth=depth, classes=classes, channels=channels)
    _choice("border", border, BORDERS)
    scheme, act = _scheme(init), _activation(activation)
    hidden = scheme.hidden(reference_gain(act))
    stem = (Conv(width, hidden, border=border), act)
    blocks = _residual_blocks(width, depth, hidden, border, act, preactivation=False)
    return Network("resnet", serial(*stem, *blocks, *_head(head, classes, scheme)), channels)


@architecture(widths=(24, 40, 64), sizes=(16, 32, 64, 96))
def resnet_preact(
    width: int = 32,
    depth: int = 3,
    head: Head = "dense",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
    border: Border = "circular",
) -> Network:
    """Pre-activation ResNet: x + conv(relu(conv(relu(x)))), `depth` blocks, then a last ReLU.

    Strides, shortcuts and channels as in `resnet`.
    """
    _positive(width=width, depth=depth, classes=classes, channels=channels)
    _choice("border", border, BORDERS)
    scheme, act = _scheme(init), _activation(activation)
    hidden = scheme.hidden(reference_gain(act))
    stem = Conv(width, hidden, border=border)
    blocks = _residual_blocks(width, depth, hidden, border, act, preactivation=True)
    body = serial(stem, *blocks, act, *_head(head, classes, scheme))
    return Network("resnet-preact", body, channels)


@architecture(widths=(16, 32, 64), sizes=(32, 64, 128, 256))
def convnet_avdim(
    width: int = 64,
    depth: int = 8,
    head: Head = "dense",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
    border: Border = "reflect",
    pooling: Pooling = "stride",
    pool_after: Sequence[int] | None = None,
    dilation: int | Sequence[int] = 1,
) -> Network:
    """The family of the paper's experiments: `depth` 3×3 convolutions, without batch norm.

    `pool_after` numbers the layers (from 1) that halve the side: layers 1, 3, 5, ... unless given.
    They do so by stride 2, or by a 2×2 average or maximum between convolution and activation.
    `dilation` is one number or one for each layer.
    """
    _positive(width=width, depth=depth, classes=classes, channels=channels)
    _choice("border", border, BORDERS)
    _choice("pooling", pooling, POOLINGS)
    scheme, act = _scheme(init), _activation(activation)
    hidden = scheme.hidden(reference_gain(act))
    halving = set(range(1, depth + 1, 2) if pool_after is None else pool_after)
    if not halving <= set(range(1, depth + 1)):
        raise ValueError(f"pooling layers must lie between 1 and {depth}, not {sorted(halving)}.")
    dilations = [dilation] if isinstance(dilation, int) else list(dilation)
    dilations = dilations * depth if len(dilations) == 1 else dilations
    if len(dilations) != depth or min(dilations) < 1:
        raise ValueError(f"dilation takes one positive number or {depth}, not {dilations}.")
    pools: dict[str, tuple[Layer, ...]] = {
        "stride": (),
        "average": (AvgPool(2),),
        "max": (MaxPool(2),),
    }
    layers: list[Layer] = []
    for i, reach in enumerate(dilations, start=1):
        strided = pooling == "stride" and i in halving
        layers += [Conv(width, hidden, stride=2 if strided else 1, dilation=reach, border=border)]
        layers += [*(pools[pooling] if i in halving else ()), act]
    return Network("convnet-avdim", serial(*layers, *_head(head, classes, scheme)), channels)
