"""One signal read on two ways that meet again, as in x − mean(x) or x / √(mean x²).

Where no random weights lie on either way, the derivatives along them are not independent, and
their squares alone do not add up. For y_i = f(a_i, b_i), both made of u, the mixed term is
2 E ∂₁f ∂₂f (∂a_i/∂u_i)(∂b_i/∂u_i): the way over a is taken to be entry by entry, which a
normalization is up to terms of relative order 1/n. It is taken from forward passes, with random
signs for the diagonal of the Jacobian matrix (M. F. Hutchinson 1989).

What it does not account for: an attention that reads the same values for several outputs adds
gradients that point in the same direction, and those are still added in squares.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from sim.trace.arrays import Dual
from sim.trace.values import Known, Signal

Function = Callable[[Any, Any], Any]
"""Of arrays or of `Dual`s."""

PROBES, SIGNS = 2, 2**15
"""Sets of random signs, as long as they are no more than so many signs in all; as many of the
forward passes."""


def mixed(function: Function, a: Signal, b: Signal) -> tuple[float, float]:
    """Factors for the energies that y = function(a, b) sends to a and to b.

    1 where the two share nothing. The mixed term goes to the one that reads the shared signal entry
    by entry, in the mean over all entries.
    """
    for direct, other, swapped in ((a, b, False), (b, a, True)):
        shared = _shared(direct, other)
        if shared is not None:
            order = (lambda x, z: function(z, x)) if swapped else function
            factor = 1 + _mixed_share(order, direct, other, shared)
            return (1.0, factor) if swapped else (factor, 1.0)
    return 1.0, 1.0


def _above(signal: Signal) -> list[Signal]:
    """The signal and all that it is made of without weights, in the order of their making."""
    found: dict[int, Signal] = {}
    waiting = [(signal, False)]
    while waiting:
        x, ready = waiting.pop()
        if ready:
            found[id(x)] = x
        elif id(x) not in found:
            waiting.append((x, True))
            waiting += [] if x.weighted else [(y, False) for y in x.reads]
    return list(found.values())


def _shared(direct: Signal, other: Signal) -> Signal | None:
    """The last signal of the same shape that `other` is made of and `direct`, entry by entry."""
    above, at = {id(x) for x in _above(other)}, direct
    while id(at) not in above:
        alike = [x for x in at.reads if x.shape == direct.shape]
        if at.weighted or not alike:
            return None
        at = alike[0]
    is_own = other is at
    return None if is_own and direct is at else at


def _along(signals: tuple[Signal, Signal], start: Signal, passes: int) -> Callable[[Any], Any]:
    """Forward passes of two signals as a function of those of one that they are made of."""
    moved = {id(start)}
    steps = []
    for x in {id(x): x for signal in signals for x in _above(signal)}.values():
        if id(x) not in moved and any(id(y) in moved for y in x.reads) and not x.weighted:
            moved.add(id(x))
            steps.append(x)

    def function(value: Any) -> Any:
        known = Known({id(start): (start, value)}, passes)
        for x in steps:
            known.values[id(x)] = x, x.passed(known)
        return [signal.within(known) for signal in signals]

    return function


def _mixed_share(function: Function, direct: Signal, other: Signal, start: Signal) -> float:
    """The mixed term over the term of `direct` alone."""
    largest = max(x.draws[0].size for x in (direct, other, start))
    passes = int(np.clip(SIGNS // largest, 1, len(start.draws)))
    values = start.draws[:passes]
    along = _along((direct, other), start, passes)
    a, b = direct.draws[:passes], other.draws[:passes]
    by_a = _slope(function(Dual(a, np.ones_like(a)), b))
    by_b = _slope(function(a, Dual(b, np.ones_like(b))))
    mixed_term = own_term = 0.0
    for drawn in _signs(values.shape, int(np.clip(SIGNS // values.size, 1, PROBES))):
        signs = drawn.astype(values.dtype)
        da, db = (_slope(x) for x in along(Dual(values, signs)))
        if by_a is None or by_b is None or da is None or db is None:
            return 0.0
        own = by_a * signs * da
        mixed_term += float(np.mean(own * (by_b * signs * db), dtype=float))
        own_term += float(np.mean(np.square(own), dtype=float))
    return 2 * mixed_term / own_term


@lru_cache(maxsize=4)
def _signs(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Sets of random signs (number, *shape), the same for all pairs of signals of one shape."""
    random = np.random.default_rng(2)
    return np.stack([2 * random.integers(0, 2, shape, np.int8) - np.int8(1) for _ in range(number)])


def _slope(value: Any) -> np.ndarray | None:
    """None where it is 0 everywhere."""
    return value.tangent if isinstance(value, Dual) else None
