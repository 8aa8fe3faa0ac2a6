"""First-order vulnerability of dense networks with Gaussian weights, exact at every width.

To first order classes k and l change places at the ℓ_p distance |f_k − f_l| / ‖∂(f_k − f_l)‖_q from
x, with 1/p + 1/q = 1. In law (f, J) = (A Z x, A Z), so given A the gradient of a difference of two
logits is an isotropic vector z, and the difference is z · x. Neither widths nor depth nor variances
of weights matter:

    distance / ‖x‖_2 = |cos θ| / ‖u‖_q,  u = z/‖z‖_2 uniform on the sphere,  cos θ = u · x/‖x‖_2.

For p = 2 its square is Beta(1/2, (d − 1)/2); at large d its distribution function is erf(t √(d/2))
and its median 0.674/√d. That a step of length of order ‖x‖/√d changes the class is what Bubeck,
Cherapanamjeri, Gidel, Tachet des Combes (arXiv 2104.03863) and De Palma, Kiani, Lloyd (arXiv
2004.05923) prove for wide networks, up to constants. Source: derived in `boundary-distance`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import sympy as sp
from jaxtyping import Float
from scipy import optimize, special

from theory.laws import directions, gaussian_norm, joint
from theory.laws.norms import dual
from theory.laws.parts import gaussian_hidden_layers, is_spatial
from theory.network import (
    Activation,
    AvgPool,
    Branching,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    Network,
    Serial,
    SmoothActivation,
    Weighted,
    walk,
)

DRAWS = 2**14
"""Networks drawn for the distance to the nearest of several classes."""

ENTRIES = 2**25
"""Numbers drawn for it, of all networks together."""

QUANTILES = 128
"""Of the norm of a direction, over which a distribution function is averaged."""

AT_ONCE = 2**22
"""Of these in memory at once."""

MEDIAN = sp.sqrt(2) * sp.erfinv(sp.Rational(1, 2))
"""Median of |z|, z ~ N(0, 1), about 0.674: of the ℓ_2 distance in units of ‖x‖_2/√d, large d."""


HOMOGENEOUS = (
    *(Activation, AvgPool, Branching, Flatten, GlobalAvgPool, GlobalMaxPool, MaxPool, Serial),
    Weighted,
)
"""Layers with f(ax) = a f(x) for a > 0, apart from smooth activations."""


def basis(network: Network) -> Literal["exact", "gradient-independence", "none"]:
    """What the law of distances rests on for this network.

    "exact" for bias-free dense networks of (leaky) ReLUs with Gaussian weights. For other
    positively homogeneous ones f_k − f_l = x · ∂(f_k − f_l) still holds, and the law does if the
    gradient is independent of x and prefers no direction: "gradient-independence". Else "none".
    """
    layers = tuple(walk(network.body))
    if not all(isinstance(x, HOMOGENEOUS) and not isinstance(x, SmoothActivation) for x in layers):
        return "none"
    if is_spatial(network.body) or gaussian_hidden_layers(network.body) is None:
        return "gradient-independence"
    return "exact"


@dataclass(frozen=True)
class Distance:
    """The law of the first-order ℓ_p distance to the boundary between two classes, over ‖x‖_2.

    `d` is the input dimension. The input has a uniform direction, which is of no importance for
    p = 2. Given that the gradient of the difference of the logits is not zero. For p = 2 closed
    forms; otherwise means over a fixed sample of directions, relative error below 1e-2. Raises
    ValueError for d < 2 and unless p is 1 or in [16/15, ∞].
    """

    d: int
    p: float = 2

    def __post_init__(self) -> None:
        if self.d < 2:
            raise ValueError(f"directions need at least two dimensions, not {self.d}.")
        gaussian_norm.check_order(float(dual(self.p)))

    @property
    def norms(self) -> Float[np.ndarray, " draws"]:
        """Quantiles of a fixed sample of ‖u‖_q; a single 1 for p = 2."""
        found = directions.sample(float(dual(self.p)), self.d)
        if found.size == 1:
            return found
        return np.quantile(found, (np.arange(QUANTILES) + 0.5) / QUANTILES)

    def distribution_function(self, t: Any) -> np.ndarray:
        """P(distance ≤ t ‖x‖_2): the mean over u of the Beta distribution function of (t‖u‖_q)²."""
        squares = np.clip(np.multiply.outer(np.maximum(t, 0.0), self.norms), 0, 1) ** 2
        return np.mean(special.betainc(0.5, (self.d - 1) / 2, squares), axis=-1)

    def quantile(self, chance: float) -> float:
        """The t with P(distance ≤ t ‖x‖_2) = chance, 0 ≤ chance ≤ 1."""
        squares = special.betaincinv(0.5, (self.d - 1) / 2, chance)
        if self.norms.size == 1:
            return float(np.sqrt(squares))
        low, high = np.sqrt(squares) / self.norms.max(), np.sqrt(squares) / self.norms.min()
        root: Any = optimize.brentq(lambda t: self.distribution_function(t) - chance, low, high)
        return float(root)

    @property
    def median(self) -> float:
        """The distance, over ‖x‖_2, within which half of the networks have a boundary."""
        return self.quantile(0.5)

    def mean(self) -> float:
        """E distance / ‖x‖_2: E|cos θ| E 1/‖u‖_q."""
        cosine = special.poch((self.d / 2), 0.5) ** -1 / np.sqrt(np.pi)
        return float(cosine * np.mean(1 / self.norms))

    def sample(self, draws: int, seed: int = 0) -> Float[np.ndarray, " draws"]:
        """The distance over ‖x‖_2 in so many networks."""
        rng = np.random.default_rng(seed)
        return np.sqrt(rng.beta(0.5, (self.d - 1) / 2, draws)) / rng.choice(self.norms, draws)


def asymptote(size: Any, length: Any, d: Any) -> sp.Expr:
    """P(two classes exchanged by an ℓ_2 attack) as d → ∞: erf(ε √d / (√2 ‖x‖_2)).

    Args:
        size: ε, the ℓ_2 length of the attack.
        length: ‖x‖_2 of the input.
        d: the input dimension.
    """
    return sp.erf(size * sp.sqrt(d) / (sp.sqrt(2) * length))


@lru_cache(maxsize=32)
def nearest(
    hidden: tuple[tuple[int, float], ...], classes: int, d: int, p: float = 2, seed: int = 0
) -> Float[np.ndarray, " draws"]:
    """First-order ℓ_p distances from x to where another class wins, over ‖x‖_2; a fixed sample.

    The least of |f_k − f_l| / ‖∂(f_k − f_l)‖_q over the classes l other than the predicted one, k.
    Infinite in dead networks, whose gradients are zero. For p = 2 with K × K matrices; otherwise
    with the gradients themselves, K × d, and fewer draws.

    Args:
        hidden: units and slope of every hidden layer, the one next to the input first.
        classes: the number K of logits.
        d: the input dimension.
        p: norm of the attack.
        seed: of the sample.
    """
    rng = np.random.default_rng(seed)
    entries = classes * (classes if p == 2 else max(d, classes))
    draws = int(np.clip(ENTRIES // entries, 2**9, DRAWS))
    parts = np.array_split(np.arange(draws), -(-draws * entries // AT_ONCE))
    found = [_nearest(hidden, classes, d, p, len(part), rng) for part in parts]
    return np.concatenate(found)


def _nearest(
    hidden: joint.Hidden, classes: int, d: int, p: float, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, " draws"]:
    if p == 2:
        drawn = joint.sample(hidden, classes, d, draws, rng)
        logits, products = drawn.logits, drawn.products
        squares = np.diagonal(products, axis1=1, axis2=2)
        top = logits.argmax(axis=1)[:, None]
        own, cross = np.take_along_axis(squares, top, 1), products[np.arange(draws), top[:, 0]]
        norms = np.sqrt(np.maximum(squares + own - 2 * cross, 0))
    else:
        logits, gradients = joint.sample_gradients(hidden, classes, d, draws, rng)
        top = logits.argmax(axis=1)[:, None]
        chosen = np.take_along_axis(gradients, top[:, :, None], 1)
        norms = np.linalg.norm(gradients - chosen, ord=float(dual(p)), axis=2)
    margins = np.take_along_axis(logits, top, 1) - logits
    others = (norms > 0) & (np.arange(classes) != top)
    distances = np.where(others, margins / np.where(others, norms, 1), np.inf)
    return distances.min(axis=1) / np.sqrt(d)
