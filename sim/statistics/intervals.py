"""Intervals of means and of exponents from the spread over seeds. NumPy and SciPy only.

Every function takes any number of leading axes, one interval for each place on them. None draws
random numbers. `python -m sim.calibration` measures what they cover, and how often methods that
were not chosen do.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

Array = Float[np.ndarray, "..."] | Any
"""An array, or a number where there are no leading axes."""


def slope_weights(ds: Float[np.ndarray, " sizes"]) -> Float[np.ndarray, " sizes"]:
    """w with Σ w_j y_j the least-squares slope of y on log d; they add up to 0."""
    x = np.log(np.asarray(ds, float))
    x = x - x.mean()
    return x / np.sum(x**2)


def quantile(level: float, degrees: Array | int) -> Array:
    """The t with P(|T| ≤ t) = level for Student's T."""
    return np.asarray(stats.t.ppf((1 + level) / 2, degrees))


class Estimate(NamedTuple):
    """A number with its standard error, and the degrees of freedom of that error."""

    value: Array
    error: Array
    degrees: Array


def apart(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two numbers that are independent.

    The errors add in squares. The degrees are Welch's and Satterthwaite's, between the smaller of
    the two and their sum: those of the number whose error decides, and exactly `one.degrees` if
    the other one has no error. (B. L. Welch, The generalization of Student's problem when several
    different population variances are involved, Biometrika 34, 1947.)
    """
    degrees = _welch((one.error**2, other.error**2), (one.degrees, other.degrees))
    return Estimate(one.value - other.value, np.hypot(one.error, other.error), degrees)


def _welch(variances: Sequence[Array], degrees: Sequence[Array]) -> Array:
    """Degrees of freedom of a sum of variances; those of the first one if all are 0."""
    both = sum(variances)
    squares = sum(np.asarray(v) ** 2 / d for v, d in zip(variances, degrees, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(both) > 0, np.asarray(both) ** 2 / squares, degrees[0])


def mean_and_spread(values: Float[np.ndarray, "*batch seeds"]) -> tuple[Array, Array, Array]:
    """Mean over seeds, its standard error, and the skewness of one seed.

    The skewness is the usual estimate G₁ = √(n(n − 1)) / (n − 2) · m₃ / m₂^{3/2}; 0 for two seeds
    and for values without spread.
    """
    values = np.asarray(values, float)
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    centred = values - mean[..., None]
    second = np.mean(centred**2, axis=-1)
    error = np.sqrt(second / (n - 1))
    if n < 3:
        return mean, error, np.zeros_like(mean)
    cubes = second**1.5
    third = np.divide(np.mean(centred**3, axis=-1), cubes, out=np.zeros_like(mean), where=cubes > 0)
    return mean, error, np.sqrt(n * (n - 1)) / (n - 2) * third


def transformed(deviation: Array, skewness: Array, seeds: int) -> Array:
    """Hall's transformation of t = (mean − truth) / standard error for skewed seeds.

    With γ the skewness and a = γ / (3√n), T = t + a t² + a² t³ / 3 + γ / (6√n) increases with t
    and has no skewness to order 1/√n, so that Student's quantiles hold for it where they do not
    for t: a mean that is too small comes with a standard error that is too small. (P. Hall, On
    the removal of skewness by transformation, JRSS B 54, 1992.)
    """
    a = skewness / (3 * np.sqrt(seeds))
    return deviation + a * deviation**2 + a**2 * deviation**3 / 3 + a / 2


def mean_interval(
    mean: Array, error: Array, skewness: Array, seeds: int, level: float
) -> tuple[Array, Array]:
    """The means that `transformed` does not reject: Hall's interval, longer towards the tail."""
    bound = quantile(level, seeds - 1)
    low, high = (mean - error * _untransformed(end, skewness, seeds) for end in (bound, -bound))
    return low, high


def _untransformed(value: Array, skewness: Array, seeds: int) -> Array:
    a = np.asarray(skewness / (3 * np.sqrt(seeds)))
    shifted = value - a / 2
    flat = np.abs(a) < 1e-6
    safe = np.where(flat, 1.0, a)
    return np.where(flat, shifted, (np.cbrt(1 + 3 * safe * shifted) - 1) / safe)


def exponent(
    norms: Float[np.ndarray, "*batch seeds sizes"], ds: Float[np.ndarray, " sizes"]
) -> tuple[Array, Array]:
    """The slope of log(mean over seeds) on log d, and its jackknife standard error.

    (n − 1)/n Σ_s (b_s − b̄)² is the squared error, b_s the slope without seed s. It contains the
    correlation between sizes. A linearized error, the spread of Σ_j w_j ‖∂‖_sj / mean_j, is too
    small where a few seeds have large norms: such a seed draws the mean towards itself and then
    lies near to it; leaving it out does not. (J. W. Tukey 1958; for regressions it is the
    estimator HC3 of MacKinnon & White, Journal of Econometrics 29, 1985.) NaN where one seed
    carries all of a mean. Every mean must be positive.
    """
    value, influence = _influences(
        np.asarray(norms, float), np.ones(norms.shape[:-1], bool), slope_weights(ds)
    )
    return value, np.sqrt(np.sum(influence**2, axis=-1))


def exponent_difference(
    norms: Float[np.ndarray, "*batch seeds sizes"],
    others: Float[np.ndarray, "*batch seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
    together: int = 1,
) -> Estimate:
    """The exponent of `norms` less that of `others`, whose seeds are the same as far as both go.

    A row that is not finite is a seed that one of the two lacks. What the two have in common
    cancels: with common random numbers the error is smaller than that of two exponents `apart`.
    So many seeds one after another, `together`, may depend on each other. Otherwise as `exponent`.
    """
    return _difference(norms, others, slope_weights(ds), together)


def log_ratio(
    above: Float[np.ndarray, "*batch seeds"],
    below: Float[np.ndarray, "*batch seeds"],
    together: int = 1,
) -> Estimate:
    """The logarithm of mean(above) / mean(below), of seeds as in `exponent_difference`."""
    return _difference(above[..., None], below[..., None], np.ones(1), together)


def _difference(
    norms: Array, others: Array, weights: Float[np.ndarray, " sizes"], together: int
) -> Estimate:
    """Σ_j w_j log(mean_j of `norms` / mean_j of `others`).

    A seed changes it by α_s − β_s, by the one part alone where the other lacks it, so that the
    squared error Σ_s (α_s − β_s)² contains the covariance of the two. Seeds of both, of the first
    alone and of the second alone vary differently, so each kind has its share of the degrees of
    freedom; n seeds in both and no others have n − 1. Seeds `together` count as one, whose change
    is the sum of theirs.
    """
    there, too = (np.all(np.isfinite(x), axis=-1) for x in (norms, others))
    value, alpha = _influences(norms, there, weights, together)
    other, beta = _influences(others, too, weights, together)
    squares = _groups(alpha - beta, together).sum(axis=-1) ** 2
    there, too = (_groups(x, together).any(axis=-1) for x in (there, too))
    kinds = (there & too, there & ~too, ~there & too)
    fewest = np.minimum(there.sum(axis=-1), too.sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = _welch(
            [np.sum(squares, axis=-1, where=kind) for kind in kinds],
            [np.maximum(kind.sum(axis=-1), 1) * (1 - 1 / fewest) for kind in kinds],
        )
    return Estimate(value - other, np.sqrt(squares.sum(axis=-1)), degrees)


def _groups(values: Array, together: int) -> Array:
    """The last axis cut into groups of so many, the last one filled with zeros."""
    missing = -values.shape[-1] % together
    filled = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)])
    return filled.reshape(*values.shape[:-1], -1, together)


def _influences(
    norms: Array,
    there: Bool[np.ndarray, "*batch seeds"],
    weights: Float[np.ndarray, " sizes"],
    together: int = 1,
) -> tuple[Array, Array]:
    """Σ_j w_j log mean_j of the seeds that are there, and what each of them changes of it.

    The latter are the jackknife's, centred and scaled so that the sum of the squares of groups of
    seeds is the squared standard error; 0 of seeds that are not there.
    """
    norms, n = np.where(there[..., None], norms, 0.0), there.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = norms.sum(axis=-2, keepdims=True) / n[..., None]
        # log((n·mean − x)/(n − 1)), up to terms that all seeds share
        without = np.log1p(-norms / (n[..., None] * means)) @ weights
        centre = np.sum(without, axis=-1, keepdims=True, where=there) / n
        scale = np.sqrt((n - 1) / n * (n - 1) / (n - together))
        influence = np.where(there, scale * (without - centre), 0.0)
        return np.log(means[..., 0, :]) @ weights, influence
