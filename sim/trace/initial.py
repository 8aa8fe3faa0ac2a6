"""A model's initializer read from its jaxpr: which random numbers an array of weights is made of.

`jax.random`'s normal, uniform and truncated normal numbers have known moments, and so has whatever
only moves, scales and shifts them. Other arrays are drawn, by NumPy: an initializer needs no key of
JAX's, and nothing has to be compiled. Random numbers of different calls are taken as independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from sim.trace.arrays import evaluate, is_implemented
from sim.trace.random import DISTRIBUTIONS, Draws, Moments, Random
from sim.trace.walk import CALLS, array, bind, inner_jaxpr, literal, plain_platform


@dataclass(frozen=True)
class Fixed:
    """The same for every key."""

    value: Any


@dataclass(frozen=True)
class Token:
    """A key, or something made of it that is no random number."""

    varies: bool = False
    """Whether it is another one in every step of a scan."""


@dataclass(frozen=True)
class Unknown:
    """What is read in none of these ways."""


Value = Fixed | Token | Random | Unknown


def leaves(init: Callable[[Any], Any], closed: core.ClosedJaxpr, seed: int = 0) -> list[Value]:
    """Every leaf of the weights; `closed` is the jaxpr of `init`, a function of a key.

    A leaf that cannot be read is drawn by JAX, compiled as a whole.
    """
    found = _interpret(closed, [Token()], in_pieces=False)
    return [
        _drawn_by_jax(init, i, closed.out_avals[i].shape) if isinstance(value, Unknown) else value
        for i, value in enumerate(found)
    ]


def _drawn_by_jax(init: Callable[[Any], Any], leaf: int, shape: tuple[int, ...]) -> Random:
    def make(draws: Draws) -> np.ndarray:
        keys = jax.random.split(jax.random.key(draws.seed), draws.number)
        mapped = jax.jit(
            lambda keys: jax.lax.map(lambda key: jax.tree.leaves(init(key))[leaf], keys)
        )
        return array(mapped(keys))

    return Random(shape, make)


def _interpret(
    closed: core.ClosedJaxpr, arguments: Sequence[Value], in_pieces: bool
) -> list[Value]:
    """The outputs of a jaxpr."""
    values: dict[Any, Value] = {
        variable: Fixed(const)
        for variable, const in zip(closed.jaxpr.constvars, closed.consts, strict=True)
    }
    values |= zip(closed.jaxpr.invars, arguments, strict=True)
    for equation in closed.jaxpr.eqns:
        operands = [
            Fixed(literal(x)) if isinstance(x, core.Literal) else values[x] for x in equation.invars
        ]
        values |= zip(equation.outvars, outputs(equation, operands, in_pieces), strict=True)
    return [
        Fixed(literal(x)) if isinstance(x, core.Literal) else values[x]
        for x in closed.jaxpr.outvars
    ]


def outputs(equation: Any, operands: list[Value], in_pieces: bool = True) -> list[Value]:
    """Those of one equation; if `in_pieces`, JAX evaluates what primitives NumPy does not."""
    name, count = equation.primitive.name, len(equation.outvars)
    if any(isinstance(x, Unknown) for x in operands):
        return [Unknown()] * count
    if name == "platform_index":
        return [Fixed(plain_platform(equation))]
    if name == "cond" and isinstance(operands[0], Fixed):
        branch = equation.params["branches"][int(operands[0].value)]
        return _interpret(branch, operands[1:], in_pieces)
    if all(isinstance(x, Fixed) for x in operands):
        return [Fixed(x) for x in _fixed(equation, [_value(x) for x in operands])]
    if name in CALLS:
        call = _named(equation, operands)
        return _interpret(inner_jaxpr(equation), operands, in_pieces) if call is None else [call]
    if not any(isinstance(x, Token) for x in operands):
        is_readable = in_pieces or is_implemented(name)
        return _derived(equation, operands) if is_readable else [Unknown()] * count
    if name == "scan":
        return _scan(equation, operands)
    if name == "random_bits":
        return [_bits(equation.outvars[0].aval, operands[0])]
    is_number = any(jnp.issubdtype(x.aval.dtype, jnp.inexact) for x in equation.outvars)
    if is_number or any(isinstance(x, Random) for x in operands):
        return [Unknown()] * count
    varies = any(isinstance(x, Token) and x.varies for x in operands)
    return [Token(varies)] * count


def _fixed(equation: Any, values: list[Any]) -> list[Any]:
    """The outputs of an equation whose operands are known; keys are left to JAX."""
    if equation.primitive.name in CALLS:
        return [_value(x) for x in _interpret(inner_jaxpr(equation), [*map(Fixed, values)], True)]
    avals = [x.aval for x in (*equation.invars, *equation.outvars)]
    if any(jnp.issubdtype(aval.dtype, jax.dtypes.prng_key) for aval in avals):
        return bind(equation, *values)
    return [x[0] for x in evaluate(equation, [array(value)[None] for value in values])]


def _value(x: Value) -> Any:
    assert isinstance(x, Fixed)
    return x.value


def _derived(equation: Any, operands: Sequence[Value]) -> list[Value]:
    """The outputs of an equation of random and fixed arrays."""
    randoms = tuple(x for x in operands if isinstance(x, Random))
    is_fresh = any(x.fresh for x in randoms)

    def make(draws: Draws, i: int) -> np.ndarray:
        values = [
            draws.of(x) if isinstance(x, Random) else array(_value(x))[None] for x in operands
        ]
        return evaluate(equation, values)[i]

    moments = _moments(equation, operands)
    return [
        Random(
            variable.aval.shape,
            lambda draws, i=i: make(draws, i),
            randoms,
            moments if i == 0 else None,
            is_fresh,
        )
        for i, variable in enumerate(equation.outvars)
    ]


MOVES = (
    *("reshape", "transpose", "squeeze", "expand_dims", "broadcast_in_dim", "slice", "rev"),
    *("concatenate", "copy", "copy_p", "stop_gradient", "reduce_precision"),
)


def _moments(equation: Any, operands: Sequence[Value]) -> Moments | None:
    """Those of the output, where they follow from those of the operands."""
    name, dtype = equation.primitive.name, equation.outvars[0].aval.dtype
    known = [_own_moments(x) for x in operands]
    if any(x is None for x in known) or not jnp.issubdtype(dtype, jnp.floating):
        return None
    parts: list[Any] = known
    if name in MOVES or (name == "convert_element_type"):
        if len(parts) == 1 and np.ndim(parts[0][0]) == 0:
            return parts[0]
        if name == "convert_element_type":
            return parts[0]
        full = [
            [
                np.broadcast_to(m, v.aval.shape)[None]
                for m, v in zip(x, equation.invars, strict=True)
            ]
            for x in zip(*parts, strict=True)
        ]
        mean, variance = (evaluate(equation, x)[0][0] for x in full)
        return mean, variance
    if name == "neg":
        return -parts[0][0], parts[0][1]
    if len(parts) != 2 or all(isinstance(x, Random) for x in operands):
        return None
    (mean, variance), (other, _) = parts if isinstance(operands[0], Random) else parts[::-1]
    if name in ("add", "sub"):
        one, two = parts
        sign = 1 if name == "add" else -1
        total = one[0] + sign * two[0]
        return total, np.broadcast_to(variance, total.shape) if np.ndim(variance) else variance
    if name == "mul" or (name == "div" and isinstance(operands[0], Random)):
        factor = other if name == "mul" else 1 / other
        return mean * factor, variance * factor**2
    return None


def _own_moments(value: Value) -> Moments | None:
    if isinstance(value, Random):
        return value.moments
    mean = np.asarray(_value(value), float)
    one = mean.ravel()[0] if mean.size else 0.0
    mean = np.asarray(one) if np.all(mean == one) else mean
    return mean, np.zeros(())


# Random numbers


def _bits(aval: Any, key: Value) -> Value:
    if not isinstance(key, Token):
        return Unknown()

    def make(draws: Draws) -> np.ndarray:
        limit = 2 ** (8 * np.dtype(aval.dtype).itemsize)
        shape = (draws.number, *aval.shape)
        return draws.generator.integers(0, limit, shape, np.dtype(aval.dtype))

    return Random(aval.shape, make, fresh=key.varies)


def _named(equation: Any, operands: Sequence[Value]) -> Random | None:
    """The numbers of a call of a function of jax.random whose moments are known."""
    name, aval = equation.params.get("name"), equation.outvars[0].aval
    key, *rest = operands
    known = name in DISTRIBUTIONS and all(isinstance(x, Fixed) for x in rest)
    if not (known and isinstance(key, Token) and _is_jax_random(inner_jaxpr(equation))):
        return None
    if not jnp.issubdtype(aval.dtype, jnp.floating):
        return None
    bounds = [np.asarray(_value(x), float) for x in rest]
    if any(bound.size != 1 for bound in bounds):
        return None
    dtype = np.float64 if aval.dtype == np.float64 else np.float32
    moments, sampler = DISTRIBUTIONS[name](*(float(bound.ravel()[0]) for bound in bounds))

    def make(draws: Draws) -> np.ndarray:
        return sampler(draws.generator, (draws.number, *aval.shape), dtype)

    mean, variance = (np.asarray(x, float) for x in moments)
    return Random(aval.shape, make, (), (mean, variance), key.varies)


def _is_jax_random(closed: core.ClosedJaxpr) -> bool:
    file = getattr(getattr(closed.jaxpr, "debug_info", None), "func_filename", None)
    return file is not None and "jax/_src/random" in file.replace("\\", "/")


def _scan(equation: Any, operands: list[Value]) -> list[Value]:
    """A scan without a carry, whose steps draw numbers of their own."""
    parameters, outputs = equation.params, [variable.aval for variable in equation.outvars]
    fixed, length = parameters["num_consts"], parameters["length"]
    if parameters["num_carry"] or not all(isinstance(x, Fixed | Token) for x in operands):
        return [Unknown()] * len(outputs)
    steps: list[Value] = [Token(varies=True)] * (len(operands) - fixed)
    found = _interpret(parameters["jaxpr"], [*operands[:fixed], *steps], in_pieces=False)
    return [_stacked(value, length) for value in found]


def _stacked(value: Value, length: int) -> Value:
    """All steps of a scan, for what one of them makes."""
    if not isinstance(value, Random) or not value.fresh:
        return Unknown()

    def make(draws: Draws) -> np.ndarray:
        more = Draws(draws.number * length, int(draws.generator.integers(2**31)))
        return more.of(value).reshape(draws.number, length, *value.shape)

    moments = value.moments
    if moments is not None and any(np.ndim(x) for x in moments):
        moments = None
    return Random((length, *value.shape), make, (), moments)
