"""Methods for 95 % intervals side by side: those of `sim.statistics.intervals`, and others.

Each takes norms by (replicate, seed, size) and a true value, and says for every replicate whether
its interval covers it. `python -m sim.calibration` compares them.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from sim.statistics import intervals
from sim.statistics.estimates import LEVEL

RESAMPLES = 399
"""Of the bootstrap; 95 % of 399 + 1 is a whole number on either side."""

Norms = Float[np.ndarray, "replicates seeds sizes"]
Values = Float[np.ndarray, "replicates seeds"]
Covered = Bool[np.ndarray, " replicates"]


def jackknife(norms: Norms, ds: np.ndarray, true: float) -> Covered:
    """Student's t with the jackknife's standard error: `statistics.exponent`."""
    value, error = intervals.exponent(norms, ds)
    return np.abs(value - true) <= intervals.quantile(LEVEL, norms.shape[1] - 1) * error


def linearized(norms: Norms, ds: np.ndarray, true: float) -> Covered:
    """Student's t with the spread of the linearized slopes Σ_j w_j ‖∂‖_sj / mean_j."""
    terms, value = _linearized(norms, ds)
    return _student(terms, value, true)


def linearized_hall(norms: Norms, ds: np.ndarray, true: float) -> Covered:
    """Hall's transformation for the skewness of the linearized slopes."""
    terms, value = _linearized(norms, ds)
    _, error, skewness = intervals.mean_and_spread(terms)
    return _within((value - true) / error, skewness, norms.shape[1])


def exponent_bootstrap(norms: Norms, ds: np.ndarray, true: float) -> Covered:
    """The bootstrap of t (Efron 1979) with the linearized standard error."""
    weights, n = intervals.slope_weights(ds), norms.shape[1]
    resamples = _resamples(n)
    terms, value = _linearized(norms, ds)
    means = np.stack([norms[..., j] @ resamples for j in range(len(ds))])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.tensordot(weights, np.log(means), 1)
        squares = np.zeros_like(values)
        for i, u in enumerate(weights):
            for j, v in enumerate(weights):
                products = (norms[..., i] * norms[..., j]) @ resamples
                squares += u * v * products / (means[i] * means[j])
        errors = np.sqrt(np.maximum(squares, 0) / (n - 1))
        t = (values - value[:, None]) / errors
    error = terms.std(axis=1, ddof=1) / np.sqrt(n)
    return _within_bootstrap((value - true) / error, t)


def hall(values: Values, true: float) -> Covered:
    """Hall's transformation of t: `statistics.mean`."""
    mean, error, skewness = intervals.mean_and_spread(values)
    return _within((mean - true) / error, skewness, values.shape[1])


def student(values: Values, true: float) -> Covered:
    """Student's t."""
    return _student(values, values.mean(axis=1), true)


def log_student(values: Values, true: float) -> Covered:
    """Student's t for the logarithm of the mean."""
    mean = values.mean(axis=1)
    return _student(values / mean[:, None], np.log(mean), np.log(true))


def mean_bootstrap(values: Values, true: float) -> Covered:
    """The bootstrap of t."""
    n = values.shape[1]
    resamples = _resamples(n)
    mean, error, _ = intervals.mean_and_spread(values)
    means = values @ resamples
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.maximum(values**2 @ resamples - means**2, 0)
        t = (means - np.asarray(mean)[:, None]) / np.sqrt(variances / (n - 1))
    return _within_bootstrap((mean - true) / error, t)


EXPONENTS: dict[str, Callable[[Norms, np.ndarray, float], Covered]] = {
    "jackknife": jackknife,
    "linearized": linearized,
    "linearized, Hall": linearized_hall,
    "bootstrap-t": exponent_bootstrap,
}
"""Of an exponent; the first one is what reports use."""

MEANS: dict[str, Callable[[Values, float], Covered]] = {
    "Hall": hall,
    "t": student,
    "t of log": log_student,
    "bootstrap-t": mean_bootstrap,
}
"""Of a mean; the first one is what reports use."""


def _linearized(norms: Norms, ds: np.ndarray) -> tuple[Values, Float[np.ndarray, " replicates"]]:
    means, weights = norms.mean(axis=1, keepdims=True), intervals.slope_weights(ds)
    return norms / means @ weights, np.log(means[:, 0]) @ weights


def _student(terms: Values, value: np.ndarray, true: float) -> Covered:
    n = terms.shape[1]
    error = terms.std(axis=1, ddof=1) / np.sqrt(n)
    return np.abs(value - true) <= intervals.quantile(LEVEL, n - 1) * error


def _within(t: intervals.Array, skewness: intervals.Array, seeds: int) -> Covered:
    bound = intervals.quantile(LEVEL, seeds - 1)
    return np.abs(intervals.transformed(t, skewness, seeds)) <= bound


def _resamples(n: int) -> Float[np.ndarray, "seeds resamples"]:
    """The share of each seed in each resample, the same for all replicates."""
    rng = np.random.default_rng(n)
    return rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).T / n


def _within_bootstrap(
    t: intervals.Array, resampled: Float[np.ndarray, "replicates resamples"]
) -> Covered:
    # a resample without spread lies beyond every quantile
    resampled = np.where(np.isfinite(resampled), resampled, 1e300)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail), axis=1, method="weibull")
    return (low <= t) & (t <= high)
