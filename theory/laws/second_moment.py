"""Where E(∂f/∂x_i)² is exact: with the network's own masks, at every width and every input.

Let every ReLU read one sum z = Σ_a w_a h_a of weights that are uncorrelated, symmetric about 0
and independent of all that the unit reads. The change w → −w leaves (Σ_a w_a u_a)² as it is, u the
derivatives, and exchanges the two masks of z: so the mask halves the second moment, whatever it
depends on. Layer by layer this gives Theorem 5 of Simon-Gabriel et al. (ICML 2019) without its
hypothesis that masks are independent of weights (statement `true-masks`). Kernels may be shared by
positions, and weights need not be Gaussian.

What is not covered is a sum with equal or fixed coefficients, whose cross terms need not vanish: an
average over positions, a maximum, a normalization, and a ReLU behind a residual addition.
"""

from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Literal

from theory.network import (
    Activation,
    AvgPool,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyReLU,
    Network,
    ReLU,
    Residual,
    Serial,
    Weighted,
)
from theory.tokens import MixPositions, Patches

SecondMomentBasis = Literal["exact", "hypothesis-H", "wide"]

TRUE_MASKS = (
    "weights are symmetric about 0 and every ReLU reads one sum of them: second moments are exact "
    "with the network's own masks"
)
"""What an exact second moment rests on, in the place of the paper's hypothesis on masks."""


@dataclass(frozen=True)
class Stream:
    """What a layer reads."""

    summed: bool
    """Every unit is one sum of symmetric weights that nothing before it knows."""
    apart: bool
    """Of the positions of the image at most one depends on any given input pixel."""


@dataclass(frozen=True)
class Breach:
    """The first layer where the condition fails, and why, in words that follow its name."""

    layer: Layer
    reason: str

    def __str__(self) -> str:
        return f"{self.layer!r} {self.reason}"


INPUT = Stream(summed=False, apart=True)


@lru_cache(maxsize=1024)
def breach(body: Serial) -> Breach | None:
    """The first layer at which second moments stop to be exact; None if they are exact."""
    found = _behind(body, INPUT)
    return found if isinstance(found, Breach) else None


def second_moment_basis(network: Network, otherwise: SecondMomentBasis) -> SecondMomentBasis:
    """What E(∂f_k/∂x_i)² of a logit rests on: "exact", or `otherwise` where a layer forbids it."""
    return "exact" if breach(network.body) is None else otherwise


@singledispatch
def _behind(layer: Layer, stream: Stream) -> Stream | Breach:
    """What stands behind `layer`, or the layer inside of it that breaks the condition."""
    return Breach(layer, "is no sum of weights")


@_behind.register(Dense)
@_behind.register(Conv)
@_behind.register(MixPositions)
def _(layer: Weighted, stream: Stream) -> Stream | Breach:
    pointwise = isinstance(layer, Dense) or (isinstance(layer, Conv) and layer.kernel == 1)
    return Stream(summed=True, apart=stream.apart and pointwise)


@_behind.register(ReLU)
@_behind.register(LeakyReLU)
def _(layer: Activation, stream: Stream) -> Stream | Breach:
    if not stream.summed:
        return Breach(layer, "reads what is not one sum of symmetric weights of its own")
    return Stream(summed=False, apart=stream.apart)


@_behind.register(Identity)
@_behind.register(Patches)
def _(layer: Layer, stream: Stream) -> Stream | Breach:
    return stream


@_behind.register
def _(layer: Flatten, stream: Stream) -> Stream | Breach:
    return Stream(stream.summed, apart=False)


@_behind.register(AvgPool)
@_behind.register(GlobalAvgPool)
def _(layer: Layer, stream: Stream) -> Stream | Breach:
    if not stream.apart:
        return Breach(layer, "adds with equal coefficients units that share weights")
    return stream


@_behind.register
def _(layer: Serial, stream: Stream) -> Stream | Breach:
    for inner in layer.layers:
        found = _behind(inner, stream)
        if isinstance(found, Breach):
            return found
        stream = found
    return stream


@_behind.register(Residual)
@_behind.register(Concat)
def _(layer: Residual | Concat, stream: Stream) -> Stream | Breach:
    branch, shortcut = _behind(layer.branch, stream), _behind(layer.shortcut, stream)
    if isinstance(branch, Breach):
        return branch
    if isinstance(shortcut, Breach):
        return shortcut
    apart = branch.apart and shortcut.apart
    if isinstance(layer, Concat):
        return Stream(branch.summed and shortcut.summed, apart)
    fresh = ends_in_weights(layer.branch), ends_in_weights(layer.shortcut)
    if not any(fresh):
        return Breach(layer, "adds two ways of which neither ends in weights of its own")
    return Stream(all(fresh), apart)


def ends_in_weights(way: Layer) -> bool:
    """True if the last layer of a way is a sum of weights of its own."""
    if isinstance(way, Serial):
        return bool(way.layers) and ends_in_weights(way.layers[-1])
    return isinstance(way, Weighted)
