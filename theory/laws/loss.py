"""The law of ‖∂_x L‖_q, the loss gradient of a dense network with Gaussian weights, at every width.

∂_x L = Jᵀ r with r = softmax(f) − onehot(label) depends on the logits f = J x that it belongs to,
and so on the size of the gradients. `theory.laws.passes` draws both together, a few numbers for
each network; `theory.laws.joint` draws all of J Jᵀ. Draws are fixed. Moments use importance
sampling: networks with large gradients are drawn more often and weigh less.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float
from sympy.utilities.lambdify import implemented_function

from theory.laws import directions, gaussian_norm, passes
from theory.laws.masked_sum import MaskedSum

NARROW = 32
"""Fewer units than that make a layer narrow: more draws are needed then."""

ENTRIES = 2**21
"""Coordinates of all draws for a moment together, at most."""

ERROR = (
    "the value is a mean over fixed draws of the exact law, within 0.1 %, or 1 % if some layer has "
    "fewer than 8 units"
)

DRAWS = 2**16
"""Networks drawn for a distribution."""

LARGEST = 1e300
"""Logits of a larger variance count as infinite."""


@dataclass(frozen=True)
class LossLaw:
    """The law of the norms of the cross-entropy's input gradient.

    `d` is the input dimension, `hidden` has one `MaskedSum` for each hidden layer, `classes` is the
    number K of logits and `variance` their mean square at an input of length √d, which is
    E‖∂_x f_k‖_2² as well. The input has that length; its direction is uniform on the sphere, which
    is of no importance for q = 2. The label is uniform and independent of the weights. Every method
    takes q in [1, 16] or ∞ and raises ValueError for others. Distributions and logarithms are those
    given that the gradient is not zero; moments of positive order count the zeros.
    """

    d: int
    hidden: tuple[MaskedSum, ...]
    classes: int
    variance: float

    @property
    def dead(self) -> sp.Expr:
        """P(∂_x L = 0), exact."""
        return 1 - sp.Mul(*(1 - layer.dead for layer in self.hidden))

    def moment(self, q: float, r: float) -> float:
        """E‖∂_x L‖_q^r for r ≥ 0; relative error below 1e-3 at r = 1, 1e-2 at r = 2
        and behind layers of fewer than 8 units.

        Raises ValueError for r < 0.
        """
        gaussian_norm.check_order(q)
        if not r >= 0:
            raise ValueError(f"moments of the loss gradient need an order r >= 0, not {r}.")
        if r == 0:
            return 1.0
        euclidean = moment_ratio(self.hidden, self.classes, self.variance, self.d, r)
        return float(self.variance ** (r / 2)) * euclidean * directions.moment(q, self.d, r)

    def mean(self, q: float = 2) -> float:
        """E‖∂_x L‖_q, zeros counted."""
        return self.moment(q, 1)

    def standard_deviation(self, q: float = 2) -> float:
        """√Var‖∂_x L‖_q, zeros counted."""
        return self.moment(q, 1) * float(np.sqrt(self.relative_variance(q)))

    def relative_variance(self, q: float = 2) -> float:
        """Var‖∂_x L‖_q / (E‖∂_x L‖_q)², zeros counted."""
        return self.moment(q, 2) / self.moment(q, 1) ** 2 - 1

    def log_mean(self, q: float = 2) -> float:
        """E log‖∂_x L‖_q given that it is not zero; from `DRAWS` networks."""
        return float(np.mean(np.log(_norms(self, float(q)))))

    def log_variance(self, q: float = 2) -> float:
        """Var log‖∂_x L‖_q given that it is not zero; from `DRAWS` networks."""
        return float(np.var(np.log(_norms(self, float(q)))))

    def distribution_function(self, x: Any, q: float = 2) -> np.ndarray:
        """P(‖∂_x L‖_q ≤ x | not zero), standard error at most 0.002 for up to 64 classes."""
        norms = _norms(self, float(q))
        return np.searchsorted(norms, np.asarray(x, float), side="right") / len(norms)

    def quantile(self, chance: Any, q: float = 2) -> np.ndarray:
        """The x with P(‖∂_x L‖_q ≤ x | not zero) = chance."""
        return np.quantile(_norms(self, float(q)), chance)

    def sample(self, draws: int, q: float = 2, seed: int = 0) -> Float[np.ndarray, " draws"]:
        """‖∂_x L‖_q of so many networks, zeros included."""
        rng = np.random.default_rng(seed)
        points = rng.random((draws, passes.dimension(self.hidden, self.classes)))
        drawn = passes.draw(self.hidden, self.classes, points)
        labels = rng.integers(self.classes, size=(draws, 1))
        behind = passes.behind_first_layer(drawn, labels, self.variance)
        squares = passes.squared_norms(behind, self.d)[:, 0]
        return np.sqrt(self.variance * squares) * rng.choice(directions.sample(q, self.d), draws)


def moment_ratio(
    hidden: tuple[MaskedSum, ...], classes: int, variance: float, d: float, r: float
) -> float:
    """E‖∂_x L‖_2^r over (E‖∂_x f_k‖_2²)^{r/2}, errors as of `LossLaw.moment`.

    Args:
        hidden: the hidden layers, the one next to the input first.
        classes: the number K of logits.
        variance: the mean square of a logit at an input of length √d.
        d: the input dimension, possibly infinite.
        r: a positive order.
    """
    return _moment_ratio(hidden, classes, float(min(variance, LARGEST)), float(d), float(r))


def factor(
    hidden: tuple[MaskedSum, ...], classes: int, variance: float, d: float, r: int = 1
) -> float:
    """E‖∂_x L‖_2^r / E‖∂_x f_k‖_2^r: what the loss makes of the norm of a logit's gradient.

    Norms of any other order q have the same factor, at an input of uniform direction.
    """
    first = 1.0 if d == np.inf else gaussian_norm.moment(2, d, r) / d ** (r / 2)  # type: ignore[arg-type]
    behind = float(np.prod([_relative_moment(layer, r / 2) for layer in hidden]))
    return moment_ratio(hidden, classes, variance, d, r) / (first * behind)


def factor_at_gaussian_inputs(
    hidden: tuple[MaskedSum, ...], classes: int, variance: float, d: float
) -> float:
    """`factor` at inputs of d independent N(0, 1) coordinates instead of inputs of length √d.

    A longer input has larger logits, and the same gradients of them.
    """
    squares, weights = squared_lengths(d)
    found = [factor(hidden, classes, variance * float(x), d) for x in squares]
    return float(np.dot(weights, found))


def squared_lengths(
    d: float, nodes: int = 4
) -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, " nodes"]]:
    """Values and weights of ‖x‖_2²/d with d independent N(0, 1) coordinates: Gauss' quadrature.

    Exact for polynomials up to degree 2 · nodes − 1 in ‖x‖². The nodes are eigenvalues of the
    matrix of the recursion of Laguerre's polynomials (Golub & Welsch 1969).
    """
    k = np.arange(nodes)
    beside = np.sqrt(k[1:] * (k[1:] + d / 2 - 1))
    values, vectors = np.linalg.eigh(
        np.diag(2 * k + d / 2) + np.diag(beside, 1) + np.diag(beside, -1)
    )
    return values * 2 / d, vectors[0] ** 2


def factor_expression(
    hidden: tuple[MaskedSum, ...], classes: int, variance: Any, d: Any, r: int = 1
) -> Any:
    """`factor` as a SymPy expression in the logits' variance and d; it evaluates and lambdifies."""
    if classes == 1:
        return sp.Integer(0)
    units = "_".join(str(layer.units) for layer in hidden)
    function: Any = implemented_function(
        f"loss_{units}_{classes}_{r}",
        lambda v, d: factor(hidden, classes, float(v), float(d), r),
    )
    return function(sp.sympify(variance), sp.sympify(d))


@lru_cache(maxsize=1024)
def _relative_moment(layer: MaskedSum, s: float) -> float:
    """E S^s / (E S)^s."""
    return layer.moment(s) / float(layer.integer_moment(1)) ** s


@lru_cache(maxsize=4096)
def _moment_ratio(
    hidden: tuple[MaskedSum, ...], classes: int, variance: float, d: float, r: float
) -> float:
    behind, weights = _behind_first_layer(hidden, classes, variance, r)
    squares = passes.squared_norms(behind, d)
    return float(np.mean(weights * np.mean(squares ** (r / 2), axis=1)))


@lru_cache(maxsize=2)
def _behind_first_layer(
    hidden: tuple[MaskedSum, ...], classes: int, variance: float, r: float
) -> tuple[passes.Behind, Float[np.ndarray, " draws"]]:
    """The draws for a moment of order r, the same for all input dimensions, and their weights."""
    drawn = _drawn(hidden, classes, r)
    labels = np.broadcast_to(np.arange(classes), drawn.gaussians.shape)
    return passes.behind_first_layer(drawn, labels, variance), np.exp(drawn.log_weights)


@lru_cache(maxsize=8)
def _drawn(hidden: tuple[MaskedSum, ...], classes: int, r: float) -> passes.Passes:
    from scipy.stats import qmc  # slow to import, and only the loss needs it

    dimension = passes.dimension(hidden, classes)
    narrow = any(layer.units < NARROW for layer in hidden)
    power = int(np.clip(np.log2(ENTRIES / dimension), 9, 15 if narrow else 13))
    points = qmc.Sobol(dimension, rng=0).random_base2(power)
    return passes.draw(hidden, classes, points, r)


@lru_cache(maxsize=16)
def _norms(law: LossLaw, q: float) -> Float[np.ndarray, " draws"]:
    """Norms of networks that are not dead, in increasing order."""
    draws = int(np.clip(2**22 // law.classes, 2**10, DRAWS))
    norms = law.sample(draws, q)
    return np.sort(norms[norms > 0])
