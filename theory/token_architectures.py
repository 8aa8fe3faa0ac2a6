"""Named architectures that read an image as a sequence of patches: MLP-Mixer and ViT.

Patches of a fixed size become more with a growing image (`patch`); a fixed number of them grow with
it (`tokens`).
"""

import math
from typing import get_args

from theory.activations import reference_gain
from theory.initializers import Scheme
from theory.network import (
    Activation,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    Network,
    residual,
    serial,
)
from theory.registry import (
    TokenHead,
    ViTHead,
    activation_of,
    architecture,
    choice,
    counts,
    scheme_of,
)
from theory.tokens import (
    ClassToken,
    FirstToken,
    MixPositions,
    Patches,
    PositionEmbedding,
    SelfAttention,
)

PATCH = 4
"""Side of a patch in pixels unless something else is asked for."""

EXPANSION = 4
"""Hidden features of a channel MLP over the network's width."""


def _patches(patch: int | None, tokens: int | None) -> Patches:
    if patch is not None and tokens is not None:
        raise ValueError("patches have a size (patch) or a number (tokens), not both.")
    counts(patch=PATCH if patch is None else patch, tokens=1 if tokens is None else tokens)
    if tokens is not None and math.isqrt(tokens) ** 2 != tokens:
        raise ValueError(f"tokens must be a square number, not {tokens}.")
    return Patches(patch or PATCH, tokens)


def _channel_mlp(width: int, scheme: Scheme, act: Activation) -> Layer:
    """Pre-norm residual: norm, dense, activation, dense, at every position alike."""
    inner = Dense(EXPANSION * width, scheme.hidden(reference_gain(act)))
    return residual(serial(LayerNorm(), inner, act, Dense(width, scheme.last())))


@architecture(widths=(32, 64, 128), sizes=(16, 32, 64))
def mlp_mixer(
    width: int = 64,
    depth: int = 2,
    head: TokenHead = "gap",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "gelu",
    init: str | Scheme = "he",
    patch: int | None = None,
    tokens: int | None = None,
) -> Network:
    """MLP-Mixer (Tolstikhin et al. 2021): `depth` blocks of token mixing and channel mixing.

    Patches become vectors of `width` features by one matrix. Both MLPs of a block stand in a
    residual branch behind a layer norm; that over positions has as many hidden positions as there
    are patches, that over channels 4 · `width` hidden features. A layer norm and the mean over
    positions (`gap`), or all positions (`dense`), come before the last layer. Patches are 4×4
    pixels, or as `patch` says; with `tokens` there are so many at every size.
    """
    counts(width=width, depth=depth, classes=classes, channels=channels)
    choice("head", head, get_args(TokenHead))
    scheme, act = scheme_of(init), activation_of(activation)
    hidden = scheme.hidden(reference_gain(act))
    layers: list[Layer] = [_patches(patch, tokens), Dense(width, scheme.last())]
    for _ in range(depth):
        over_tokens = (LayerNorm(), MixPositions(hidden), act, MixPositions(scheme.last()))
        layers += [residual(serial(*over_tokens)), _channel_mlp(width, scheme, act)]
    layers += [LayerNorm(), GlobalAvgPool() if head == "gap" else Flatten()]
    return Network("mlp-mixer", serial(*layers, Dense(classes, scheme.last())), channels)


@architecture(widths=(32, 64, 128), sizes=(16, 32, 64))
def vit(
    width: int = 64,
    depth: int = 2,
    head: ViTHead = "cls",
    classes: int = 10,
    channels: int = 3,
    activation: str | Activation = "gelu",
    init: str | Scheme = "he",
    patch: int | None = None,
    tokens: int | None = None,
    heads: int = 4,
) -> Network:
    """Vision transformer (Dosovitskiy et al. 2021) of `depth` pre-norm blocks, without biases.

    Patches become vectors of `width` features by one matrix, to which a random vector for each
    position is added, drawn as a weight of fan-in 1: of variance 1 by He initialization, as large
    as the patches themselves. A block is self-attention of `heads` heads and an MLP of 4 · `width`
    hidden features, both in a residual branch behind a layer norm. Logits are read from a layer
    norm of an additional position (`cls`), or of the mean over positions (`gap`). Patches as in
    `mlp_mixer`.
    """
    counts(width=width, depth=depth, classes=classes, channels=channels, heads=heads)
    choice("head", head, get_args(ViTHead))
    if width % heads:
        raise ValueError(f"width must be divisible by the {heads} heads, unlike {width}.")
    scheme, act = scheme_of(init), activation_of(activation)
    linear = scheme.last()
    layers: list[Layer] = [_patches(patch, tokens), Dense(width, linear)]
    layers += [ClassToken(linear)] if head == "cls" else []
    layers += [PositionEmbedding(linear)]
    for _ in range(depth):
        attention = residual(serial(LayerNorm(), SelfAttention(heads, linear)))
        layers += [attention, _channel_mlp(width, scheme, act)]
    layers += [LayerNorm(), FirstToken() if head == "cls" else GlobalAvgPool()]
    return Network("vit", serial(*layers, Dense(classes, linear)), channels)
