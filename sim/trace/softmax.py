"""The softmax of an attention, recognized as a quotient of exponentials by their own sum.

Where the scores are small, it hardly differs from an average over the keys, and rules give its
moments. Scores that are not small depend on how far the width is from its limit; their moments are
left to forward passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from sim.trace import averages
from sim.trace.arrays import Dual
from sim.trace.source import Source
from sim.trace.values import Known, Operand, Pointwise, Signal, Tape

SMALL_SCORES = "large width: small scores of an attention are Gaussian, and independent in a row"

LARGEST = 1 / 8
"""Mean square of a score up to which moments are known. They depend on it exponentially, so that
scores that are correlated within a row change E p² by no more than 13 %."""

ALIKE = 1e-3
"""Relative differences of mean squares that are neglected: they change moments 8 times less."""

PROBES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


@dataclass(frozen=True)
class Softmax:
    """p = softmax(rate · scores) along axes."""

    scores: Signal
    rate: float
    axes: tuple[int, ...]

    def draws(self, known: Known) -> Any:
        """The forward passes, or a `Dual` of them."""
        drawn = self.scores.within(known)
        z = drawn.value if isinstance(drawn, Dual) else drawn
        axes = tuple(axis + 1 for axis in self.axes)
        p = special.softmax(z * z.dtype.type(self.rate), axis=axes)
        if not isinstance(drawn, Dual):
            return p
        moved = p * drawn.tangent
        return Dual(p, z.dtype.type(self.rate) * (moved - p * moved.sum(axis=axes, keepdims=True)))


def recognized(above: Operand, below: Operand) -> Softmax | None:
    """The softmax that a quotient is, or None."""
    if not isinstance(above, Pointwise) or above.settled is None or not isinstance(below, Signal):
        return None
    rate, total = _rate(above), below
    if total.equation is not None and total.equation.primitive.name == "broadcast_in_dim":
        total = total.reads[0]
    if rate is None or total.equation is None or total.equation.primitive.name != "reduce_sum":
        return None
    axes = tuple(map(int, total.equation.params["axes"]))
    kept = tuple(axis for axis in range(len(above.shape)) if axis not in axes)
    if total.reads[0] is not above.settled or not _is_constant(below, above.shape, axes):
        return None
    if total is not below and tuple(below.equation.params["broadcast_dimensions"]) != kept:
        return None
    return Softmax(_unshifted(above.base, axes), rate, axes)


def _rate(value: Pointwise) -> float | None:
    """c of a function exp(c z), up to a factor; None for others, and if the gradient is stopped."""
    found = value.function(Dual(PROBES, np.ones_like(PROBES)))
    if not isinstance(found, Dual):
        return None
    with np.errstate(all="ignore"):
        steps, slopes = np.diff(np.log(found.value)), found.tangent / found.value
    rate = float(slopes[0])
    is_exponential = rate != 0 and np.allclose([*steps, *slopes], rate, rtol=1e-4, atol=0)
    return rate if is_exponential else None


def _is_constant(x: Any, shape: tuple[int, ...], axes: Sequence[int]) -> bool:
    return len(x.shape) == len(shape) and all(x.shape[axis] == 1 for axis in axes)


def _unshifted(scores: Signal, axes: Sequence[int]) -> Signal:
    """The scores before the same was subtracted from all of a row, such as their maximum."""
    if scores.equation is None or scores.equation.primitive.name != "sub":
        return scores
    first, shift = scores.operands
    is_signal = isinstance(first, Signal) and first.shape == scores.shape
    return first if is_signal and _is_constant(shift, scores.shape, axes) else scores


def signal(found: Softmax, tape: Tape, place: Source) -> Signal | None:
    """The node of a softmax of small scores; None for others."""
    x = found.scores
    known = _moments(found.rate**2 * x.square, found.axes) if x.centred else None
    if known is None:
        return None
    square = np.broadcast_to(known[1], x.shape)
    slope = found.rate**2 * known[0]

    def pull(energy: np.ndarray) -> Sequence[np.ndarray]:
        # ∂p_i/∂s_j = p_i (δ_ij − p_j); what arrives from other keys is a term of order 1/n
        each = square * energy
        others = np.sum(each, axis=found.axes, keepdims=True) - each
        return (slope * energy + found.rate**2 * square * others,)

    node = tape.add([x], x.shape, pull, "statistic", place, (SMALL_SCORES,))
    return Signal(node, x.shape, found.draws, lambda: square, reads=[x])


def _moments(variance: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """E p²(1 − p)² and E p², of all entries alike or of each. None unless the scores are small.

    p = e/(e + S), with the exponential e of a Gaussian score, and S the sum of all others.
    """
    keys = np.prod([variance.shape[axis] for axis in axes])
    if keys < 2 or not np.max(variance) <= LARGEST:
        return None
    is_alike = np.ptp(variance) <= ALIKE * np.max(variance)
    if is_alike:
        variance = np.mean(variance, keepdims=True)
    mean, spread = np.exp(variance / 2), np.exp(2 * variance) - np.exp(variance)
    if is_alike:
        rest, varying = (keys - 1) * mean, (keys - 1) * spread
    else:
        total, spreads = (np.sum(x, axis=axes, keepdims=True) for x in (mean, spread))
        rest, varying = total - mean, spreads - spread
    slope = square = 0.0
    for node, weight in zip(*averages.gauss_hermite(), strict=True):
        own = np.exp(np.sqrt(variance) * node)

        def share(others: np.ndarray, own: np.ndarray = own) -> tuple[np.ndarray, np.ndarray]:
            p = own / (own + others)
            return p, p * (1 - p)

        found = averages.moments(share, (rest, varying, 0.0))
        if found is None:
            return None
        slope, square = slope + weight * found[0], square + weight * found[1]
    return np.asarray(slope), np.asarray(square)
