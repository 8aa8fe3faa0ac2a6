"""Pairs of positions: what values and gradients at two places of an image have in common.

In a wide network the units of a layer are samples of a Gaussian field over its positions. Forwards
its covariances follow from layer to layer, through arc-cosine kernels; backwards so do those of the
gradient. A kernel hands what two outputs o, o' have in common to two inputs i, i' if they are read
through the same tap, so that both ways the same matrix over pairs of positions is applied, where
`energy_map` applies one over positions. Inputs are white: pixels are uncorrelated.

Two kinds of pairs are told apart. Pairs that *meet* read, tap by tap, one pixel: a position and
itself, and, where a border reflects, some positions near it and their mirror images. They are
followed one by one. All others share a covariance of values, that of pixels far from each other,
and a gradient, if they see the same taps between themselves and an average over all positions.

The gradients of pairs that meet add up at the pixel where they do, which hypothesis H neglects
(`excess`). What squared gradients have in common, masks included, is how their local means over
channels vary together at finite width (`Together`, which the cascade reads).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, singledispatch

import numpy as np

from theory import activations
from theory.geometry import connections, taps
from theory.laws import kernels
from theory.laws.energy import (
    Connection,
    connection,
    energy_map,
    per_path,
    scaled_energy_map,
    shares,
)
from theory.laws.pairs import both, chosen, diagonal, meeting, union
from theory.laws.resolved import Resolved, ResolvedNorm, relative_variance
from theory.network import (
    Activation,
    BatchNorm,
    Branching,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Serial,
    Shape,
    SmoothActivation,
    output_shape,
    walk,
)
from theory.tokens import MixPositions, Patches

FAR = 1e60
"""Mean squares are brought back to 1 beyond this, unless gains depend on them."""


@dataclass(frozen=True, repr=False, eq=False)
class Together(Activation):
    """An activation with what it does to squared gradients at two positions.

    Covariances are relative to the means, and of one channel: over n channels they are n times
    smaller. S = φ'(z)² u² is such a square, u the gradient behind the activation. Compared by
    identity, since arrays have no hash by which functions of layers could be kept.
    """

    activation: Activation
    own: float
    """Var S / (E S)², at one position."""
    alike: np.ndarray
    """Of two positions whose coordinates agree modulo `alike.shape`; by these remainders."""
    other: float
    """Of two other positions."""

    def __repr__(self) -> str:
        return repr(self.activation)


@connection.register
def _(layer: Together, shape: Shape) -> Connection:
    return connection(layer.activation, shape)


@dataclass(frozen=True)
class Values:
    """Forwards, of one channel: means over channels, and over inputs."""

    pairs: np.ndarray
    """Positions along one axis that can meet, (m, 2); (i, i) is the i-th of them."""
    products: np.ndarray
    """Mean products at these pairs: (m, m) for both axes of an image, else (m, 1)."""
    square: float
    """Mean square, away from borders."""
    common: float
    """Mean product at positions that do not meet."""


@dataclass(frozen=True)
class Gradients:
    """Backwards: products of gradients at two positions, summed over channels."""

    products: np.ndarray
    """Of the pairs that can meet, as in `Values`."""
    energies: np.ndarray
    """What hypothesis H has for the squares, by position."""
    distinct: np.ndarray
    """Of a position and another one that is read through the same taps."""
    period: int
    """Positions that differ by multiples of it are read through the same taps."""


Pull = Callable[[Gradients], tuple[Gradients, Layer]]
"""Gradients behind a layer ↦ those before it, and the layer with its activations `Together`."""


@lru_cache(maxsize=256)
def together(body: Serial, shape: Shape) -> tuple[Serial, np.ndarray]:
    """The network with what positions have in common at its activations, and its excess.

    Args:
        body: the network, its gains known (`theory.laws.parts.gains`).
        shape: the integer shape of its input.

    Returns:
        The network with a `Together` in the place of each activation, and, for each input
        position, E(∂f_k/∂x)² over its value under hypothesis H (`energy_map`).
    """
    side = shape[0]
    values = Values(diagonal(side), np.ones((side, side if len(shape) == 3 else 1)), 1.0, 0.0)
    sizes_matter = any(isinstance(x, Resolved) and _is_smooth(x) for x in walk(body))
    pulls = []
    for inner in body.layers:
        values, pull = _push(inner, shape, values)
        pulls.append(pull)
        shape = output_shape(inner, shape)
        if not sizes_matter and not 1 / FAR < values.square < FAR:
            values = _values_times(values, 1 / values.square)
    one = np.ones((1, 1))
    found, layers = Gradients(one, one, one, 1), []
    for pull in reversed(pulls):
        found, layer = pull(found)
        layers.append(layer)
        largest = found.energies.max()
        if largest > 0 and not 1 / FAR < largest < FAR:
            found = _times(found, 1 / largest)
    energies = found.energies
    squares = found.products[: energies.shape[0], : energies.shape[1]]
    excess = np.divide(squares, energies, out=np.ones_like(energies), where=energies > 0)
    return Serial(tuple(reversed(layers))), excess


def coherent_energy_map(body: Serial, shape: Shape) -> tuple[np.ndarray, int]:
    """E(∂f_k/∂x)² at each input position, summed over channels, gradients that meet included.

    As (map, k), standing for map · 4^k; arguments as of `together`.
    """
    energies, k = scaled_energy_map(body, shape, np.ones((1, 1)))
    return energies * together(body, shape)[1], k


def _is_smooth(layer: Resolved) -> bool:
    return isinstance(layer.activation, SmoothActivation)


@singledispatch
def _push(layer: Layer, shape: Shape, values: Values) -> tuple[Values, Pull]:
    """What stands behind a layer, and the function that pulls gradients back through it."""
    through = taps(layer, shape[0] if len(shape) > 1 else 1)
    pairs, matrix = meeting(through, values.pairs)
    reads = through.sum(axis=2)
    counts = (reads[:, pairs[:, 0]] * reads[:, pairs[:, 1]]).sum(axis=0)
    most = through.sum(axis=(0, 2)).max(), (reads**2).sum(axis=0).max()
    behind, mix = _mixed(layer, shape, values, pairs, matrix, counts, most)
    factor = getattr(layer, "stride", getattr(layer, "window", 1))

    def pull(after: Gradients) -> tuple[Gradients, Layer]:
        energies = energy_map(layer, shape, after.energies)
        everywhere = isinstance(layer, GlobalAvgPool)
        distinct = energies if everywhere else energy_map(layer, shape, after.distinct)
        return Gradients(mix(after.products), energies, distinct, after.period * factor), layer

    return behind, pull


def _values_times(values: Values, factor: float) -> Values:
    return Values(
        values.pairs, values.products * factor, values.square * factor, values.common * factor
    )


def _times(gradients: Gradients, factor: float) -> Gradients:
    return replace(
        gradients,
        products=gradients.products * factor,
        energies=gradients.energies * factor,
        distinct=gradients.distinct * factor,
    )


@_push.register
def _(layer: Serial, shape: Shape, values: Values) -> tuple[Values, Pull]:
    pulls = []
    for inner in layer.layers:
        values, pull = _push(inner, shape, values)
        pulls.append(pull)
        shape = output_shape(inner, shape)

    def pull_all(after: Gradients) -> tuple[Gradients, Layer]:
        found = []
        for pull in reversed(pulls):
            after, inner = pull(after)
            found.append(inner)
        return after, Serial(tuple(reversed(found)))

    return values, pull_all


@_push.register
def _(layer: Branching, shape: Shape, values: Values) -> tuple[Values, Pull]:
    ways = [_push(way, shape, values) for way in (layer.branch, layer.shortcut)]
    weights = [float(share) for share in shares(layer, shape)]
    pairs, places = union([behind.pairs for behind, _ in ways])
    total = Values(pairs, np.zeros(()), 0.0, 0.0)
    for (behind, _), weight, place in zip(ways, weights, places, strict=True):
        there = chosen(place, behind.products)
        is_image = behind.products.shape[1] > 1
        products = np.full((len(pairs), len(pairs) if is_image else 1), behind.common)
        products[there] = behind.products
        total = Values(
            pairs,
            total.products + weight * products,
            total.square + weight * behind.square,
            total.common + weight * behind.common,
        )

    def pull(after: Gradients) -> tuple[Gradients, Layer]:
        found = []
        for (behind, pull_way), weight, place in zip(ways, weights, places, strict=True):
            products = after.products[chosen(place, behind.products)]
            found.append(pull_way(_times(replace(after, products=products), weight)))
        (branch, branch_layer), (shortcut, shortcut_layer) = found
        before = Gradients(
            branch.products + shortcut.products,
            branch.energies + shortcut.energies,
            branch.distinct + shortcut.distinct,
            branch.period,
        )
        return before, type(layer)(branch_layer, shortcut_layer)

    return total, pull


@_push.register(Flatten)
@_push.register(MixPositions)
@_push.register(MaxPool)
@_push.register(GlobalMaxPool)
def _(layer: Layer, shape: Shape, values: Values) -> tuple[Values, Pull]:
    # every connection has a weight of its own, or is chosen by itself
    paths = connections(layer, shape[0])
    matrix = np.zeros((len(paths), len(values.pairs)))
    matrix[:, : shape[0]] = paths
    counts, own = matrix.sum(axis=1), int(paths.sum(axis=1).max())
    most = own, 0 if isinstance(layer, MixPositions) else own
    behind, mix = _mixed(layer, shape, values, diagonal(len(paths)), matrix, counts, most)

    def pull(after: Gradients) -> tuple[Gradients, Layer]:
        energies = energy_map(layer, shape, after.energies)
        return Gradients(mix(after.products), energies, np.zeros_like(energies), 1), layer

    return behind, pull


def _mixed(
    layer: Layer,
    shape: Shape,
    values: Values,
    pairs: np.ndarray,
    matrix: np.ndarray,
    counts: np.ndarray,
    most: tuple[int, int],
) -> tuple[Values, Callable[[np.ndarray], np.ndarray]]:
    """Values behind a layer that mixes positions, and how products of gradients go back.

    `matrix` says how often each of `pairs` of outputs reads pairs of inputs that can meet, `counts`
    how many it reads; `most` what a position away from borders reads of itself, and of another.
    """
    share, axes = float(per_path(layer, shape)), len(shape) - 1
    far = both(counts, axes) - both(matrix.sum(axis=1), axes)
    products = matrix @ values.products @ matrix.T if axes == 2 else matrix @ values.products
    own, other = (float(count) ** axes for count in most)
    behind = Values(
        pairs,
        share * (products + values.common * far),
        share * (own * values.square + max(other - own, 0) * values.common),
        share * other * values.common,
    )

    def mix(after: np.ndarray) -> np.ndarray:
        return share * (matrix.T @ after @ matrix if axes == 2 else matrix.T @ after)

    return behind, mix


@_push.register
def _(layer: Patches, shape: Shape, values: Values) -> tuple[Values, Pull]:
    tokens, side = output_shape(layer, shape)[0], shape[0]
    behind = Values(
        diagonal(tokens), np.full((tokens, 1), values.square), values.square, values.common
    )

    def pull(after: Gradients) -> tuple[Gradients, Layer]:
        products = np.zeros_like(values.products)
        products[:side, :side] = energy_map(layer, shape, after.products)
        energies = energy_map(layer, shape, after.energies)
        return Gradients(products, energies, np.zeros_like(energies), 1), layer

    return behind, pull


@_push.register
def _(layer: ResolvedNorm, shape: Shape, values: Values) -> tuple[Values, Pull]:
    # a batch norm takes away what all positions have in common
    mean = values.common if isinstance(layer.norm, BatchNorm) else 0.0
    square = values.square - mean
    behind = Values(
        values.pairs, (values.products - mean) / square, 1.0, (values.common - mean) / square
    )
    share = float(per_path(layer, shape))
    return behind, lambda after: (_times(after, share), layer)


@_push.register
def _(layer: Activation, shape: Shape, values: Values) -> tuple[Values, Pull]:
    inner = layer.activation if isinstance(layer, Resolved) else layer
    one, other = (values.products[chosen(places, values.products)] for places in values.pairs.T)
    near = (one, other, values.products)
    v, c = np.array([values.square]), np.array([values.common])
    far, itself, apart = (v, v, c), (v, v, v), (v, v, 0 * v)
    behind = Values(
        values.pairs,
        kernels.values(inner, *near),
        float(kernels.values(inner, *itself)[0]),
        float(kernels.values(inner, *far)[0]),
    )
    second, fourth = (_slope_moment(layer, power) for power in (2, 4))

    def between(power: int, least: float, *covariances: np.ndarray) -> np.ndarray:
        """E φ'^power φ'^power, from 0 where it is `least` to 1 of a position with itself."""
        most = float(kernels.slopes(inner, *itself, power=power)[0])
        found = kernels.slopes(inner, *covariances, power=power)
        return (found - least) / (most - least) if most > least else np.zeros_like(found)

    kept, kept_far = (second * between(1, 0.0, *x) for x in (near, far))
    unequal = float(kernels.slopes(inner, *apart, power=2)[0])
    square_far = 1 + (fourth / second**2 - 1) * float(between(2, unequal, *far)[0])

    def pull(after: Gradients) -> tuple[Gradients, Layer]:
        before = Gradients(
            after.products * kept,
            after.energies * second,
            after.distinct * float(kept_far[0]),
            after.period,
        )
        # Gaussian gradients of correlation r have E u² u'² = 1 + 2r² times E u² E u'²
        energy, distinct = (
            _by_remainder(x, after.period) for x in (after.energies, after.distinct)
        )
        r = np.divide(distinct, energy, out=np.zeros_like(energy), where=energy > 0)
        own = relative_variance(second, fourth)
        least = float(np.clip(square_far - 1, 0, own))
        alike = np.clip(square_far * (1 + 2 * r**2) - 1, least, own)
        return before, Together(layer, own, alike, least)

    return behind, pull


def _slope_moment(layer: Activation, power: int) -> float:
    if isinstance(layer, Resolved):
        return float(layer.second_moment if power == 2 else layer.fourth_moment)
    return float(activations.slope_moment(layer, 1, power))


def _by_remainder(x: np.ndarray, period: int) -> np.ndarray:
    """The means of a map over positions that agree modulo `period` along each of its axes."""
    rows, columns = (min(period, n) for n in x.shape)
    return x.reshape(x.shape[0] // rows, rows, x.shape[1] // columns, columns).mean(axis=(0, 2))
