"""One signal read on two ways that meet again, as in x − mean(x) or x / √(mean x²).

Where no random weights lie on either way, the derivatives along them are not independent, and
their squares alone do not add up. For y_i = f(a_i, b_i), both made of u, the mixed term is
2 E ∂₁f ∂₂f (∂a_i/∂u_i)(∂b_i/∂u_i): the way over a is taken to be entry by entry, which a
normalization is up to terms of relative order 1/n. It is taken from samples of u, with random
signs for the diagonal of the Jacobian matrix (M. F. Hutchinson 1989). They are Gaussian ones where
u is symmetric and all that is summed on the ways is independent, always the same; else those of
forward passes.

What it does not account for: an attention that reads the same values for several outputs adds
gradients that point in the same direction, and those are still added in squares.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from sim.trace import ways
from sim.trace.arrays import Dual
from sim.trace.bilinear import summed_to
from sim.trace.independence import sums_independent
from sim.trace.values import Known, Signal, Tape, Weight

Function = Callable[[Any, Any], Any]
"""Of arrays or of `Dual`s."""

PROBES, SIGNS = 2, 2**15
"""Sets of random signs, as long as they are no more than so many signs in all; as many of the
samples."""


def meeting(
    function: Function, a: Signal, b: Signal, tape: Tape, is_product: bool = False
) -> "Meeting | None":
    """Where y = function(a, b) reads one signal twice, or None."""
    for direct, other, swapped in ((a, b, False), (b, a, True)):
        start = ways.shared(direct, other)
        if start is not None:
            order = (lambda x, z: function(z, x)) if swapped else function
            return Meeting(order, direct, other, start, swapped, tape, is_product)
    return None


@dataclass(frozen=True, eq=False)
class Meeting:
    """y = function(direct, other), both made of `start`, the first of them entry by entry."""

    function: Function
    direct: Signal
    other: Signal
    start: Signal
    swapped: bool
    """Whether `other` is the first of the two operands."""
    tape: Tape
    is_product: bool

    @cached_property
    def factors(self) -> tuple[float, float]:
        """Of the energies that y sends to its first operand and to its second.

        The mixed term goes to the direct one, in the mean over all entries. In a product, slopes
        on the way over the other one are not independent of the direct one, and its factor is what
        its energy is, over what rules say.
        """
        mixed, alone = self._terms
        other = 1.0
        if self.is_product and mixed:
            by_rules = self._by_rules()
            other = alone / by_rules if by_rules > 0 else 1.0
        return (other, 1 + mixed) if self.swapped else (1 + mixed, other)

    def _by_rules(self) -> float:
        """The energy that `start` gets on the way over `other`, for 1 at every entry of y."""
        shape = self.direct.shape
        squares = np.broadcast_to(self.direct.square, shape)[None]
        arriving = summed_to(squares, self.other.shape)[0]
        through = {x.node for x in self._steps}
        found = self.tape.pull(self.other.node, arriving, self.start.node, through)[0]
        return 0.0 if found is None else float(np.sum(found)) / float(np.prod(shape))

    def together(self, apart: float | None = None) -> float:
        """The mean square of y, over what it were if its operands were independent.

        In the mean over all entries. `apart` is the latter; None for a sum.
        """
        direct, other = (x.value if isinstance(x, Dual) else x for x in self._moved[0][1])
        whole = _mean(np.square(self.function(direct, other)))
        alone = _mean(np.square(direct)) + _mean(np.square(other)) if apart is None else apart
        return whole / alone if alone > 0 else 1.0

    @cached_property
    def _steps(self) -> list[Signal]:
        return ways.between(self.start, (self.direct, self.other))

    @cached_property
    def _values(self) -> np.ndarray:
        """Samples of `start` (samples, *shape)."""
        largest = max(int(np.prod(x.shape)) for x in (self.direct, self.other, self.start))
        number = max(1, SIGNS // largest)
        if not self._is_known:
            return self.start.draws[:number]
        sample = _gaussian((number, *self.start.shape))
        return sample * np.sqrt(self.start.square, dtype=sample.dtype)

    @property
    def _is_known(self) -> bool:
        """Whether the distribution of `start`, and nothing else, decides that of both ways."""
        inside = {id(x) for x in (self.start, *self._steps)}
        return self.start.centred and all(
            not isinstance(operand, Weight)
            and (not isinstance(operand, Signal) or id(operand) in inside)
            and sums_independent(x)
            for x in self._steps
            for operand in x.operands
        )

    @cached_property
    def _moved(self) -> list[tuple[np.ndarray, Any]]:
        """Sets of random signs, and both operands moved along them."""
        values = self._values
        number = int(np.clip(SIGNS // values.size, 1, PROBES))
        sets = [signs.astype(values.dtype) for signs in _signs(values.shape, number)]
        return [(signs, self._along(Dual(values, signs))) for signs in sets]

    def _along(self, value: Any) -> Any:
        """Both operands, for samples of `start` or a `Dual` of them."""
        known = Known({id(self.start): (self.start, value)}, len(self._values))
        for x in self._steps:
            known.values[id(x)] = x, x.passed(known)
        return [x.within(known) for x in (self.direct, self.other)]

    @cached_property
    def _terms(self) -> tuple[float, float]:
        """The mixed term over that of `direct` alone, and the mean energy of that of `other`."""
        mixed_term = own_term = other_term = 0.0
        for signs, (a, b) in self._moved:
            if not isinstance(a, Dual) or not isinstance(b, Dual):
                return 0.0, 0.0
            by_a = _slope(self.function(Dual(a.value, np.ones_like(a.value)), b.value))
            by_b = _slope(self.function(a.value, Dual(b.value, np.ones_like(b.value))))
            if by_a is None or by_b is None:
                return 0.0, 0.0
            own = by_a * signs * a.tangent
            rest = by_b * b.tangent
            mixed_term += _mean(own * signs * rest)
            other_term += _mean(np.square(rest)) / len(self._moved)
            own_term += _mean(np.square(own))
        return (2 * mixed_term / own_term if own_term > 0 else 0.0), other_term


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x, dtype=float))


@lru_cache(maxsize=4)
def _gaussian(shape: tuple[int, ...]) -> np.ndarray:
    """Gaussian numbers, the same for all signals of one shape."""
    return np.random.default_rng(3).standard_normal(shape, np.float32)


@lru_cache(maxsize=4)
def _signs(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Sets of random signs (number, *shape), the same for all pairs of signals of one shape."""
    random = np.random.default_rng(2)
    return np.stack([2 * random.integers(0, 2, shape, np.int8) - np.int8(1) for _ in range(number)])


def _slope(value: Any) -> np.ndarray | None:
    """None where it is 0 everywhere."""
    return value.tangent if isinstance(value, Dual) else None
