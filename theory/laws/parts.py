"""What a law is made of: the kind of network, its hidden layers, their finite widths."""

from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
import sympy as sp
from scipy import special

from theory.activations import negative_slope
from theory.initializers import is_gaussian
from theory.laws import gaussian, wide
from theory.laws.energy import (
    forward_gain,
)
from theory.laws.masked_sum import MaskedSum
from theory.laws.resolved import relative_variance
from theory.network import (
    Activation,
    Dense,
    Flatten,
    Identity,
    Layer,
    Network,
    Serial,
    Shape,
    walk,
)

Quantity = Literal["logit", "loss"]

QUANTITIES: tuple[str, ...] = get_args(Quantity)

Basis = Literal["exact", "hypothesis-H", "wide"]

BASES: tuple[str, ...] = get_args(Basis)

d = sp.Symbol("d", positive=True)
"""The input dimension, channels · side²."""


def classes(network: Network) -> int:
    """The number of logits."""
    return [layer for layer in network.body.layers if isinstance(layer, Dense)][-1].features


def is_spatial(layer: Layer) -> bool:
    """True if the network reads its input as an image, false if it only flattens it."""
    flat = (Flatten, Dense, Activation, Serial)
    return not all(isinstance(inner, flat) for inner in walk(layer))


@lru_cache(maxsize=1024)
def gains(body: Serial, shape: Shape, resolve: bool) -> tuple[Serial, Any]:
    """The network with all gains known, and the mean square of its logits."""
    if not resolve:
        return body, forward_gain(body, shape)
    found = wide.resolve(body, shape)
    return found.body, found.mean_square


def gaussian_hidden_layers(body: Serial) -> list[tuple[int, Activation]] | None:
    """(width, activation) of every hidden layer of a dense network with Gaussian weights.

    None if some weights are not independent Gaussians, or an activation does not follow a layer of
    weights. `body` must not be spatial.
    """
    hidden: list[tuple[int, Activation]] = []
    for layer in walk(body):
        if isinstance(layer, Dense):
            if not is_gaussian(layer.init):
                return None
            hidden.append((layer.features, Identity()))
        elif isinstance(layer, Activation):
            if not hidden or hidden[-1][1] != Identity():
                return None
            hidden[-1] = (hidden[-1][0], layer)
    return hidden[:-1]


def masked_sums(network: Network) -> tuple[MaskedSum, ...]:
    """The hidden layers of a network with an exact law."""
    hidden = gaussian_hidden_layers(network.body) or []
    return tuple(MaskedSum(n, sp.sympify(negative_slope(layer))) for n, layer in hidden)


def finite_width(n: int, activation: Any) -> sp.Expr:
    """E√S / √E S for S = Σ_i D_i² u_i² behind the mask of a hidden layer of n units, exact."""
    a = negative_slope(activation)
    return gaussian.masked_chi_mean(n, a) / sp.sqrt(n * (1 + a**2) / 2)


@lru_cache(maxsize=1024)
def finite_width_value(n: int, activation: Any) -> float:
    """`finite_width` as a number; S of a resolved activation is taken as a gamma variable."""
    if isinstance(activation, wide.Resolved):
        moments = activation.second_moment, activation.fourth_moment
        k = n / float(relative_variance(*moments))
        return root_of_gamma(k)
    a = float(negative_slope(activation))
    return gaussian.masked_chi_value(n, a) / np.sqrt(n * (1 + a**2) / 2)


def root_of_gamma(order: float) -> float:
    """E√F of a gamma variable F of mean 1 and variance 1/order."""
    return float(special.poch(order, 0.5) / np.sqrt(order))
