"""What each primitive does to energies and mean squares: one table, `RULES`.

A rule takes an equation, its operands (at least one of them a `Signal`, none a `Pointwise`), the
tape and the source line, and returns the outputs. To add a primitive: a function with `@rule`.
"""

from collections.abc import Callable, Sequence
from itertools import compress, pairwise
from typing import Any

import numpy as np

from sim.trace import averages, independence, scatter, softmax
from sim.trace.arrays import evaluate, inverse_of, times
from sim.trace.bilinear import Bilinear, bilinear, multiplication, summed_to
from sim.trace.pointwise import settled
from sim.trace.source import Source
from sim.trace.twice import meeting
from sim.trace.values import (
    Constant,
    Known,
    Operand,
    Pointwise,
    Pull,
    Signal,
    Tape,
    TraceError,
    Weight,
)
from sim.trace.windows import windows
from theory.energy import POOLED_UNCORRELATED, UNCORRELATED, UNIFORM_SELECTION

PRODUCTS = (
    "two factors that depend on the input are independent, and so are the gradients that meet in "
    "one of them: those of several queries in the values of an attention, for instance, which are "
    "not"
)

Rule = Callable[[Any, Sequence[Any], Tape, Source], list[Operand]]
RULES: dict[str, Rule] = {}

ELEMENTWISE = {
    *("abs", "acos", "add", "add_any", "asin", "asinh", "atan", "atan2", "cbrt", "ceil", "clamp"),
    *("copy", "copy_p", "cos", "cosh", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2"),
    *("expm1", "floor", "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic"),
    *("lt", "max", "min", "mul", "ne", "neg", "not", "and", "or", "pow", "reduce_precision"),
    *("round", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient"),
    *("sub", "tan", "tanh", "convert_element_type", "optimization_barrier", "name"),
}
"""Primitives that, applied to one signal and to scalars, make another `Pointwise` of it."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for the primitives of these names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def apply(equation: Any, operands: Sequence[Operand], tape: Tape, place: Source) -> list[Operand]:
    """The outputs of an equation that reads signals. Raises TraceError if there is no rule."""
    name = equation.primitive.name
    if name == "select_n" and isinstance(operands[0], Constant):
        always = operands[0].uniform
        if always is not None:
            return [operands[1 + int(always)]]
    if name in ELEMENTWISE:
        fused = _fused(equation, operands, place)
        if fused is not None:
            return [fused]
    if name == "div":
        known = softmax.recognized(*operands)
        node = None if known is None else softmax.signal(known, tape, place)
        if node is not None:
            return [node]
    if name not in RULES:
        raise TraceError(f"{place}: there is no rule for the primitive {name}.")
    ready = [settled(x, tape) if isinstance(x, Pointwise) else x for x in operands]
    outputs = RULES[name](equation, ready, tape, place)
    for output in outputs:
        if isinstance(output, Signal) and output.equation is None:
            axes = independence.axes(equation, ready, output.shape)
            output.made_by(equation, ready, axes, scatter.of)
    return outputs


def _fused(equation: Any, operands: Sequence[Operand], place: Source) -> Pointwise | None:
    """The equation as a function of every entry of one signal, if it is one."""
    bases = {id(x): x for x in map(_base, operands) if x is not None}
    scalars = [x.uniform for x in operands if isinstance(x, Constant)]
    if len(bases) != 1 or any(isinstance(x, Weight) for x in operands) or None in scalars:
        return None
    (base,) = bases.values()
    constants = [np.reshape(x.uniform, 1) if isinstance(x, Constant) else None for x in operands]

    def function(z: Any) -> Any:
        values = [
            x.function(z) if isinstance(x, Pointwise) else z if c is None else c
            for x, c in zip(operands, constants, strict=True)
        ]
        return evaluate(equation, values)[0]

    return Pointwise(base, function, place)


def _base(operand: Operand) -> Signal | None:
    if isinstance(operand, Pointwise):
        return operand.base
    return operand if isinstance(operand, Signal) else None


def _signals(operands: Sequence[Any]) -> list[Signal]:
    return [x for x in operands if isinstance(x, Signal)]


def _square(operand: Any) -> Any:
    """The mean square of every entry."""
    if isinstance(operand, Signal):
        return operand.square
    if isinstance(operand, Weight):
        return operand.second
    return np.square(np.asarray(operand.value, float))


def _is_centred(operand: Any) -> bool:
    if isinstance(operand, Constant):
        return not np.any(np.asarray(operand.value, float))
    return isinstance(operand, Weight) or operand.centred


def _drawn(operand: Any, known: Known) -> Any:
    """In every forward pass."""
    if isinstance(operand, Signal):
        return operand.within(known)
    return (
        operand.draw()[: known.passes]
        if isinstance(operand, Weight)
        else np.asarray(operand.value)[None]
    )


def _draws(equation: Any, operands: Sequence[Any], output: int = 0) -> Callable[[Known], Any]:
    """One output of an equation in every forward pass."""
    return lambda known: evaluate(equation, [_drawn(x, known) for x in operands])[output]


def _shape(equation: Any) -> tuple[int, ...]:
    return equation.outvars[0].aval.shape


def _full(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Entry by entry, a scalar may stand beside an array."""
    return np.broadcast_to(x, shape)


# Entries moved to other places, each output at most one input: coefficients 0 or 1.

VALUES = {
    "pad": 2, "gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2, "split": 1,
}  # fmt: skip
"""How many of the first operands hold entries; the others, indices. All, where not listed."""

IN_PLACE = ("reshape", "squeeze", "expand_dims", "convert_element_type", "reduce_precision", "neg")
IN_PLACE += ("copy", "copy_p", "optimization_barrier", "name")
"""Primitives that keep all entries in their order."""


@rule(
    *("reshape", "transpose", "squeeze", "expand_dims", "broadcast_in_dim", "slice", "rev", "copy"),
    *("pad", "gather", "dynamic_slice", "dynamic_update_slice", "concatenate", "stack", "split"),
    *("convert_element_type", "reduce_precision", "copy_p", "optimization_barrier", "name", "neg"),
)
def _arrange(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    name = equation.primitive.name
    entries = operands[: VALUES.get(name, len(operands))]
    indices = [x.value for x in operands[len(entries) :] if isinstance(x, Constant)]
    if len(entries) + len(indices) < len(operands):
        raise TraceError(f"{place}: the primitive {name} has indices that are not constant.")
    outputs: list[Operand] = []
    for i, variable in enumerate(equation.outvars):

        def moved(values: Sequence[Any], i: int = i) -> np.ndarray:
            if name == "neg":
                return values[0]
            given = [np.asarray(x)[None] for x in (*values, *indices)]
            return evaluate(equation, given)[i][0]

        def square(moved: Callable[..., np.ndarray] = moved) -> np.ndarray:
            return moved([_square(x) for x in entries])

        shape = variable.aval.shape
        pull = _moved_back(equation, entries, moved)
        node = tape.add(_signals(entries), shape, pull, "arrange", place)
        centred = all(map(_is_centred, entries))
        draws = _draws(equation, operands, i)
        average = averages.pushed(
            entries,
            lambda *means, moved=moved: moved(means) * (-1 if name == "neg" else 1),
            lambda *variances, moved=moved: moved(variances),
        )
        terms = _signals(entries)
        outputs.append(Signal(node, shape, draws, square, centred, terms, average=average))
    return outputs


def _moved_back(
    equation: Any, entries: Sequence[Any], moved: Callable[[Sequence[Any]], np.ndarray]
) -> Pull:
    """The transpose of an arrangement, from where it takes every entry of its output."""
    name, terms = equation.primitive.name, _signals(entries)
    if name in IN_PLACE and (name != "reshape" or equation.params["dimensions"] is None):
        return lambda energy: (energy.reshape(terms[0].shape),)
    if name == "transpose":
        order = np.argsort(equation.params["permutation"])
        return lambda energy: (energy.transpose(order),)
    if name == "broadcast_in_dim":
        kept = equation.params["broadcast_dimensions"]
        sides = terms[0].shape
        axes = [
            axis
            for axis in range(len(equation.params["shape"]))
            if axis not in kept or sides[kept.index(axis)] == 1
        ]
        return lambda energy: (energy.sum(axis=tuple(axes)).reshape(sides),)
    if name == "slice":
        return lambda energy: (_put(energy, moved, terms[0].shape),)
    if name == "concatenate":
        axis = equation.params["dimension"]
        cuts = np.cumsum([x.shape[axis] for x in entries])[:-1]
        are_signals = [isinstance(x, Signal) for x in entries]
        return lambda energy: list(compress(np.split(energy, cuts, axis), are_signals))
    sizes = [int(np.prod(x.shape)) for x in terms]
    ends = np.cumsum([1, *sizes])  # 0 is no entry of a signal

    def pull(energy: np.ndarray) -> Sequence[np.ndarray]:
        numbers = (np.arange(a, b) for a, b in pairwise(ends))
        places = [
            next(numbers).reshape(x.shape) if isinstance(x, Signal) else np.zeros(x.shape, int)
            for x in entries
        ]
        taken = moved(places)
        arrived = np.bincount(np.ravel(taken), np.ravel(energy), int(ends[-1]))
        parts = np.split(arrived[1:], ends[1:-1] - 1)
        return [part.reshape(x.shape) for part, x in zip(parts, terms, strict=True)]

    return pull


def _put(
    energy: np.ndarray, view: Callable[[Sequence[Any]], np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Zeros of a shape, but for what a view of them has."""
    whole = np.zeros(shape, energy.dtype)
    view([whole])[...] = energy
    return whole


@rule("select_n")
def _select(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    which, *cases = operands
    if not isinstance(which, Constant):
        raise TraceError(f"{place}: what it selects depends on the input in a way without a rule.")
    shape = _shape(equation)
    chosen = _full(np.asarray(which.value).astype(int), shape)
    signals = [(i, x) for i, x in enumerate(cases) if isinstance(x, Signal)]

    def square() -> np.ndarray:
        squares = [_full(_square(x), shape) for x in cases]
        return np.choose(chosen, squares) if len(squares) < 32 else np.stack(squares)[chosen]

    def pull(energy: np.ndarray) -> Sequence[np.ndarray]:
        return [energy * (chosen == i) for i, _ in signals]

    terms = [x for _, x in signals]
    node = tape.add(terms, shape, pull, "arrange", place)
    centred = all(map(_is_centred, cases))
    return [Signal(node, shape, _draws(equation, operands), square, centred, terms)]


# Sums of entries: coefficients ±1.


@rule("add", "sub", "add_any")
def _add(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    shape, terms = _shape(equation), _signals(operands)
    meets: Any = None

    def added(*values: np.ndarray) -> np.ndarray:
        return np.asarray(sum((_full(x, shape) for x in values), np.zeros(())))

    def square() -> np.ndarray:
        # cross terms have a factor of mean zero, or hypothesis H neglects them
        apart = added(*map(_square, operands))
        return apart if meets is None else np.asarray(apart * meets.together())

    draws = _draws(equation, operands)
    average = averages.pushed(
        operands, lambda *means: evaluate(equation, [m[None] for m in means])[0][0], added, added
    )
    centred = all(map(_is_centred, operands))
    if len(terms) == 1:  # a bias: nothing happens to the energy
        node = terms[0].node
        return [Signal(node, shape, draws, square, centred, terms, average=average)]
    function = lambda a, b: evaluate(equation, [a, b])[0]  # noqa: E731
    meets = meeting(function, terms[0], terms[1], tape)
    one, other = (_reduced(x.shape) for x in terms)

    def pull(energy: np.ndarray) -> Sequence[np.ndarray]:
        left, right = (1.0, 1.0) if meets is None else meets.factors
        return one(left * energy), other(right * energy)

    node = tape.add(terms, shape, pull, "sum", place)
    return [Signal(node, shape, draws, square, centred, terms, average=average)]


def _reduced(shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """The transpose of what arithmetic does with a scalar, or a side of 1, beside an array."""
    return lambda e: summed_to(e[None], shape)[0]


@rule("reduce_sum", "reduce_window_sum", "cumsum")
def _sum(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    shape = _shape(equation)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.asarray(evaluate(equation, [values[None]])[0][0])

    def square() -> np.ndarray:
        # entries that are not centred are positive and alike: as if they were equal
        return np.asarray(summed(np.ones(x.shape)) * summed(x.square))

    node = tape.add([x], shape, _unsummed(equation, x), "average", place, (POOLED_UNCORRELATED,))
    is_known = independence.is_of_independent(equation, x)
    average = averages.pushed([x], summed, summed) if is_known else None
    known_square = square
    if x.centred:
        known_square = (lambda: summed(x.square)) if is_known else None
    draws = _draws(equation, operands)
    return [Signal(node, shape, draws, known_square, x.centred, [x], average=average)]


def _unsummed(equation: Any, x: Signal) -> Pull:
    """The transpose of a sum."""
    name, parameters = equation.primitive.name, equation.params
    if name == "reduce_sum":
        return lambda e: (np.broadcast_to(np.expand_dims(e, parameters["axes"]), x.shape),)
    if name == "cumsum":
        axis, forwards = parameters["axis"], parameters["reverse"]
        turned = (lambda e: e) if forwards else (lambda e: np.flip(e, axis))
        return lambda e: (turned(np.cumsum(turned(e), axis)),)
    over = windows(parameters, x.shape)
    return lambda e: (over.sums_transposed(e[None])[0],)


# A maximum selects each of its inputs equally often.


@rule("reduce_max", "reduce_min")
def _max(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    axes = tuple(equation.params["axes"])
    count = np.prod([x.shape[axis] for axis in axes])

    def pull(e: np.ndarray) -> Sequence[np.ndarray]:
        return (np.broadcast_to(np.expand_dims(e / count, axes), x.shape),)

    return [_selected(equation, x, pull, tape, place)]


@rule("reduce_window_max", "reduce_window_min")
def _window_max(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    over = windows(equation.params, x.shape)
    # entries that a border has are never selected
    counts = np.maximum(over.sums(np.ones((1, *x.shape))), 1)
    return [
        _selected(equation, x, lambda e: (over.sums_transposed(e[None] / counts)[0],), tape, place)
    ]


@rule("max", "min")
def _larger(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    terms = _signals(operands)
    if len(terms) < 2:
        raise TraceError(f"{place}: a maximum of a signal and of an array has no rule.")
    shape = _shape(equation)
    one, other = (_reduced(x.shape) for x in terms)
    rests = (UNIFORM_SELECTION,)
    node = tape.add(terms, shape, lambda e: (one(e / 2), other(e / 2)), "maximum", place, rests)
    return [Signal(node, shape, _draws(equation, operands), reads=terms)]


def _selected(equation: Any, x: Signal, pull: Pull, tape: Tape, place: Source) -> Signal:
    shape = _shape(equation)
    node = tape.add([x], shape, pull, "maximum", place, (UNIFORM_SELECTION,))
    # selecting the largest of symmetric entries is still taken as symmetric by hypothesis H
    return Signal(node, shape, _draws(equation, [x]), reads=[x])


# Products: with weights or constants, or of two signals.


@rule("dot_general", "conv_general_dilated", "mul")
def _product(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    left, right = operands
    try:
        both = bilinear(equation, left.shape, right.shape)
    except NotImplementedError as error:
        raise TraceError(f"{place}: there is no rule for {error}.") from None
    return [_multiplied(equation, both, operands, tape, place)]


def _multiplied(
    equation: Any, both: Bilinear, factors: Sequence[Any], tape: Tape, place: Source
) -> Signal:
    left, right = factors
    shape, by_entry = _shape(equation), equation.primitive.name in ("mul", "div")
    terms = _signals(factors)
    is_weighted = any(isinstance(x, Weight) for x in factors)
    pull: Pull
    average: Any = None
    meets: Any = None

    def multiplied(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return both.forward(a[None], b[None])[0]

    def square() -> np.ndarray:
        apart = multiplied(_square(left), _square(right))
        return apart if meets is None else apart * meets.together(float(np.mean(apart)))

    if len(terms) == 2:
        if by_entry:
            meets = meeting(lambda a, b: times(both, a, b), left, right, tape, is_product=True)

        def to_both(energy: np.ndarray) -> Sequence[np.ndarray]:
            first, last = (1.0, 1.0) if meets is None else meets.factors
            to_left = both.to_left(energy[None], right.square[None])[0]
            to_right = both.to_right(energy[None], left.square[None])[0]
            return first * to_left, last * to_right

        pull = to_both
        kind, rests = "product", (PRODUCTS,)
        # where forward passes are needed anyway, they know how correlated rows and columns are
        is_known = (left.centred or right.centred) and not (left.is_drawn or right.is_drawn)
        exact = by_entry or is_known
    else:
        is_left = isinstance(left, Signal)
        second = _square(right if is_left else left)[None]
        back = both.to_left if is_left else both.to_right
        pull = lambda e: (back(e[None], second)[0],)  # noqa: E731
        kind = "weights" if is_weighted else "scale" if by_entry else "average"
        rests = (UNCORRELATED,) if is_weighted else () if by_entry else (POOLED_UNCORRELATED,)
        exact = is_weighted or by_entry
        if not is_weighted:
            fixed = np.asarray((right if is_left else left).value, float)
            order = (lambda x, c: (x, c)) if is_left else (lambda x, c: (c, x))
            average = averages.pushed(
                terms,
                lambda mean: multiplied(*order(mean, fixed)),
                lambda variance: multiplied(*order(variance, fixed**2)),
            )
    centred = any(_is_centred(x) for x in factors)
    node = tape.add(terms, shape, pull, kind, place, rests)

    def draws(known: Known) -> Any:
        return times(both, *(_drawn(x, known) for x in factors))

    known_square = square if exact else None
    return Signal(
        node,
        shape,
        draws,
        known_square,
        centred,
        terms,
        is_weighted,
        average,
        is_meeting=meets is not None,
    )


@rule("div")
def _quotient(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    above, below = operands
    if isinstance(below, Weight):
        raise TraceError(f"{place}: a quotient by random weights has no rule.")
    inverse: Any
    if isinstance(below, Constant):
        inverse = Constant(1 / np.asarray(below.value, float))
    else:
        inverse = settled(Pointwise(below, inverse_of, place), tape)
    both = multiplication(above.shape, inverse.shape)
    return [_multiplied(equation, both, [above, inverse], tape, place)]
