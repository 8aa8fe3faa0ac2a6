"""Along which axes the entries of a signal are independent, in the limit of large width.

Channels that random weights have made of the same inputs are; so are inputs, which are white. The
positions of a convolution are not, nor whatever an activation gave a common mean to.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from sim.trace.values import Axes, Signal, Weight
from sim.trace.ways import are_apart

SUMS = ("reduce_sum", "reduce_window_sum", "cumsum", "dot_general", "conv_general_dilated")

Rule = Callable[[Any, Sequence[Any]], Axes]


def every(shape: Sequence[int]) -> Axes:
    """All axes of an array."""
    return frozenset(range(len(shape)))


def axes(equation: Any, operands: Sequence[Any], shape: tuple[int, ...]) -> Axes:
    """Those of an output of an equation that reads signals; none where no rule says so.

    An axis of length 1 is always one of them.
    """
    rule = RULES.get(equation.primitive.name, _of_none)
    long = frozenset(axis for axis in rule(equation, operands) if axis < len(shape))
    return long | {axis for axis, length in enumerate(shape) if length == 1}


def is_of_independent(equation: Any, x: Signal) -> bool:
    """Whether an equation sums along axes on which the entries of x are independent."""
    return equation.primitive.name == "reduce_sum" and set(equation.params["axes"]) <= x.independent


def sums_independent(x: Signal) -> bool:
    """Whether a signal is no sum, or one of independent entries."""
    if x.equation is None or x.equation.primitive.name not in SUMS:
        return True
    return len(x.reads) == 1 and is_of_independent(x.equation, x.reads[0])


def _of(operand: Any) -> Axes:
    if isinstance(operand, Signal):
        return operand.independent
    return every(operand.shape)


def _arrays(operands: Sequence[Any]) -> list[Any]:
    """Without scalars and indices."""
    rank = max(len(x.shape) for x in operands)
    return [x for x in operands if len(x.shape) == rank]


def _of_none(equation: Any, operands: Sequence[Any]) -> Axes:
    return frozenset()


def _common(equation: Any, operands: Sequence[Any]) -> Axes:
    return frozenset.intersection(*map(_of, _arrays(operands)))


def _of_factors(equation: Any, operands: Sequence[Any]) -> Axes:
    """A common factor, such as a standard deviation, hardly varies, or scales a whole group."""
    signals = [x for x in operands if isinstance(x, Signal)]
    return _common(equation, [x for x in signals if x.centred] or signals)


def _concatenated(equation: Any, operands: Sequence[Any]) -> Axes:
    signals = [x for x in operands if isinstance(x, Signal)]
    along = {equation.params["dimension"]}
    apart = all(are_apart(a, b) for a, b in combinations(signals, 2))
    return _common(equation, operands) - (frozenset() if apart else along)


def _transposed(equation: Any, operands: Sequence[Any]) -> Axes:
    old = _of(operands[0])
    return frozenset(i for i, axis in enumerate(equation.params["permutation"]) if axis in old)


def _broadcast(equation: Any, operands: Sequence[Any]) -> Axes:
    (x, *_), old = operands, _of(operands[0])
    shape = equation.params["shape"]
    places = enumerate(equation.params["broadcast_dimensions"])
    return frozenset(to for axis, to in places if axis in old and x.shape[axis] == shape[to])


def _reshaped(equation: Any, operands: Sequence[Any]) -> Axes:
    """Axes that are split or merged, if all of them are."""
    x, old = operands[0], _of(operands[0])
    before, after = x.shape, equation.outvars[0].aval.shape
    if equation.params.get("dimensions") is not None or 0 in before:
        return frozenset()
    found: set[int] = set()
    i = j = 0
    while i < len(before) and j < len(after):
        first, last = i, j
        a, b = before[i], after[j]
        i, j = i + 1, j + 1
        while a != b:
            if a < b:
                a, i = a * before[i], i + 1
            else:
                b, j = b * after[j], j + 1
        if all(axis in old or before[axis] == 1 for axis in range(first, i)):
            found |= set(range(last, j))
    return frozenset(found)


def _without(equation: Any, operands: Sequence[Any]) -> Axes:
    """Some axes go, by a sum over them or because their length is 1."""
    gone = equation.params.get("axes", equation.params.get("dimensions", ()))
    old, rank = _of(operands[0]), len(operands[0].shape)
    kept = [axis for axis in range(rank) if axis not in gone]
    return frozenset(i for i, axis in enumerate(kept) if axis in old)


def _contracted(equation: Any, operands: Sequence[Any]) -> Axes:
    """Those of weights, and of factors of mean zero."""
    summed, batch = equation.params["dimension_numbers"]
    found, start = set(), len(batch[0])
    for i, x in enumerate(operands):
        own = _of(x) if isinstance(x, Weight) or _is_centred(x) else frozenset()
        free = [a for a in range(len(x.shape)) if a not in (*summed[i], *batch[i])]
        found |= {k for k, axis in enumerate(batch[i]) if axis in own}
        found |= {start + k for k, axis in enumerate(free) if axis in own}
        start += len(free)
    return frozenset(found)


def _is_centred(x: Any) -> bool:
    return isinstance(x, Signal) and x.centred


def _convolved(equation: Any, operands: Sequence[Any]) -> Axes:
    """Channels, which have a kernel each."""
    if not isinstance(operands[1], Weight):
        return frozenset()
    return frozenset([equation.params["dimension_numbers"].out_spec[1]])


RULES: dict[str, Rule] = {
    **dict.fromkeys(("add", "sub", "add_any", "select_n", "max", "min"), _common),
    **dict.fromkeys(("slice", "dynamic_slice", "pad", "split", "rev", "neg", "copy"), _common),
    "concatenate": _concatenated,
    **dict.fromkeys(("mul", "div"), _of_factors),
    "transpose": _transposed,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshaped,
    **dict.fromkeys(("squeeze", "reduce_sum"), _without),
    "dot_general": _contracted,
    "conv_general_dilated": _convolved,
}
