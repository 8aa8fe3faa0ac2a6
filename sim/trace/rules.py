"""What each primitive does to energies and mean squares: one table, `RULES`.

A rule takes an equation, its operands (at least one of them a `Signal`, none a `Pointwise`), the
tape and the source line, and returns the outputs. To add a primitive: a function with `@rule`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sim.trace.pointwise import settled
from sim.trace.source import Source
from sim.trace.twice import mixed
from sim.trace.values import (
    Constant,
    Known,
    Operand,
    Pointwise,
    Signal,
    Tape,
    TraceError,
    Weight,
)
from sim.trace.walk import bind
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
    if name in ELEMENTWISE:
        fused = _fused(equation, operands, place)
        if fused is not None:
            return [fused]
    if name not in RULES:
        raise TraceError(f"{place}: there is no rule for the primitive {name}.")
    ready = [settled(x, tape) if isinstance(x, Pointwise) else x for x in operands]
    return RULES[name](equation, ready, tape, place)


def _fused(equation: Any, operands: Sequence[Operand], place: Source) -> Pointwise | None:
    """The equation as a function of every entry of one signal, if it is one."""
    bases = {id(x): x for x in map(_base, operands) if x is not None}
    scalars = [x.uniform for x in operands if isinstance(x, Constant)]
    if len(bases) != 1 or any(isinstance(x, Weight) for x in operands) or None in scalars:
        return None
    (base,) = bases.values()
    to_float = equation.primitive.name == "convert_element_type" and jnp.issubdtype(
        equation.params["new_dtype"], jnp.floating
    )

    def function(z: Array) -> Array:
        def value(operand: Operand) -> Any:
            if isinstance(operand, Constant):
                return jnp.full(z.shape, operand.uniform, np.asarray(operand.value).dtype)
            return operand.function(z) if isinstance(operand, Pointwise) else z

        values = [value(x) for x in operands]
        if to_float:  # arithmetic is that of the tracing, whatever the model's
            return values[0].astype(float)
        floats = [x.dtype for x in values if jnp.issubdtype(x.dtype, jnp.floating)]
        common = jnp.result_type(*floats) if floats else None
        same = [x.astype(common) if x.dtype in floats else x for x in values]
        return bind(equation, *same)[0]

    return Pointwise(base, function, place)


def _base(operand: Operand) -> Signal | None:
    if isinstance(operand, Pointwise):
        return operand.base
    return operand if isinstance(operand, Signal) else None


def _signals(operands: Sequence[Any]) -> list[Signal]:
    return [x for x in operands if isinstance(x, Signal)]


def _square(operand: Any, known: Known) -> Array:
    """The mean square of every entry."""
    if isinstance(operand, Signal):
        return operand.within(known, "square")
    if isinstance(operand, Weight):
        return operand.second
    return jnp.square(jnp.asarray(operand.value, float))


def _is_centred(operand: Any) -> bool:
    if isinstance(operand, Constant):
        return not np.any(np.asarray(operand.value, float))
    return isinstance(operand, Weight) or operand.centred


def _draw(equation: Any, operands: Sequence[Any], known: Known) -> Array:
    """The output of an equation in every forward pass."""
    axes = [None if isinstance(x, Constant) else 0 for x in operands]
    values = [_drawn(x, known) for x in operands]
    dtypes = [x.dtype for x in values if jnp.issubdtype(x.dtype, jnp.floating)]
    common = jnp.result_type(*dtypes)
    values = [x.astype(common) if x.dtype in dtypes else x for x in values]
    if equation.primitive.name == "conv_general_dilated":
        # mapped over kernels it would become a grouped convolution, which is slow
        drawn = [x for x, axis in zip(values, axes, strict=True) if axis == 0]

        def one(parts: list[Array]) -> Array:
            given = iter(parts)
            rest = [x if a is None else next(given) for x, a in zip(values, axes, strict=True)]
            return _energetic(equation)(*rest)

        return jax.lax.map(one, drawn)
    return jax.vmap(_energetic(equation), in_axes=axes)(*values)


def _drawn(operand: Any, known: Known) -> Array:
    if isinstance(operand, Signal):
        return operand.within(known, "draws")
    return operand.draw() if isinstance(operand, Weight) else jnp.asarray(operand.value)


def _energetic(equation: Any) -> Callable[..., Array]:
    """The equation as a function, in the arithmetic of the tracing, whatever the model's."""
    parameters = equation.params
    if "preferred_element_type" in parameters:
        parameters = parameters | {"preferred_element_type": None}
    primitive = equation.primitive

    def function(*values: Array) -> Array:
        outputs = primitive.bind(*values, **parameters)
        return outputs[0] if primitive.multiple_results else outputs

    return function


def _shape(equation: Any) -> tuple[int, ...]:
    return equation.outvars[0].aval.shape


# Entries moved to other places, each output at most one input: coefficients 0 or 1.

VALUES = {
    "pad": 2, "gather": 1, "dynamic_slice": 1, "dynamic_update_slice": 2, "split": 1,
}  # fmt: skip
"""How many of the first operands hold entries; the others, indices. All, where not listed."""


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

        def moved(*values: Array, i: int = i) -> Array:
            if name in ("neg", "convert_element_type", "reduce_precision"):
                return values[0]
            return bind(equation, *values, *indices)[i]

        def push(*energies: Array, moved: Callable[..., Array] = moved) -> Array:
            given = iter(energies)
            return moved(
                *(next(given) if isinstance(x, Signal) else jnp.zeros(x.shape) for x in entries)
            )

        def square(known: Known, moved: Callable[..., Array] = moved) -> Array:
            return moved(*(_square(x, known) for x in entries))

        def draw(known: Known, i: int = i) -> Array:
            axes = [None if isinstance(x, Constant) else 0 for x in entries]
            values = [_drawn(x, known) for x in entries]
            values = [x.astype(float) if x.dtype != bool else x for x in values]
            return jax.vmap(lambda *v: bind(equation, *v, *indices)[i], axes)(*values)

        shape = variable.aval.shape
        node = tape.add(_signals(entries), shape, push, "arrange", place)
        centred = all(map(_is_centred, entries))
        outputs.append(Signal(node, shape, draw, square, centred, _signals(entries)))
    return outputs


@rule("select_n")
def _select(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    which, *cases = operands
    if not isinstance(which, Constant):
        raise TraceError(f"{place}: what it selects depends on the input in a way without a rule.")
    chosen = jnp.broadcast_to(jnp.asarray(which.value), _shape(equation))

    def moved(*values: Array) -> Array:
        return jax.lax.select_n(chosen, *(jnp.broadcast_to(v, chosen.shape) for v in values))

    def push(*energies: Array) -> Array:
        given = iter(energies)
        every = [next(given) if isinstance(x, Signal) else jnp.zeros(chosen.shape) for x in cases]
        return moved(*every)

    def square(known: Known) -> Array:
        return moved(*(_square(x, known) for x in cases))

    def draw(known: Known) -> Array:
        axes = [None if isinstance(x, Constant) else 0 for x in cases]
        return jax.vmap(moved, axes)(*(_drawn(x, known).astype(float) for x in cases))

    node = tape.add(_signals(cases), chosen.shape, push, "arrange", place)
    return [Signal(node, chosen.shape, draw, square, all(map(_is_centred, cases)), _signals(cases))]


# Sums of entries: coefficients ±1.


@rule("add", "sub", "add_any")
def _add(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    shape, terms = _shape(equation), _signals(operands)

    def square(known: Known) -> Array:
        # cross terms have a factor of mean zero, or hypothesis H neglects them
        return sum((jnp.broadcast_to(_square(x, known), shape) for x in operands), jnp.zeros(shape))

    def draw(known: Known) -> Array:
        return _draw(equation, operands, known)

    centred = all(map(_is_centred, operands))
    if len(terms) == 1:  # a bias: nothing happens to the energy
        return [Signal(terms[0].node, shape, draw, square, centred, terms)]
    sign = -1 if equation.primitive.name == "sub" else 1
    left, right = mixed(lambda a, b: a + sign * b, terms[0], terms[1])
    node = tape.add(terms, shape, lambda a, b: left * a + right * b, "sum", place)
    return [Signal(node, shape, draw, square, centred, terms)]


@rule("reduce_sum", "reduce_window_sum", "cumsum")
def _sum(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    push, shape = _energetic(equation), _shape(equation)

    def square(known: Known) -> Array:
        # entries that are not centred are positive and alike: as if they were equal
        return push(jnp.ones(x.shape)) * push(x.within(known, "square"))

    node = tape.add([x], shape, push, "average", place, (POOLED_UNCORRELATED,))
    known_square = None if x.centred else square
    return [Signal(node, shape, partial(_draw, equation, operands), known_square, x.centred, [x])]


# A maximum selects each of its inputs equally often.


@rule("reduce_max", "reduce_min")
def _max(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    axes = tuple(equation.params["axes"])
    return [_selected(equation, x, lambda e: jnp.mean(e, axis=axes), tape, place)]


@rule("reduce_window_max", "reduce_window_min")
def _window_max(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    (x,) = operands
    window = partial(jax.lax.reduce_window_sum_p.bind, **equation.params)
    # entries that a border has are never selected
    counts = jnp.maximum(window(jnp.ones(x.shape)), 1)
    return [_selected(equation, x, lambda e: window(e) / counts, tape, place)]


@rule("max", "min")
def _larger(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    terms = _signals(operands)
    if len(terms) < 2:
        raise TraceError(f"{place}: a maximum of a signal and of an array has no rule.")
    shape = _shape(equation)
    node = tape.add(terms, shape, lambda a, b: (a + b) / 2, "maximum", place, (UNIFORM_SELECTION,))
    return [Signal(node, shape, partial(_draw, equation, operands), reads=terms)]


def _selected(
    equation: Any, x: Signal, push: Callable[[Array], Array], tape: Tape, place: Source
) -> Signal:
    shape = _shape(equation)
    node = tape.add([x], shape, push, "maximum", place, (UNIFORM_SELECTION,))
    # selecting the largest of symmetric entries is still taken as symmetric by hypothesis H
    return Signal(node, shape, partial(_draw, equation, [x]), reads=[x])


# Products: with weights or constants, or of two signals.


@rule("dot_general", "conv_general_dilated", "mul")
def _product(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    left, right = operands
    function = _energetic(equation)
    shape = _shape(equation)
    terms = _signals(operands)
    push: Callable[..., Array]

    def draw(known: Known) -> Array:
        return _draw(equation, operands, known)

    if len(terms) == 2:
        squares = left.square, right.square
        first, last = (
            mixed(jnp.multiply, left, right) if equation.primitive.name == "mul" else (1.0, 1.0)
        )
        push = lambda a, b: (  # noqa: E731
            first * function(a, squares[1]) + last * function(squares[0], b)
        )
        kind, rests = "product", (PRODUCTS,)
        exact = equation.primitive.name == "mul" or left.centred or right.centred
    else:
        second = _square(right if isinstance(left, Signal) else left, {})
        if isinstance(left, Signal):
            push = lambda energy: function(energy, second)  # noqa: E731
        else:
            push = lambda energy: function(second, energy)  # noqa: E731
        weighted = isinstance(left, Weight) or isinstance(right, Weight)
        kind = "weights" if weighted else "scale" if equation.primitive.name == "mul" else "average"
        rests = (UNCORRELATED,) if weighted else () if kind == "scale" else (POOLED_UNCORRELATED,)
        exact = weighted or kind == "scale"
    is_weighted = any(isinstance(x, Weight) for x in operands)

    def square(known: Known) -> Array:
        return function(_square(left, known), _square(right, known))

    centred = any(_is_centred(x) for x in operands)
    node = tape.add(terms, shape, push, kind, place, rests)
    known_square = square if exact else None
    return [Signal(node, shape, draw, known_square, centred, terms, is_weighted)]


@rule("div")
def _quotient(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    above, below = operands
    if isinstance(below, Weight):
        raise TraceError(f"{place}: a quotient by random weights has no rule.")
    inverse: Any
    if isinstance(below, Constant):
        inverse = Constant(1 / np.asarray(below.value, float))
    else:
        inverse = settled(Pointwise(below, lambda z: 1 / z, place), tape)
    product = jax.make_jaxpr(jnp.multiply)(*[jnp.zeros(_shape(equation))] * 2).eqns[0]
    return _product(product, [above, inverse], tape, place)


# No derivative at all.


@rule(
    *("argmax", "argmin", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "sign", "floor"),
    *("ceil", "round", "is_finite", "reduce_and", "reduce_or", "stop_gradient"),
)
def _flat(equation: Any, operands: Sequence[Any], tape: Tape, place: Source) -> list[Operand]:
    shape = _shape(equation)
    return [
        Signal(
            tape.node(shape), shape, partial(_draw, equation, operands), reads=_signals(operands)
        )
    ]
