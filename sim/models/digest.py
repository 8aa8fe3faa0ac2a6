"""A digest of what a function computes: of its jaxpr, whatever its variables and lines are called.

Comments, names and the order of definitions in a source file do not change it; what is computed,
in which order and with which constants, does.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

NAMES = ("name", "debug_info", "in_tree", "out_tree", "sharding", "out_sharding", "ctx_mesh")
"""Parameters of equations that decide nothing of what is computed."""


def of(function: Callable[..., Any], *arguments: Any) -> str:
    """The digest of a function at arguments of these shapes and types (`jax.ShapeDtypeStruct`)."""
    found = hashlib.sha256()
    for word in _closed(jax.make_jaxpr(function)(*arguments)):
        found.update(word.encode() + b"\0")
    return found.hexdigest()


def of_outputs(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """The digest of each output of a function, of what that output alone is computed from.

    Outputs are the leaves of the result. Two of them, also of different functions of the same
    arguments, have the same digest only if they are computed alike.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    inputs = [_word(f"input {i}", str(aval)) for i, aval in enumerate(closed.in_avals)]
    return _outputs(closed, inputs)


def _outputs(closed: core.ClosedJaxpr, inputs: Sequence[str]) -> list[str]:
    """Digests of what a jaxpr computes from values with these digests."""
    jaxpr = closed.jaxpr
    found = dict(zip(jaxpr.invars, inputs, strict=True))
    for variable, const in zip(jaxpr.constvars, closed.consts, strict=True):
        found[variable] = _word("constant", *_value(const))

    def read(x: Any) -> str:
        is_literal = isinstance(x, core.Literal)
        return _word("literal", str(x.aval), *_value(x.val)) if is_literal else found[x]

    for equation in jaxpr.eqns:
        operands = [read(x) for x in equation.invars]
        if equation.primitive.name in ("jit", "pjit"):
            outputs = _outputs(equation.params["jaxpr"], operands)
        elif (told := _of_host(equation.params.get("callback"))) is not None:
            outputs = [_word(one, *operands) for one in told]
        else:
            whole = _word(str(equation.primitive), *_parameters(equation), *operands)
            outputs = [_word(whole, str(i), str(x.aval)) for i, x in enumerate(equation.outvars)]
        found |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(x) for x in jaxpr.outvars]


def _of_host(callback: Any) -> Any:
    """The digests of the outputs of a function of the host (`sim.models.host`), if it has any."""
    return getattr(getattr(callback, "callback_func", callback), "digests", None)


def _word(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _closed(closed: core.ClosedJaxpr) -> Iterator[str]:
    for const in closed.consts:
        yield from _value(const)
    numbers: dict[Any, int] = {}

    def number(variable: Any) -> str:
        return str(numbers.setdefault(variable, len(numbers)))

    for variable in (*closed.jaxpr.constvars, *closed.jaxpr.invars):
        yield f"{number(variable)}:{variable.aval}"
    for equation in closed.jaxpr.eqns:
        yield str(equation.primitive)
        yield from _parameters(equation)
        for x in equation.invars:
            yield from _value(x.val) if isinstance(x, core.Literal) else (number(x),)
        for x in equation.outvars:
            yield f"{number(x)}:{x.aval}"
    for x in closed.jaxpr.outvars:
        yield from _value(x.val) if isinstance(x, core.Literal) else (number(x),)


def _parameters(equation: Any) -> Iterator[str]:
    for name in sorted(equation.params):
        if name not in NAMES:
            yield name
            yield from _value(equation.params[name])


def _value(value: Any) -> Iterator[str]:
    if isinstance(value, core.ClosedJaxpr):
        yield from _closed(value)
    elif isinstance(value, core.Jaxpr):
        yield from _closed(core.ClosedJaxpr(value, ()))
    elif isinstance(value, tuple | list):
        yield str(len(value))
        for entry in value:
            yield from _value(entry)
    elif isinstance(value, jax.Array | np.ndarray) and not _is_key(value):
        array = np.asarray(value)
        yield f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    elif (told := _of_host(value)) is not None:
        yield from told
    elif not callable(value):
        yield re.sub(r"0x[0-9a-fA-F]+", "", repr(value))


def _is_key(value: Any) -> bool:
    return bool(jnp.issubdtype(value.dtype, jax.dtypes.prng_key))
