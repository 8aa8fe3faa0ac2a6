"""What an equation reads: a weight with its copy, a signal, or neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend import core


@dataclass(frozen=True)
class Weight:
    """A value that depends on weights, and on no signal but by a choice: under W and under W′."""

    value: Any
    copy: Any
    leaves: frozenset[int] | None = None
    """Of the model's weights, those that it is made of; None where that is not followed."""


@dataclass(frozen=True)
class Signal:
    """A value that depends on the input of the network."""

    value: Any
    is_sign: bool = False
    """Whether it says of every entry of a signal which side of zero it is on."""


Kind = type[Weight] | type[Signal] | None
"""What a value is; None: neither weights nor signals decide it."""


def value_of(operand: Any) -> Any:
    return operand.value if isinstance(operand, Weight | Signal) else operand


def copy_of(operand: Any) -> Any:
    return operand.copy if isinstance(operand, Weight) else value_of(operand)


def kind_of(operand: Any) -> Kind:
    return type(operand) if isinstance(operand, Weight | Signal) else None


def as_kind(operand: Any, kind: Kind) -> Any:
    if kind is Weight:
        return Weight(value_of(operand), copy_of(operand))
    return Signal(value_of(operand)) if kind is Signal else operand


def leaves_of(operands: Sequence[Any]) -> frozenset[int] | None:
    """The weights that all operands are made of; None where one is not followed."""
    each = [x.leaves for x in operands if isinstance(x, Weight)]
    return None if None in each else frozenset[int]().union(*(x for x in each if x))


def is_inexact(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jnp.inexact)


def joined_kind(kinds: Sequence[Kind]) -> Kind:
    return Signal if Signal in kinds else Weight if Weight in kinds else None


def kinds_of_outputs(jaxpr: core.Jaxpr, inputs: Sequence[Kind]) -> list[Kind]:
    """The kinds of the outputs of a jaxpr, a signal where it might be one."""
    kinds: dict[Any, Kind] = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(x: Any) -> Kind:
        return None if isinstance(x, core.Literal) else kinds.get(x)

    for equation in jaxpr.eqns:
        kinds |= dict.fromkeys(equation.outvars, joined_kind([of(x) for x in equation.invars]))
    return [of(x) for x in jaxpr.outvars]


def packed(operands: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for x in operands:
        flat += [x.value, x.copy] if isinstance(x, Weight) else [value_of(x)]
    return flat


def packed_kinds(kinds: Sequence[Kind]) -> list[Kind]:
    return [kind for kind in kinds for _ in range(2 if kind is Weight else 1)]


def unpacked(flat: Sequence[Any], kinds: Sequence[Kind]) -> list[Any]:
    left = iter(flat)
    return [
        Weight(next(left), next(left))
        if kind is Weight
        else Signal(next(left))
        if kind is Signal
        else next(left)
        for kind in kinds
    ]


def is_known_zero(operand: Any) -> bool:
    """Whether it is a constant that is known to be zero."""
    return isinstance(operand, np.ndarray) and not operand.any()
