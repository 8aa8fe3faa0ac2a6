"""How much the scale that all channels share varies between inputs and between networks.

Given what it reads, a layer of random weights makes Gaussian channels, all of them of variance
Σ x²/fan-in. That sum varies, by 2/fan-in relative to its mean for Gaussian x and by 5/fan-in behind
a ReLU, and with it the mean square of the channels, however many they are. A normalization divides
by it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.trace.bilinear import bilinear
from sim.trace.independence import is_of_independent
from sim.trace.values import Constant, Scatter, Signal, Weight

OF_GAUSSIANS = 2.0
"""Var x² / (E x²)² of Gaussian entries."""

KEPT = {
    *("reshape", "transpose", "squeeze", "expand_dims", "broadcast_in_dim", "slice", "rev", "neg"),
    *("pad", "dynamic_slice", "split", "copy", "mul", "div", "convert_element_type", "select_n"),
}
"""Primitives that, with one signal, move entries or scale them by what is independent."""


def of(equation: Any, operands: Sequence[Any], output: Signal) -> Scatter | None:
    """That of an output of an equation; None where no rule says."""
    name, signals = equation.primitive.name, [x for x in operands if isinstance(x, Signal)]
    if name in ("mul", "div") and len(signals) == 2:
        # a normalization leaves the same norm always
        is_normalized = output.is_meeting and signals[0].centred != signals[1].centred
        return (0.0, 0.0) if is_normalized else None
    if name in ("dot_general", "conv_general_dilated"):
        return _multiplied(equation, operands)
    known = [x.scatter for x in signals]
    if any(found is None for found in known):
        return None
    pairs = np.array(known, float)
    if name in ("add", "sub", "add_any"):
        energies = np.array([float(np.mean(x.square)) for x in signals])
        shares = energies / max(float(np.mean(output.square)), 1e-300)
        return float(shares**2 @ pairs[:, 0]), OF_GAUSSIANS
    if name == "concatenate":
        energies = np.array([float(np.sum(x.square)) for x in signals])
        shared, rough = energies @ pairs / max(float(np.sum(output.square)), 1e-300)
        return float(shared), float(rough)
    if name == "reduce_sum":  # positions, in contrast to channels, have a scale each
        of_channels = output.centred and is_of_independent(equation, signals[0])
        return (float(pairs[0, 0]), OF_GAUSSIANS) if of_channels else None
    return known[0] if name in KEPT and len(signals) == 1 else None


def _multiplied(equation: Any, operands: Sequence[Any]) -> Scatter | None:
    """Σ_k a_k² x_k² of independent entries, by random weights or by an attention's p."""
    left, right = operands
    x = next(
        (x for x in (right, left) if isinstance(x, Signal) and not _is_given(x, operands)), None
    )
    if x is None or x.scatter is None or any(isinstance(y, Constant) for y in operands):
        return None
    shared, rough = x.scatter
    other = left if x is right else right
    squares = [y.second if isinstance(y, Weight) else y.square for y in (left, right)]
    forward = bilinear(equation, left.shape, right.shape).forward
    once = forward(*(y[None] for y in squares))
    twice = forward(*(np.square(y)[None] for y in squares))
    with np.errstate(all="ignore"):
        one_over_n = float(np.nanmean(twice / np.square(once)))
    if isinstance(other, Weight):
        return shared + rough * one_over_n, OF_GAUSSIANS
    return shared * one_over_n, OF_GAUSSIANS


def _is_given(x: Signal, operands: Sequence[Any]) -> bool:
    """Whether a signal takes the place of weights, beside a factor of mean zero."""
    both = all(isinstance(y, Signal) for y in operands)
    return both and (not x.centred or all(y.centred for y in operands))


def through(
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
    base: Signal,
) -> tuple[float, float, float] | None:
    """Of φ(z), z Gaussian given its scale: that of E φ, that of E φ², and Var φ² / (E φ²)².

    `function` gives E φ, E φ² and E φ⁴ for an array of variances.
    """
    if base.scatter is None:
        return None
    variance = float(np.mean(base.square))
    mean, square, fourth = function(variance * np.array([1.0, 1 + STEP]))
    with np.errstate(all="ignore"):
        of_mean, of_square = (np.log(x[1] / x[0]) / np.log1p(STEP) for x in (mean, square))
    powers = np.nan_to_num([of_mean, of_square]) ** 2 * base.scatter[0]
    rough = fourth[0] / square[0] ** 2 - 1 if square[0] > 0 else 0.0
    return float(powers[0]), float(powers[1]), float(rough)


STEP = 0.02
"""Relative difference of two variances, between which moments are taken as powers."""
