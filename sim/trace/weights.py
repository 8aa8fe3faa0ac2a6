"""Second moments of a model's weights, taken from its own initializer.

What the input meets is not always a leaf of the weights: kernels are reshaped, scaled, normalized
or made of several leaves. So the moments are those of the arrays that an equation with the input
reads, whatever was computed from the weights before; nothing about that has to be known.
"""

from typing import Any

import numpy as np

from sim.trace.initial import Fixed, Token, Unknown, Value
from sim.trace.random import Draws, Random
from sim.trace.source import Source
from sim.trace.values import ENTRIES, FEWEST, Constant, TraceError, Weight
from sim.trace.walk import array

PASSES = (8, 64)
"""Forward passes, where the moments of something have to be taken from them: no fewer and no more
than this, and as many as make `INPUTS` coordinates."""

INPUTS = 2**16

SIX_SIGMA = 6.0


def passes(dimension: int) -> int:
    """How many forward passes for an input of so many coordinates."""
    return int(np.clip(INPUTS // dimension, *PASSES))


def operand(value: Value, passes: Draws, place: Source) -> Constant | Weight:
    """An array that an equation of the line `place` reads.

    Raises TraceError for weights whose mean is not zero, and for what is no number.
    """
    if isinstance(value, Fixed):
        return Constant(array(value.value))
    if isinstance(value, Token | Unknown):
        raise TraceError(f"{place}: what is made of a random key there has no rule.")
    if value.moments is None:
        return _drawn(value, passes, place)
    mean, variance = value.moments
    if not np.any(variance):
        return Constant(np.broadcast_to(mean, value.shape))
    second = variance + mean**2
    if np.any(np.abs(mean) > 1e-3 * np.sqrt(np.mean(second))):
        raise _not_centred(place, mean, second)
    if second.size and np.all(second == second.flat[0]):
        second = np.asarray(second.flat[0])
    return Weight(value.shape, second, lambda: passes.of(value))


def _not_centred(place: Source, mean: Any, second: Any) -> TraceError:
    return TraceError(
        f"{place}: the random weights there do not have mean zero (mean {np.mean(mean):.3g}, "
        f"root mean square {np.mean(second) ** 0.5:.3g}), so their gradients do not add up in "
        "squares."
    )


def _drawn(value: Random, passes: Draws, place: Source) -> Constant | Weight:
    """An array of which only draws are known: a constant if all of them agree."""
    size = max(1, int(np.prod(value.shape)))
    draws = max(FEWEST, -(-ENTRIES // size))
    drawn = Draws(draws, passes.seed).of(value)
    if np.all(drawn == drawn[:1]):
        return Constant(drawn[0])
    if np.ptp(np.abs(drawn)) > 0:  # the squares of random signs are known from one draw
        passes.decides = True
    second = _second_moment(drawn.astype(float), place)
    return Weight(value.shape, second, lambda: passes.of(value))


def _second_moment(w: np.ndarray, place: Source) -> Any:
    """E w², one number if all entries may have the same, else one for each entry."""
    draws = len(w)
    means, square = w.mean(axis=0), w**2
    # relative to the first draw: squares that are all the same then leave no rounding
    squares = square[0] + (square - square[0]).mean(axis=0)
    pooled, fourth, entries = squares.mean(), float((square**2).mean()), means.size
    # under mean zero: the overall mean, and the entries' own means, in units of their errors
    overall = means.mean() / np.sqrt(pooled / (entries * draws))
    own = (draws * np.mean(means**2) / pooled - 1) * np.sqrt(entries / 2)
    excess = max(1.0, fourth / pooled**2)
    if abs(overall) > SIX_SIGMA or own > SIX_SIGMA * np.sqrt(1 + excess / draws):
        raise _not_centred(place, means, pooled)
    spread = fourth - pooled**2
    if spread <= 1e-6 * pooled**2 or entries == 1:
        return pooled
    unequal = draws * squares.var() / spread - 1
    allowed = SIX_SIGMA * np.sqrt((2 + 12 / draws) / entries) + 0.02
    return squares if unequal > allowed else pooled
