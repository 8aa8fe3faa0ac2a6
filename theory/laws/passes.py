"""Forward and backward passes through a dense network with Gaussian weights, without its matrices.

Given the forward pass h_0 = x, h_1, …, each weight matrix is what the pass has shown of it, plus an
independent Gaussian matrix across it. So the vector v that arrives backwards behind a layer is,
along h, known from Euler's identity, h · v = r · f, and across it Gaussian of length ‖v‖. A few
numbers follow a draw through any network. With a standard Gaussian g ∈ R^K, S_l the squared norms
forwards and B_l open ReLUs of layer l,

    f = √v √(S_1 ⋯ S_L) g,   b_{L+1} = ‖r‖²,   r = softmax(f) − onehot(label),
    b_l = b_{l+1} χ²_{B_l − 1} + (r·g)² S_{l+1} ⋯ S_L,   ‖∂_x L‖_2² ∝ b_0,   B_0 = d,

all in units of their means. Source: derived in the statement `joint-law`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from theory.laws.masked_sum import MaskedSum

EACH = 6
"""Uniform variables for one hidden layer."""


@dataclass(frozen=True)
class Pass:
    """What draws of the weights do at one hidden layer, in units of E S; arrays over draws.

    Behind a leaky ReLU of slope a both the open and the shut units pass something on. In the plane
    of their two parts of h, the vector v has one coordinate along h and one across it.
    """

    forwards: Float[np.ndarray, " draws"]
    """S, the squared norm of a Gaussian vector behind the mask."""
    cosine: Float[np.ndarray, " draws"]
    """Length of the open part of h over that of h; 0 if there is none."""
    tilt: Float[np.ndarray, " draws"]
    """N(0, 1), the coordinate across h in the plane; 0 where one of the two parts is empty."""
    kept: Float[np.ndarray, " draws"]
    """χ² of B − 1 degrees, the open units across that plane."""
    rest: Float[np.ndarray, " draws"]
    """χ² of n − B − 1 degrees, the shut units across that plane."""
    slope: float
    unit: float
    """E S, which divides what comes out backwards."""


@dataclass(frozen=True)
class Passes:
    """Draws of a whole network, but for its input dimension and the size of its logits."""

    gaussians: Float[np.ndarray, "draws classes"]
    """g: logits over their size."""
    layers: tuple[Pass, ...]
    first: Float[np.ndarray, " draws"]
    """Uniform variables, from which the first layer is drawn."""
    log_weights: Float[np.ndarray, " draws"]
    """Logarithm of probability over the probability that it was drawn with."""


def dimension(hidden: tuple[MaskedSum, ...], classes: int) -> int:
    """The number of uniform variables that a draw is made of."""
    return classes + 2 + EACH * len(hidden)


def draw(
    hidden: tuple[MaskedSum, ...],
    classes: int,
    points: Float[np.ndarray, "draws dimension"],
    order: float = 0,
) -> Passes:
    """Networks from uniform variables, with their weights in a mean of ‖∂_x L‖_2^order.

    b_0 has one term that goes backwards through all layers, and one for each layer l that goes
    backwards through those before it and forwards through those behind it. In each draw one of
    these terms is larger than is likely, so that the norm times the weight hardly varies.

    Args:
        hidden: the hidden layers, the one next to the input first.
        classes: the number K of logits.
        points: `dimension` numbers in (0, 1) for each draw, random or quasi-random.
        order: r ≥ 0; with 0 all weights are 1.
    """
    uniform = np.clip(points.T, 1e-15, 1 - 1e-15)
    draws = len(points)
    shares = np.array([*(1 / float(layer.integer_moment(1)) for layer in hidden), 1.0])
    shares /= shares.sum()
    place = _discrete(shares, uniform[classes])
    log_weights, terms = np.zeros(draws), np.tile(np.log(shares)[:, None], draws)
    layers = []
    for i, layer in enumerate(hidden):
        start = classes + 2 + EACH * i
        own = uniform[start : start + EACH]
        active, log_weight = _open_units(layer, order, own[0])
        kept, backwards = _tilted_chi_square(active - 1, order, place > i, own[1])
        opened, forwards = _tilted_chi_square(active, order, place < i, own[2])
        layers.append(_passed(layer, active, opened, kept, own[3:]))
        log_weights += log_weight
        terms[i + 1 :] += backwards
        terms[:i] += forwards
    log_weights -= special.logsumexp(terms, axis=0)
    return Passes(
        special.ndtri(uniform[:classes].T), tuple(layers), uniform[classes + 1], log_weights
    )


@dataclass(frozen=True)
class Behind:
    """What arrives at the first layer of weights from behind, whatever the input dimension."""

    squares: Float[np.ndarray, "draws labels"]
    """b_1."""
    along: Float[np.ndarray, "draws labels"]
    """r · g."""
    total: Float[np.ndarray, " draws"]
    """S_1 ⋯ S_L."""
    first: Float[np.ndarray, " draws"]
    """As of `Passes`."""


def behind_first_layer(
    passes: Passes, labels: Int[np.ndarray, "draws labels"], variance: float
) -> Behind:
    """The backward pass of each draw and label, as far as it does not depend on the input.

    Args:
        passes: draws of networks.
        labels: labels for each of them.
        variance: v, the mean square of a logit at an input of length √d.
    """
    g, total = passes.gaussians, np.ones(len(passes.gaussians))
    for layer in passes.layers:
        total = total * layer.forwards
    p = special.softmax(np.sqrt(variance * total)[:, None] * g, axis=1)
    squares = np.sum(p**2, axis=1, keepdims=True) - 2 * np.take_along_axis(p, labels, 1) + 1
    along = np.sum(p * g, axis=1, keepdims=True) - np.take_along_axis(g, labels, 1)
    behind = np.ones_like(total)
    for layer in reversed(passes.layers):
        squares = _backwards(layer, squares, along * np.sqrt(behind)[:, None])
        behind = behind * layer.forwards
    return Behind(squares, along, total, passes.first)


def squared_norms(behind: Behind, d: float) -> Float[np.ndarray, "draws labels"]:
    """‖∂_x L‖_2² over E‖∂_x f_k‖_2² at input dimension d, possibly infinite."""
    if d == np.inf:
        return behind.squares
    across = _chi_square(np.full(len(behind.total), d - 1), behind.first)
    return (behind.squares * across[:, None] + behind.along**2 * behind.total[:, None]) / d


def _passed(
    layer: MaskedSum,
    active: Int[np.ndarray, " draws"],
    opened: Float[np.ndarray, " draws"],
    kept: Float[np.ndarray, " draws"],
    uniform: Float[np.ndarray, "3 draws"],
) -> Pass:
    """The pass with so many open units, squared norm of theirs, and χ² backwards."""
    n, slope = layer.units, float(layer.slope)
    unit, none = n * (1 + slope**2) / 2, np.zeros(len(active))
    shut, rest, tilt = none, none, none
    if slope not in (0, 1):
        shut = _chi_square(n - active, uniform[0])
        rest = _chi_square(n - active - 1, uniform[1])
        tilt = np.where((active > 0) & (active < n), special.ndtri(uniform[2]), 0.0)
    forwards = opened + slope**2 * shut
    cosine = np.sqrt(opened / np.where(forwards > 0, forwards, 1))
    return Pass(forwards / unit, cosine, tilt, kept, rest, slope, unit)


def _backwards(
    layer: Pass,
    squares: Float[np.ndarray, "draws labels"],
    along: Float[np.ndarray, "draws labels"],
) -> Float[np.ndarray, "draws labels"]:
    """‖v‖² behind the mask, from what it would be per unit and v's coordinate along h."""
    columns = (layer.cosine, layer.tilt, layer.kept, layer.rest)
    cosine, tilt, kept, rest = (x[:, None] for x in columns)
    if layer.slope in (0, 1):
        return (along**2 * cosine**2 + squares * kept) / layer.unit
    sine, across = np.sqrt(np.maximum(1 - cosine**2, 0)), np.sqrt(squares) * tilt
    opened = (along * cosine - across * sine) ** 2 + squares * kept
    shut = (along * sine + across * cosine) ** 2 + squares * rest
    return (opened + layer.slope**2 * shut) / layer.unit


def _open_units(
    layer: MaskedSum, order: float, uniform: Float[np.ndarray, " draws"]
) -> tuple[Int[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """The number of open units, drawn in proportion to probability × (their energy)^{r/2}."""
    n, square = layer.units, float(layer.slope) ** 2
    if square == 1:
        return np.full(len(uniform), n), np.zeros(len(uniform))
    b = np.arange(n + 1)
    log_chance = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(n - b + 1)
    energy = ((b + square * (n - b)) / (n * (1 + square) / 2)) ** (order / 2)
    chance = np.exp(log_chance - n * np.log(2)) * energy
    active = _discrete(chance, uniform)
    return active, np.log(chance.sum()) - np.log(energy[active])


def _discrete(
    chances: Float[np.ndarray, " values"], uniform: Float[np.ndarray, " draws"]
) -> Int[np.ndarray, " draws"]:
    """Indices drawn with probabilities in proportion to `chances`."""
    below = np.cumsum(chances)
    return np.searchsorted(below[:-1] / below[-1], uniform, side="right")


def _chi_square(degrees: Any, uniform: Float[np.ndarray, " draws"]) -> np.ndarray:
    """χ² variables; 0 without degrees of freedom."""
    found = 2 * special.gammaincinv(np.maximum(degrees, 1) / 2, uniform)
    return np.where(degrees > 0, found, 0.0)


def _tilted_chi_square(
    degrees: Int[np.ndarray, " draws"],
    order: float,
    larger: np.ndarray,
    uniform: Float[np.ndarray, " draws"],
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """χ² variables, and log (χ²)^{r/2} / E (χ²)^{r/2} of each of them.

    Where `larger`, they are drawn in proportion to probability × (χ²)^{r/2}. Without degrees of
    freedom they are 0, and so is the logarithm.
    """
    some = degrees > 0
    found = _chi_square(np.where(some, degrees + order * larger, 0), uniform)
    half, power = np.where(some, degrees, 1) / 2, order / 2
    mean = power * np.log(2) + special.gammaln(half + power) - special.gammaln(half)
    log_ratio = power * np.log(np.where(some, found, 1)) - mean
    return found, np.where(some, log_ratio, 0.0)
