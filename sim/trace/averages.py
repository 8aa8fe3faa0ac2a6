"""Averages over many entries, such as the statistics of a normalization, in the wide limit.

A mean square over n channels varies by √(2/n) from network to network, and a few forward passes
know its moments no better than that over the root of their number. Where rules give the mean and
the variance of the entries, and these are independent, those of their sum are known as well.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from sim.trace.values import Average, Constant, Signal

AVERAGED = "large width: the entries that a statistic averages are independent and many"

LARGEST = 1 / 4
"""Variance over squared mean of a statistic, above which it is no average of many."""

NODES = 7
"""Of Gauss–Hermite quadrature."""


def of(operand: Any) -> Average | None:
    """Mean and variance of every entry, or None if no rule gives them."""
    if isinstance(operand, Signal):
        return operand.average
    if isinstance(operand, Constant):
        value = np.asarray(operand.value, float)
        return value, np.zeros(value.shape), 0.0
    return np.zeros(operand.shape), operand.second, 0.0


def pushed(
    operands: Sequence[Any],
    means: Callable[..., np.ndarray],
    variances: Callable[..., np.ndarray],
    added: Callable[..., np.ndarray] | None = None,
) -> Callable[[], Average | None]:
    """The average that two functions make of the means and of the variances of some operands.

    Operands that are `added`, by a function of arrays like theirs, vary apart from each other.
    """

    def average() -> Average | None:
        known = [found for found in map(of, operands) if found is not None]
        if len(known) < len(operands):
            return None
        mean = means(*(mean for mean, _, _ in known))
        shared = max(common for _, _, common in known)
        if added is not None and shared > 0:
            parts = added(*(common * np.square(mean) for mean, _, common in known))
            shared = float(np.mean(parts)) / max(float(np.mean(np.square(mean))), 1e-300)
        return mean, variances(*(v for _, v, _ in known)), shared

    return average


@cache
def gauss_hermite() -> tuple[np.ndarray, np.ndarray]:
    """`NODES` nodes of a standard Gaussian, and their weights, which add up to 1."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def moments(
    function: Callable[[Any], tuple[np.ndarray, np.ndarray]], average: Average | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """E φ'², E φ² and E φ of a positive statistic; `function` gives values and slopes of φ.

    Sums of squares are as good as gamma distributed, and their third roots Gaussian (E. B. Wilson
    and M. M. Hilferty 1931). None if it is not known to be an average of many.
    """
    if average is None:
        return None
    mean, variance, shared = average
    variance = variance + shared * mean**2
    if not np.all(mean > 0) or np.any(variance > LARGEST * mean**2):
        return None
    nodes, weights = gauss_hermite()
    third = np.sqrt(variance) / (3 * mean)
    roots = 1 - third**2 + third * nodes.reshape(-1, *[1] * mean.ndim)
    values, slopes = (np.asarray(x, float) for x in function(mean * roots**3))
    found = (np.tensordot(weights, x, 1) for x in (slopes**2, values**2, values))
    gain, square, expected = found
    return (gain, square, expected) if np.all(np.isfinite(gain + square)) else None
