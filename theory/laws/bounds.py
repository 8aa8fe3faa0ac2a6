"""Bounds for E‖∂f_k/∂x‖_q from second and fourth moments: no coordinate is taken as Gaussian.

Where second moments are exact (`theory.laws.second_moment`) the same change of sign gives fourth
moments. With flatness F ≥ E g_i⁴ / (E g_i²)² of every coordinate,

    √(E g_i²) / √F ≤ E|g_i| ≤ √(E g_i²),

the left side by Hölder's inequality. For dense layers and convolutions F does not depend on the
image, so that both sides of E‖∂f‖_q grow alike: the exponent is a theorem (`norm-bounds`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from theory.activations import negative_slope
from theory.initializers import Initializer, Orthogonal
from theory.laws.energy import energy_map, gain
from theory.laws.second_moment import breach
from theory.network import (
    Activation,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    Identity,
    Network,
    Serial,
)

GAUSSIAN_KURTOSIS = sp.Integer(3)
_CUT = sp.exp(-2) * sp.sqrt(2 / sp.pi) / sp.erf(sp.sqrt(2))
KURTOSIS: dict[str, sp.Expr] = {
    "normal": GAUSSIAN_KURTOSIS,
    "uniform": sp.Rational(9, 5),
    "rademacher": sp.Integer(1),
    "truncated-normal": (3 - 14 * _CUT) / (1 - 2 * _CUT) ** 2,
}
"""E w⁴ / (E w²)² of one weight; a normal weight is cut off at two standard deviations."""


@dataclass(frozen=True)
class Bounds:
    """lower ≤ E‖∂f_k/∂x‖_q ≤ upper, at one input dimension."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Stage:
    """A layer of weights of a chain and the activation behind it, as fourth moments see them."""

    units: Any
    """Units at one position, whose weights are independent of each other."""
    slope: Any
    """Of the activation, for negative inputs: 1 for none."""
    kurtosis: Any

    @property
    def masked(self) -> sp.Expr:
        """E φ'(z)⁴ / (E φ'(z)²)², z of either sign with probability 1/2."""
        return 2 * (1 + self.slope**4) / (1 + self.slope**2) ** 2


def kurtosis(init: Initializer) -> sp.Expr | None:
    """E w⁴ / (E w²)²; None for weights that depend on each other."""
    return None if isinstance(init, Orthogonal) else KURTOSIS[init.distribution]


def stages(body: Serial) -> tuple[Stage, ...] | None:
    """The layers of weights of a chain, the last one included; None for what is no such chain."""
    found: list[Stage] = []
    for layer in body.layers:
        if isinstance(layer, Dense | Conv):
            own = kurtosis(layer.init)
            if own is None:
                return None
            units = layer.features if isinstance(layer, Dense) else layer.channels
            found.append(Stage(units, sp.Integer(1), own))
        elif isinstance(layer, Activation) and not isinstance(layer, Identity):
            last = found.pop()
            if last.slope != 1:
                return None
            found.append(Stage(last.units, sp.sympify(negative_slope(layer)), last.kurtosis))
        elif not isinstance(layer, Flatten | Identity) and (
            found or not isinstance(layer, AvgPool)
        ):
            return None
    return tuple(found)


def flatness(network: Network) -> sp.Expr | None:
    """F with E g_i⁴ ≤ F (E g_i²)² for every coordinate of ∂f_k/∂x, whatever the input dimension.

    For dense networks with an equality sign. With k the kurtosis of the weights and a the slope of
    a leaky ReLU, a layer of C channels contributes the factor 1 + (r max(3, k) − 1)/C with
    r = 2 (1 + a⁴)/(1 + a²)², and the last layer max(3, k).

    Returns:
        An expression in the widths; None where fourth moments are not known.
    """
    chain = stages(network.body) if breach(network.body) is None else None
    if not chain:
        return None
    dense = all(isinstance(x, Dense | Activation | Flatten) for x in network.body.layers)
    return of_stages(chain, dense)


def of_stages(chain: tuple[Stage, ...], dense: bool) -> sp.Expr:
    """`flatness` of a chain: exact if all layers are `dense`, else a bound for every kernel."""
    if dense:
        return _dense(chain)
    *hidden, last = chain
    value: sp.Expr = sp.Max(GAUSSIAN_KURTOSIS, last.kurtosis)
    for stage in hidden:
        alike = stage.masked * sp.Max(GAUSSIAN_KURTOSIS, stage.kurtosis)
        value *= 1 + (alike - 1) / sp.sympify(stage.units)
    return value


def _dense(chain: tuple[Stage, ...]) -> sp.Expr:
    """E g⁴/(E g²)², from E(Σu²)² and E Σu⁴ over (E Σu²)² for the derivatives u of each layer."""
    square, fourth = sp.Integer(1), sp.Integer(1)
    *hidden, last = chain
    for stage in hidden:
        one = stage.masked * (3 * square + (stage.kurtosis - 3) * fourth)
        units = sp.sympify(stage.units)
        square, fourth = (one + (units - 1) * square) / units, one / units
    return 3 * square + (last.kurtosis - 3) * fourth


def bounds(network: Network, q: Any, d: int) -> Bounds | None:
    """Bounds of E‖∂f_k/∂x‖_q at input dimension d = channels · side².

    Args:
        network: The network.
        q: The norm's order, in [1, ∞].
        d: The input dimension.

    Returns:
        Both bounds; None where second or fourth moments are not known (see `flatness`).
    """
    largest = flatness(network)
    if largest is None:
        return None
    sizes = np.sqrt(coordinate_energies(network, d))
    order, factor = float(q), float(largest)
    lower = _norm(sizes, order) / np.sqrt(factor)
    upper = _norm(sizes, min(order, 4.0)) * (1.0 if order <= 2 else factor**0.25)
    return Bounds(float(lower), float(upper))


def coordinate_energies(network: Network, d: int) -> np.ndarray:
    """E(∂f_k/∂x_i)² at each of d coordinates, one array (d,)."""
    side = int(np.sqrt(d // network.channels))
    body, shape = network.body, network.input_shape(side)
    if any(not isinstance(x, Dense | Activation | Flatten) for x in body.layers):
        pixels = energy_map(body, shape, np.ones((1, 1))) / network.channels
        return np.repeat(pixels.ravel(), network.channels)
    return np.full(d, float(gain(body, (1, 1, d)) / d))


def _norm(sizes: np.ndarray, q: float) -> float:
    return float(np.linalg.norm(sizes, q))
