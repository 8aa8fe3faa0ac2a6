"""Intervals of means and of exponents from the spread over seeds. NumPy and SciPy only.

Every function takes any number of leading axes, one interval for each place on them. None draws
random numbers. `python -m sim.calibration` measures what they cover, and how often methods that
were not chosen do.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
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


def together(error: float, degrees: int, other: float, other_degrees: int) -> tuple[float, float]:
    """The standard error of a difference of two independent numbers, and its degrees of freedom.

    The errors add in squares. The degrees are Welch's and Satterthwaite's, between the smaller of
    the two and their sum: those of the number whose error decides, and exactly `degrees` if the
    other one has no error. (B. L. Welch, The generalization of Student's problem when several
    different population variances are involved, Biometrika 34, 1947.)
    """
    if other == 0:
        return error, float(degrees)
    both = error**2 + other**2
    return both**0.5, both**2 / (error**4 / degrees + other**4 / other_degrees)


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
    value, without = _with_and_without(norms, ds)
    return value, _jackknife_error(without)


def exponent_difference(
    norms: Float[np.ndarray, "*batch seeds sizes"],
    others: Float[np.ndarray, "*batch seeds sizes"],
    ds: Float[np.ndarray, " sizes"],
) -> tuple[Array, Array]:
    """The exponent of `norms` less that of `others`, and its jackknife standard error.

    A seed is left out of both at once, so that what they have in common cancels: with common
    random numbers the error is smaller than that of two exponents apart. Otherwise as `exponent`.
    """
    (value, without), (other, without_other) = (_with_and_without(x, ds) for x in (norms, others))
    return value - other, _jackknife_error(without - without_other)


def _with_and_without(norms: Array, ds: Float[np.ndarray, " sizes"]) -> tuple[Array, Array]:
    """The slope of all seeds, and by how much it changes without each of them."""
    n = norms.shape[-2]
    means = np.asarray(norms, float).mean(axis=-2, keepdims=True)
    weights = slope_weights(ds)
    # log((n·mean − x)/(n − 1)), up to terms that all seeds share or whose weights add up to 0
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.log1p(-norms / (n * means)) @ weights
    return np.log(means[..., 0, :]) @ weights, without


def _jackknife_error(without: Float[np.ndarray, "*batch seeds"]) -> Array:
    n = without.shape[-1]
    with np.errstate(invalid="ignore"):
        spread = np.sum((without - without.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    return np.sqrt((n - 1) / n * spread)
