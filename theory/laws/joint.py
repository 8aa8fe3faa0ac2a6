"""The joint law of logits and gradients in dense networks with Gaussian weights.

Rows of a Gaussian matrix may change their signs, and the columns of the next one absorb them. So
the masks of (leaky) ReLUs are fair coins that are independent of everything else, and the K logits
f and their gradients J = ∂f/∂x are, jointly in law and at every width,

    (f, J) = (A Z x, A Z),   Z a K × d standard Gaussian matrix independent of A,

with A Aᵀ a product of independent factors: the Wishart matrix of K Gaussian vectors behind the
mask of each hidden layer. A layer of n units, B ~ Binomial(n, 1/2) of them open, contributes a
Wishart matrix with B degrees of freedom, plus a² times one with n − B behind a leaky ReLU of slope
a. Gaussian biases, of which a sign goes with its row, add independent Gaussians to f:

    f = A Z x + Σ_l √s_l A_l ξ_l,   A_l the factors of layer l and those behind it.

Weights that are not Gaussian (PyTorch's default is uniform, with biases) have masks that are fair
coins as well, but products that are not Gaussian: this law is theirs at large width alone. Source:
derived in the statement `joint-law`.

A hidden layer is (units, slope) here: slope 0 is a ReLU, 1 no activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import special

Hidden = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Joint:
    """Draws of logits and of the inner products of their gradients, in units of E f_k² = 1.

    A network whose logits have mean square v at an input of mean square 1 has √v · `logits`, and
    gradients with the inner products v · `products`.
    """

    logits: Float[np.ndarray, "draws classes"]
    products: Float[np.ndarray, "draws classes classes"]
    """J Jᵀ: the inner product of ∂f_k and ∂f_l."""


def sample(
    hidden: Hidden,
    classes: int,
    d: int,
    draws: int,
    rng: np.random.Generator,
    biases: Sequence[float] = (),
) -> Joint:
    """Logits and inner products of their gradients, at an input of length √d.

    The direction of the input does not matter. Time and memory are O(draws · K³) a layer, whatever
    the widths and d.

    Args:
        hidden: units and slope of every hidden layer, the one next to the input first.
        classes: the number K of logits.
        d: the input dimension, at least 1.
        draws: number of independent networks.
        rng: source of the draws.
        biases: mean square of the part of a logit that Gaussian biases make, for each hidden layer
            and the last: Var(b) times E‖∂f_k/∂z‖_2², z what they are added to. None unless given.
    """
    behind = factors(hidden, classes, draws, rng)
    factor = behind[0]
    along = rng.standard_normal((draws, classes, 1))
    across = bartlett(np.full(draws, d - 1), classes, rng)
    gradients = factor @ np.concatenate([along, across], axis=2) / np.sqrt(d)
    logits = factor @ along
    for share, own in zip(biases, behind, strict=bool(biases)):
        logits = logits + np.sqrt(share) * own @ rng.standard_normal((draws, classes, 1))
    return Joint(logits[..., 0], gradients @ np.swapaxes(gradients, 1, 2))


def sample_gradients(
    hidden: Hidden, classes: int, d: int, draws: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "draws classes"], Float[np.ndarray, "draws classes d"]]:
    """Logits and their gradients, at an input of length √d and uniform direction.

    In the units of `Joint`, and with arguments as `sample` has them; O(draws · K² · d) more.
    """
    factor = factors(hidden, classes, draws, rng)[0]
    gaussian = factor @ rng.standard_normal((draws, classes, d))
    direction = rng.standard_normal((draws, d, 1))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return (gaussian @ direction)[..., 0], gaussian / np.sqrt(d)


def factors(
    hidden: Hidden, classes: int, draws: int, rng: np.random.Generator
) -> list[Float[np.ndarray, "draws classes classes"]]:
    """Draws of A_1 = A, …, A_L of the law, with E A_l A_lᵀ = I, and at last the identity.

    Args:
        hidden: units and slope of every hidden layer, the one next to the input first.
        classes: the number K of logits.
        draws: number of independent networks.
        rng: source of the draws.
    """
    found = [np.broadcast_to(np.eye(classes), (draws, classes, classes))]
    for units, slope in reversed(hidden):
        mean = units * (1 + slope**2) / 2
        found.append(found[-1] @ _layer(units, slope, classes, draws, rng) / np.sqrt(mean))
    return found[::-1]


def bartlett(
    degrees: Int[np.ndarray, " draws"], size: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws size size"]:
    """Lower triangular T with T Tᵀ a Wishart matrix of so many degrees of freedom each.

    Bartlett's decomposition, degrees below `size` included: independent N(0, 1) below the diagonal,
    chi variables of degrees, degrees − 1, … on it, nothing in the columns beyond the degrees.
    """
    columns = np.arange(size)
    found = np.tril(rng.standard_normal((len(degrees), size, size)), -1)
    found *= columns < degrees[:, None, None]
    left = np.maximum(degrees[:, None] - columns, 0)
    found[:, columns, columns] = np.sqrt(2 * rng.standard_gamma(left / 2))
    return found


def residuals(
    logits: Float[np.ndarray, "draws classes"], rng: np.random.Generator
) -> Float[np.ndarray, "draws classes"]:
    """softmax(f) − onehot(label) for labels drawn uniformly, independent of the logits."""
    found = special.softmax(logits, axis=1)
    found[np.arange(len(found)), rng.integers(found.shape[1], size=len(found))] -= 1
    return found


def loss_norms(
    joint: Joint, variance: float, rng: np.random.Generator
) -> Float[np.ndarray, " draws"]:
    """‖∂_x L‖_2 = (rᵀ J Jᵀ r)^{1/2}, r = softmax(f) − onehot(label), logits of mean square v.

    `theory.laws.loss` has the same law at O(K) a draw.
    """
    r = residuals(np.sqrt(variance) * joint.logits, rng)
    return np.sqrt(variance * np.einsum("nk,nkl,nl->n", r, joint.products, r))


def _layer(
    units: int, slope: float, classes: int, draws: int, rng: np.random.Generator
) -> Float[np.ndarray, "draws classes classes"]:
    """A square root of the Gram matrix of K Gaussian vectors behind the mask of a layer."""
    if slope == 1:
        return bartlett(np.full(draws, units), classes, rng)
    active = rng.binomial(units, 0.5, draws)
    kept = bartlett(active, classes, rng)
    if slope == 0:
        return kept
    both = np.concatenate([kept, slope * bartlett(units - active, classes, rng)], axis=2)
    return np.swapaxes(np.linalg.qr(np.swapaxes(both, 1, 2), mode="r"), 1, 2)
