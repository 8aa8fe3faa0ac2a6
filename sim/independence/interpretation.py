"""A jaxpr read once, with weights under W and under W′."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array

from sim.independence import source
from sim.independence.backward import Backward, Place, Reading, decoupled
from sim.independence.equations import (
    CALLS,
    CUSTOM_BACKWARD,
    REMAT,
    bind,
    called,
    evaluated,
    is_linear,
)
from sim.independence.operands import (
    Kind,
    Signal,
    Weight,
    as_kind,
    copy_of,
    is_inexact,
    is_known_zero,
    joined_kind,
    kind_of,
    kinds_of_outputs,
    leaves_of,
    packed,
    packed_kinds,
    unpacked,
    value_of,
)
from sim.independence.source import Source

PRODUCTS = {"dot_general", "conv_general_dilated", "mul", "div"}
"""Primitives whose derivative by a signal is a product with the weight that they read."""

ADDITIVE = {
    *("add", "add_any", "sub", "max", "min", "clamp", "select_n", "concatenate", "pad"),
    *("dynamic_update_slice", "scatter", "scatter-add", "gather", "dynamic_slice"),
    *("eq", "ne", "lt", "le", "gt", "ge", "nextafter", "sort", "stop_gradient"),
}
"""Primitives whose derivative by a signal does not depend on the value of a weight that they read,
or only by a choice that the forward pass makes."""

COMPARISONS = {"gt", "ge", "lt", "le"}


@dataclass(frozen=True)
class Interpretation:
    """One interpretation of a jaxpr."""

    backward: Backward
    reading: Reading
    place: Source | None = None
    """Replaces the source lines of equations inside of a library's functions."""
    scope: str = ""
    """Of the call that is looked into."""

    @property
    def with_masks(self) -> bool:
        return self.backward.coins_from is not None

    def jaxpr(self, closed: core.ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
        """The outputs of a jaxpr, equation by equation."""
        values: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        values |= zip(closed.jaxpr.invars, arguments, strict=True)

        def read(x: Any) -> Any:
            if isinstance(x, core.Literal):
                return np.asarray(x.val, getattr(x.aval, "dtype", None))
            return values[x]

        for equation in closed.jaxpr.eqns:
            outputs = self.equation(equation, [read(x) for x in equation.invars])
            values |= zip(equation.outvars, outputs, strict=True)
        return [read(x) for x in closed.jaxpr.outvars]

    def equation(self, equation: Any, operands: list[Any]) -> list[Any]:
        """The outputs of one equation: the rule of this module."""
        kinds = [kind_of(x) for x in operands]
        name = equation.primitive.name
        if Signal not in kinds:
            values = bind(equation, [value_of(x) for x in operands])
            if Weight not in kinds:
                return values
            return self.weights(equation, operands, values)
        if Weight not in kinds and not self.with_masks:
            return [Signal(value) for value in bind(equation, [value_of(x) for x in operands])]
        if name == "scan":
            return self.scan(equation, operands)
        if name == "cond":
            return self.cond(equation, operands)
        if name in CUSTOM_BACKWARD:
            return self.custom_backward(equation, operands)
        if name in CALLS:
            return self.call(equation, operands)
        if self.with_masks and name in ("max", "select_n"):
            found = self.mask(equation, operands)
            if found is not None:
                return found
        if Weight not in kinds:
            return self.plain(equation, operands)
        if self.is_choice(operands):
            return self.weights(equation, operands, bind(equation, [value_of(x) for x in operands]))
        if name in PRODUCTS:
            return self.product(equation, operands)
        if name not in ADDITIVE and any(
            is_inexact(x.value) for x in operands if isinstance(x, Weight)
        ):
            self.note(equation, f"{name} reads a weight")
        return self.plain(equation, operands)

    @staticmethod
    def weights(equation: Any, operands: list[Any], values: list[Any]) -> list[Any]:
        """What an equation makes of weights, with these values under W."""
        copies = bind(equation, [copy_of(x) for x in operands])
        leaves = leaves_of(operands)
        return [Weight(value, copy, leaves) for value, copy in zip(values, copies, strict=True)]

    @staticmethod
    def is_choice(operands: list[Any]) -> bool:
        """Whether the signals only choose among weights, as the router of experts does."""
        return not any(isinstance(x, Signal) and is_inexact(x.value) for x in operands)

    def plain(self, equation: Any, operands: list[Any]) -> list[Any]:
        """As it is, with W."""
        outputs = bind(equation, [value_of(x) for x in operands])
        if not self.with_masks:
            return [Signal(value) for value in outputs]
        is_sign = equation.primitive.name in COMPARISONS and is_known_zero(operands[1])
        if not is_sign and not _is_linear_equation(equation, operands):
            self.reading.is_rectified = False
        return [Signal(value, is_sign) for value in outputs]

    def note(self, equation: Any, what: str, line: Source | None = None) -> None:
        """Take down a weight that stays coupled."""
        line = line or self.place or source.of(equation)
        sentence = f"{line}: {what} whose gradient stays coupled to the forward pass"
        if sentence not in self.reading.coupled:
            self.reading.coupled.append(sentence)

    def product(self, equation: Any, operands: list[Any]) -> list[Any]:
        """w · h with the derivative w′ · h′."""
        parts = [x.value if isinstance(x, Weight) else None for x in operands]
        copies = [x.copy if isinstance(x, Weight) else None for x in operands]
        signals = [None if isinstance(x, Weight) else value_of(x) for x in operands]

        def operation(weights: list[Any], signals: list[Any]) -> list[Any]:
            both = zip(weights, signals, strict=True)
            return bind(equation, [signal if weight is None else weight for weight, signal in both])

        shape = equation.outvars[0].aval.shape
        index = self.add("weights", equation, shape, leaves_of(operands))
        chosen = parts
        if index != self.backward.head:
            chosen = self.chosen(index, self.backward.copies_from, parts, copies)
        outputs = decoupled(operation, parts, chosen, signals, self.tap(index))
        return [Signal(value) for value in outputs]

    def add(
        self,
        kind: Literal["weights", "mask"],
        equation: Any,
        shape: tuple[int, ...],
        leaves: frozenset[int] | None = None,
    ) -> int:
        """The number of a new place."""
        line = self.place or source.of(equation)
        scope = "/".join(x for x in (self.scope, source.scope(equation)) if x)
        self.reading.places.append(Place(kind, line, scope, shape, leaves))
        return len(self.reading.places) - 1

    def chosen(self, index: int, first: Any, values: Any, others: Any) -> Any:
        """The values below a place, the others from there on."""
        if isinstance(first, int):
            return others if index >= first else values
        return jax.tree.map(lambda v, o: jnp.where(index >= first, o, v), values, others)

    def tap(self, index: int) -> Any:
        return None if self.backward.taps is None else self.backward.taps[index]

    def mask(self, equation: Any, operands: list[Any]) -> list[Any] | None:
        """A ReLU as a product with its mask; None for what is none."""
        (aval,) = [x.aval for x in equation.outvars]
        if equation.primitive.name == "max":
            is_signal = [isinstance(x, Signal) for x in operands]
            if is_signal == [True, True] or not is_known_zero(operands[is_signal.index(False)]):
                return None
            h = value_of(operands[is_signal.index(True)])
            is_active, ways = h > 0, (h,)
        else:
            predicate, *cases = operands
            if not (isinstance(predicate, Signal) and predicate.is_sign and len(cases) == 2):
                return None
            is_active, ways = predicate.value, tuple(value_of(x) for x in cases)
        index = self.add("mask", equation, aval.shape)
        assert self.backward.key is not None
        coins = jax.random.bernoulli(
            jax.random.fold_in(self.backward.key, index), shape=is_active.shape
        )
        first = self.backward.coins_from
        chosen = self.chosen(index, first, is_active, coins)
        active = jnp.mean(is_active, dtype=float)

        def operation(mask: Array, ways: tuple[Array, ...]) -> Array:
            below = ways[0] if len(ways) == 2 else jnp.zeros_like(ways[0])
            return jax.lax.select_n(mask, below, ways[-1])

        output = decoupled(operation, is_active, chosen, ways, self.tap(index), active)
        return [Signal(output)]

    def call(self, equation: Any, operands: list[Any]) -> list[Any]:
        """What a call applies, looked into."""
        scope = "/".join(x for x in (self.scope, source.scope(equation)) if x)
        inner, run = called(equation), replace(self, scope=scope)
        if source.of_library(inner.jaxpr) or self.place is not None:
            run = replace(run, place=self.place or source.of(equation))
        if equation.primitive.name not in REMAT:
            return run.jaxpr(inner, operands)
        self.enter(operands)
        kinds = kinds_of_outputs(inner.jaxpr, [kind_of(x) for x in operands])
        again = jax.checkpoint(
            run.packed(inner, [kind_of(x) for x in operands], kinds),
            policy=equation.params["policy"],
        )
        return unpacked(again(*packed(operands)), kinds)

    def enter(self, operands: list[Any]) -> None:
        """Take down the weights that a packed function reads: they are not followed into it."""
        self.reading.inside |= leaves_of(operands) or frozenset()

    def packed(
        self, closed: core.ClosedJaxpr, inputs: Sequence[Kind], outputs: Sequence[Kind]
    ) -> Callable[..., list[Any]]:
        """A jaxpr as a function of arrays, where a weight is two of them."""

        def function(*flat: Any) -> list[Any]:
            found = self.jaxpr(closed, unpacked(flat, inputs))
            return packed([as_kind(x, kind) for x, kind in zip(found, outputs, strict=True)])

        return function

    def custom_backward(self, equation: Any, operands: list[Any]) -> list[Any]:
        """A function with its user's own backward pass: a product, if it is linear in the signals.

        Otherwise its backward pass keeps the weights of the forward pass.
        """
        if all(not isinstance(x, Weight) for x in operands):
            return self.plain(equation, operands)

        def of_signals(*signals: Any) -> list[Any]:
            left = iter(signals)
            values = [next(left) if is_signal(x) else value_of(x) for x in operands]
            return evaluated(called(equation), values)

        def is_signal(x: Any) -> bool:
            return isinstance(x, Signal) and is_inexact(x.value)

        if is_linear(of_signals, *[x.value for x in operands if is_signal(x)]):
            return self.product(equation, operands)
        line = source.of_function(called(equation).jaxpr)
        self.note(equation, "a backward pass of its own (jax.custom_vjp) reads a weight", line)
        return self.plain(equation, operands)

    def scan(self, equation: Any, operands: list[Any]) -> list[Any]:
        """A scan of the interpreted body."""
        self.enter(operands)
        parameters = equation.params
        fixed, carried = parameters["num_consts"], parameters["num_carry"]
        body, kinds = parameters["jaxpr"], [kind_of(x) for x in operands]
        outputs: list[Kind] = []
        while outputs[:carried] != kinds[fixed : fixed + carried]:
            if outputs:
                kinds[fixed : fixed + carried] = outputs[:carried]
            outputs = kinds_of_outputs(body.jaxpr, kinds)
            before = kinds[fixed : fixed + carried]
            outputs[:carried] = [
                joined_kind(pair) for pair in zip(outputs[:carried], before, strict=True)
            ]
        operands = [as_kind(x, kind) for x, kind in zip(operands, kinds, strict=True)]
        consts, carry = packed(operands[:fixed]), packed(operands[fixed : fixed + carried])
        count = len(packed_kinds(outputs[:carried]))

        def step(carry: list[Any], xs: tuple[Any, list[Any]]) -> tuple[list[Any], list[Any]]:
            number, slices = xs
            key = self.backward.key
            own = key if key is None else jax.random.fold_in(key, number)
            run = replace(self, backward=replace(self.backward, key=own))
            flat = run.packed(body, kinds, outputs)(*consts, *carry, *slices)
            return flat[:count], flat[count:]

        length = parameters["length"]
        last, columns = jax.lax.scan(
            step, carry, (jnp.arange(length), packed(operands[fixed + carried :])),
            length=length, reverse=parameters["reverse"], unroll=parameters["unroll"],
        )  # fmt: skip
        return unpacked([*last, *columns], outputs)

    def cond(self, equation: Any, operands: list[Any]) -> list[Any]:
        """The interpreted branches."""
        self.enter(operands)
        index, *arguments = operands
        branches, kinds = equation.params["branches"], [kind_of(x) for x in arguments]
        by_branch = [kinds_of_outputs(branch.jaxpr, kinds) for branch in branches]
        outputs = [joined_kind([*each, kind_of(index)]) for each in zip(*by_branch, strict=True)]
        functions = [self.packed(branch, kinds, outputs) for branch in branches]
        found = jax.lax.switch(value_of(index), functions, *packed(arguments))
        return unpacked(found, outputs)


def _is_linear_equation(equation: Any, operands: list[Any]) -> bool:
    """Whether an equation is linear in its signals."""
    if not any(is_inexact(x.aval) for x in equation.outvars):
        return True
    signals = [x.value for x in operands if isinstance(x, Signal)]

    def of_signals(*signals: Any) -> list[Any]:
        left = iter(signals)
        return bind(
            equation, [next(left) if isinstance(x, Signal) else value_of(x) for x in operands]
        )

    return all(map(is_inexact, signals)) and is_linear(of_signals, *signals)
