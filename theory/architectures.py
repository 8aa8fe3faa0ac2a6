"""The named architectures. The command line, the tables and the tests read this one list.

Networks of convolutions and dense layers are here, those that read an image as a sequence of
patches in `theory.token_architectures`; both are in the list `ARCHITECTURES`.
"""

from collections.abc import Sequence

from theory.activations import reference_gain
from theory.initializers import Initializer, Scheme
from theory.network import (
    Activation,
    AvgPool,
    Border,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Network,
    Normalization,
    concat,
    residual,
    serial,
)
from theory.registry import (
    ACTIVATIONS,
    ARCHITECTURES,
    BORDERS,
    HEADS,
    POOLINGS,
    Architecture,
    Head,
    Norm,
    Pooling,
    activation_of,
    architecture,
    choice,
    counts,
    find,
    norm_of,
    scheme_of,
)

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "BORDERS",
    "HEADS",
    "POOLINGS",
    "Architecture",
    "Scheme",
    "architecture",
    "cnn",
    "convnet_avdim",
    "densenet",
    "find",
    "mlp",
    "mlp_mixer",
    "resnet",
    "resnet_preact",
    "vit",
]


def _head(head: str, classes: int, scheme: Scheme) -> tuple[Layer, ...]:
    last = Dense(classes, scheme.last())
    heads: dict[str, tuple[Layer, ...]] = {
        "dense": (Flatten(), last),
        "avgpool": (AvgPool(2), Flatten(), last),
        "gap": (GlobalAvgPool(), last),
        "gmaxpool": (GlobalMaxPool(), last),
    }
    choice("head", head, HEADS)
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
    counts(depth=len(widths), classes=classes, channels=channels)
    for units in widths:
        counts(width=units)
    scheme, act = scheme_of(init), activation_of(activation)
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
    norm: Norm = "none",
) -> Network:
    """`depth` 3×3 convolutions of `width` channels; the second and the fourth have stride 2.

    With a `norm`, it stands between each convolution and its activation. The strides do not grow
    with the image. The side must be divisible by 4 (depth ≥ 4), and by 8 with the head `avgpool`, a
    2×2 average before the dense layer.
    """
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("border", border, BORDERS)
    scheme, act = scheme_of(init), activation_of(activation)
    hidden = scheme.hidden(reference_gain(act))
    layers: list[Layer] = []
    for i in range(depth):
        conv = Conv(width, hidden, stride=2 if i in (1, 3) else 1, border=border)
        layers += [conv, *norm_of(norm), act]
    return Network("cnn", serial(*layers, *_head(head, classes, scheme)), channels)


def _residual_blocks(
    width: int,
    depth: int,
    hidden: Initializer,
    border: Border,
    act: Activation,
    norm: tuple[Normalization, ...],
    preactivation: bool,
) -> list[Layer]:
    """`depth` blocks of two convolutions; the second and third block halve the side."""
    layers: list[Layer] = []
    for i in range(depth):
        stride = 2 if i in (1, 2) else 1
        first = Conv(width, hidden, stride=stride, border=border)
        second = Conv(width, hidden, border=border)
        shortcut: Layer | None = None
        if stride > 1:
            shortcut = Conv(width, hidden, kernel=1, stride=stride)
        if preactivation:
            layers += [residual(serial(*norm, act, first, *norm, act, second), shortcut)]
        else:
            if shortcut is not None and norm:
                shortcut = serial(shortcut, *norm)
            layers += [residual(serial(first, *norm, act, second, *norm), shortcut), act]
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
    norm: Norm = "none",
) -> Network:
    """Textbook post-activation ResNet: relu(conv(relu(conv(x))) + shortcut(x)), `depth` blocks.

    A 3×3 convolution comes first; the second and third block have stride 2 and a 1×1 convolution
    as shortcut; all layers have `width` channels. With a `norm`, it stands behind every convolution
    (He et al. 2015). The side must be divisible by 4 (depth ≥ 3), and by 8 with the head `avgpool`.
    """
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("border", border, BORDERS)
    scheme, act = scheme_of(init), activation_of(activation)
    hidden = scheme.hidden(reference_gain(act))
    stem = (Conv(width, hidden, border=border), *norm_of(norm), act)
    blocks = _residual_blocks(width, depth, hidden, border, act, norm_of(norm), preactivation=False)
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
    norm: Norm = "none",
) -> Network:
    """Pre-activation ResNet: x + conv(relu(conv(relu(x)))), `depth` blocks, then a last ReLU.

    Strides, shortcuts and channels as in `resnet`. With a `norm`, it stands before every activation
    (He et al. 2016).
    """
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("border", border, BORDERS)
    scheme, act = scheme_of(init), activation_of(activation)
    hidden = scheme.hidden(reference_gain(act))
    stem = Conv(width, hidden, border=border)
    blocks = _residual_blocks(width, depth, hidden, border, act, norm_of(norm), preactivation=True)
    body = serial(stem, *blocks, *norm_of(norm), act, *_head(head, classes, scheme))
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
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("border", border, BORDERS)
    choice("pooling", pooling, POOLINGS)
    scheme, act = scheme_of(init), activation_of(activation)
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


DENSE_BLOCKS = 3


@architecture(widths=(8, 12, 16), sizes=(16, 32, 64, 96))
def densenet(
    width: int = 12,
    depth: int = 3,
    head: Head = "dense",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "relu",
    init: str | Scheme = "he",
    border: Border = "circular",
    norm: Norm = "none",
) -> Network:
    """DenseNet of growth rate `width` (Huang et al. 2017): three blocks of `depth` layers.

    A 3×3 convolution of 2 · `width` channels comes first. A layer of a block puts `width` new
    channels, a 3×3 convolution of the activated stream, next to the stream. Between two blocks a
    1×1 convolution halves the channels, and a 2×2 average the side; a last activation follows. With
    a `norm`, it stands before every activation. The side must be divisible by 4, and by 8 with the
    head `avgpool`.
    """
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("border", border, BORDERS)
    scheme, act = scheme_of(init), activation_of(activation)
    hidden = scheme.hidden(reference_gain(act))
    activated = (*norm_of(norm), act)
    count = 2 * width
    layers: list[Layer] = [Conv(count, hidden, border=border)]
    for block in range(DENSE_BLOCKS):
        if block > 0:
            count //= 2
            layers += [*activated, Conv(count, hidden, kernel=1), AvgPool(2)]
        layers += [concat(serial(*activated, Conv(width, hidden, border=border)))] * depth
        count += depth * width
    body = serial(*layers, *activated, *_head(head, classes, scheme))
    return Network("densenet", body, channels)


from theory.token_architectures import mlp_mixer, vit  # noqa: E402 -- at the end of the list
