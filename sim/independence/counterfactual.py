"""The counterfactual network: a forward pass with weights W, a backward pass with copies W′.

Mean-field theory takes gradients as independent of the weights that made the activations (Poole et
al. 2016; Schoenholz et al. 2017; Yang, arXiv 2006.14548). Here this is a network that one can run.
The jaxpr of a model is read once. What depends on weights alone is computed twice, from W and from
an independent copy W′. Where a product meets such a weight w and a signal h, which depends on the
input, its value is w · h and its derivative h′ ↦ w′ · h′. All else is JAX's own differentiation:
activations, maxima, statistics and scores are those of the forward pass, and what is shared under W
is shared under W′.

The same reading gives three rungs of a ladder of networks with one forward pass:

1. hypothesis H: copies, and every mask of a ReLU a fair coin;
2. gradient independence: copies, true masks;
3. the network as it is.

`Backward` says from which place on, counted from the input, copies and coins are taken.

The last weights need no copy. What is below them does not depend on them, and what is above depends
on them by the logits alone; so gradients with their own values are those that independence means,
and the residual of a loss, which knows the logits, keeps knowing them (`Reading.head`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jaxtyping import Array, Float, Key

from sim.independence import source
from sim.independence.equations import (
    CALLS,
    CUSTOM_BACKWARD,
    REMAT,
    bind,
    called,
    evaluated,
    is_linear,
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


@dataclass(frozen=True)
class Place:
    """Where weights, or the masks of a ReLU, multiply a signal."""

    kind: Literal["weights", "mask"]
    source: Source
    scope: str
    """Names of the modules or layers around it (`jax.named_scope`)."""
    shape: tuple[int, ...]
    """Of the output for all inputs of a batch."""
    leaves: frozenset[int] | None = None
    """The weights that it reads, as in `Weight`."""


@dataclass(frozen=True)
class Backward:
    """Which places use copies, and coins, in the backward pass; the default is all copies."""

    copies_from: Any = 0
    """The first place of weights that uses copies: an integer, or an array for a traced one."""
    coins_from: Any = None
    """The first place of masks that uses fair coins; None: no place does, and none is listed."""
    key: Key[Array, ""] | None = None
    """Of the coins."""
    taps: Float[Array, "places 4"] | None = None
    """Zeros, whose gradient tells of each place: the energy ‖g‖₂² behind it, that in front of it,
    the share of a mask that is active, and how many times the place was passed (in a scan)."""
    head: int | None = None
    """The place that uses no copy: `Reading.head`."""


@dataclass
class Reading:
    """What is found in a jaxpr on the way."""

    places: list[Place] = field(default_factory=list)
    """From the input to the logits, in the order of evaluation."""
    coupled: list[str] = field(default_factory=list)
    """One sentence for each weight whose copy could not be used."""
    inside: set[int] = field(default_factory=set)
    """Weights that a loop, a branch or a rematerialized call reads."""
    is_rectified: bool = True
    """Whether there are only linear maps and ReLUs, for which hypothesis H says something. Known
    where masks are listed."""

    @property
    def head(self) -> int | None:
        """The last place of weights, unless its weights are read elsewhere as well."""
        weighted = [i for i, place in enumerate(self.places) if place.kind == "weights"]
        if not weighted or (own := self.places[weighted[-1]].leaves) is None:
            return None
        others = (self.places[i].leaves or frozenset[int]() for i in weighted[:-1])
        return None if own & self.inside.union(*others) else weighted[-1]


def counterfactual(
    apply_model: Callable[[Any, Any], Any],
    weights: Any,
    copies: Any,
    random: Sequence[bool],
    backward: Backward = Backward(),
    reading: Reading | None = None,
) -> Callable[[Array], Array]:
    """`apply_model` as a function of its inputs, with W forwards and copies W′ backwards.

    Args:
        apply_model: a function of weights, any pytree, and of inputs x of any shape.
        weights: W.
        copies: W′, of the same structure.
        random: which leaves of W are random; the others are their own copies.
        backward: where copies and coins are used.
        reading: takes down what is found.

    Returns:
        A function of x with the values of `apply_model(weights, x)`, for reverse-mode derivatives.
    """
    found = Reading() if reading is None else reading
    leaves, structure = jax.tree.flatten(weights)
    both = zip(leaves, jax.tree.leaves(copies), random, strict=True)
    arguments: list[Any] = [
        Weight(w, c, frozenset([i])) if is_random else w for i, (w, c, is_random) in enumerate(both)
    ]

    def function(x: Array) -> Array:
        closed = jax.make_jaxpr(lambda leaves, x: apply_model(structure.unflatten(leaves), x))(
            leaves, x
        )
        (output,) = _Run(backward, found).jaxpr(closed, [*arguments, Signal(x)])
        return _value(output)

    return function


def read(
    apply_model: Callable[[Any, Any], Any],
    weights: Any,
    x: Any,
    random: Sequence[bool],
    masks: bool = False,
) -> Reading:
    """What `counterfactual` finds, from the shapes of weights and inputs alone.

    With `masks`, the places of masks are listed, too.
    """
    found = Reading()

    def function(weights: Any, x: Any, key: Any) -> Any:
        backward = Backward(coins_from=0, key=key) if masks else Backward()
        run = counterfactual(apply_model, weights, weights, random, backward, found)
        return run(x)

    jax.eval_shape(function, weights, x, jax.eval_shape(lambda: jax.random.key(0)))
    return found


def random_leaves(init: Callable[[Any], Any]) -> list[bool]:
    """Which leaves of `init(key)` depend on the key, as far as its jaxpr shows."""
    closed = jax.make_jaxpr(init)(jax.random.key(0))
    random = set(closed.jaxpr.invars)
    for equation in closed.jaxpr.eqns:
        if any(not isinstance(x, core.Literal) and x in random for x in equation.invars):
            random |= set(equation.outvars)
    return [not isinstance(x, core.Literal) and x in random for x in closed.jaxpr.outvars]


def _value(operand: Any) -> Any:
    return operand.value if isinstance(operand, Weight | Signal) else operand


def _copy(operand: Any) -> Any:
    return operand.copy if isinstance(operand, Weight) else _value(operand)


def _kind(operand: Any) -> Kind:
    return type(operand) if isinstance(operand, Weight | Signal) else None


def _as_kind(operand: Any, kind: Kind) -> Any:
    if kind is Weight:
        return Weight(_value(operand), _copy(operand))
    return Signal(_value(operand)) if kind is Signal else operand


def _leaves(operands: Sequence[Any]) -> frozenset[int] | None:
    """The weights that all operands are made of; None where one is not followed."""
    each = [x.leaves for x in operands if isinstance(x, Weight)]
    return None if None in each else frozenset[int]().union(*(x for x in each if x))


def _is_inexact(value: Any) -> bool:
    return jnp.issubdtype(value.dtype, jnp.inexact)


def _joined(kinds: Sequence[Kind]) -> Kind:
    return Signal if Signal in kinds else Weight if Weight in kinds else None


def _kinds(jaxpr: core.Jaxpr, inputs: Sequence[Kind]) -> list[Kind]:
    """The kinds of the outputs of a jaxpr, a signal where it might be one."""
    kinds: dict[Any, Kind] = dict(zip(jaxpr.invars, inputs, strict=True))

    def of(x: Any) -> Kind:
        return None if isinstance(x, core.Literal) else kinds.get(x)

    for equation in jaxpr.eqns:
        kinds |= dict.fromkeys(equation.outvars, _joined([of(x) for x in equation.invars]))
    return [of(x) for x in jaxpr.outvars]


def decoupled(
    operation: Callable[[Any, Any], Any],
    coefficient: Any,
    backwards: Any,
    signals: Any,
    tap: Float[Array, "4"] | None = None,
    active: Any = 0.0,
) -> Any:
    """`operation(coefficient, signals)`, with the derivative by signals of another coefficient.

    The gradient by `tap` is what `Backward.taps` says.
    """

    @jax.custom_vjp
    def product(coefficient: Any, backwards: Any, signals: Any, tap: Any, active: Any) -> Any:
        return operation(coefficient, signals)

    def forward(coefficient: Any, backwards: Any, signals: Any, tap: Any, active: Any) -> Any:
        return operation(coefficient, signals), (backwards, signals, tap, active)

    def pull(saved: Any, cotangents: Any) -> Any:
        backwards, signals, tap, active = saved
        _, back = jax.vjp(lambda signals: operation(backwards, signals), signals)
        (passed,) = back(cotangents)
        if tap is None:
            return None, None, passed, None, None
        told = jnp.stack([_energy(cotangents), _energy(passed), active, jnp.ones(())])
        return None, None, passed, told.astype(tap.dtype), None

    product.defvjp(forward, pull)
    return product(coefficient, backwards, signals, tap, active)


def _energy(cotangents: Any) -> Array:
    leaves = [x for x in jax.tree.leaves(cotangents) if x.dtype != jax.dtypes.float0]
    return sum((jnp.sum(jnp.abs(x) ** 2) for x in leaves), jnp.zeros(()))


@dataclass(frozen=True)
class _Run:
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
        kinds = [_kind(x) for x in operands]
        name = equation.primitive.name
        if Signal not in kinds:
            values = bind(equation, [_value(x) for x in operands])
            if Weight not in kinds:
                return values
            return self.weights(equation, operands, values)
        if Weight not in kinds and not self.with_masks:
            return [Signal(value) for value in bind(equation, [_value(x) for x in operands])]
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
            return self.weights(equation, operands, bind(equation, [_value(x) for x in operands]))
        if name in PRODUCTS:
            return self.product(equation, operands)
        if name not in ADDITIVE and any(
            _is_inexact(x.value) for x in operands if isinstance(x, Weight)
        ):
            self.note(equation, f"{name} reads a weight")
        return self.plain(equation, operands)

    @staticmethod
    def weights(equation: Any, operands: list[Any], values: list[Any]) -> list[Any]:
        """What an equation makes of weights, with these values under W."""
        copies = bind(equation, [_copy(x) for x in operands])
        leaves = _leaves(operands)
        return [Weight(value, copy, leaves) for value, copy in zip(values, copies, strict=True)]

    @staticmethod
    def is_choice(operands: list[Any]) -> bool:
        """Whether the signals only choose among weights, as the router of experts does."""
        return not any(isinstance(x, Signal) and _is_inexact(x.value) for x in operands)

    def plain(self, equation: Any, operands: list[Any]) -> list[Any]:
        """As it is, with W."""
        outputs = bind(equation, [_value(x) for x in operands])
        if not self.with_masks:
            return [Signal(value) for value in outputs]
        is_sign = equation.primitive.name in COMPARISONS and _is_zero(operands[1])
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
        signals = [None if isinstance(x, Weight) else _value(x) for x in operands]

        def operation(weights: list[Any], signals: list[Any]) -> list[Any]:
            both = zip(weights, signals, strict=True)
            return bind(equation, [signal if weight is None else weight for weight, signal in both])

        shape = equation.outvars[0].aval.shape
        index = self.add("weights", equation, shape, _leaves(operands))
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
            if is_signal == [True, True] or not _is_zero(operands[is_signal.index(False)]):
                return None
            h = _value(operands[is_signal.index(True)])
            is_active, ways = h > 0, (h,)
        else:
            predicate, *cases = operands
            if not (isinstance(predicate, Signal) and predicate.is_sign and len(cases) == 2):
                return None
            is_active, ways = predicate.value, tuple(_value(x) for x in cases)
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
        kinds = _kinds(inner.jaxpr, [_kind(x) for x in operands])
        again = jax.checkpoint(
            run.packed(inner, [_kind(x) for x in operands], kinds), policy=equation.params["policy"]
        )
        return _unpacked(again(*_packed(operands)), kinds)

    def enter(self, operands: list[Any]) -> None:
        """Take down the weights that a packed function reads: they are not followed into it."""
        self.reading.inside |= _leaves(operands) or frozenset()

    def packed(
        self, closed: core.ClosedJaxpr, inputs: Sequence[Kind], outputs: Sequence[Kind]
    ) -> Callable[..., list[Any]]:
        """A jaxpr as a function of arrays, where a weight is two of them."""

        def function(*flat: Any) -> list[Any]:
            found = self.jaxpr(closed, _unpacked(flat, inputs))
            return _packed([_as_kind(x, kind) for x, kind in zip(found, outputs, strict=True)])

        return function

    def custom_backward(self, equation: Any, operands: list[Any]) -> list[Any]:
        """A function with its user's own backward pass: a product, if it is linear in the signals.

        Otherwise its backward pass keeps the weights of the forward pass.
        """
        if all(not isinstance(x, Weight) for x in operands):
            return self.plain(equation, operands)

        def of_signals(*signals: Any) -> list[Any]:
            left = iter(signals)
            values = [next(left) if is_signal(x) else _value(x) for x in operands]
            return evaluated(called(equation), values)

        def is_signal(x: Any) -> bool:
            return isinstance(x, Signal) and _is_inexact(x.value)

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
        body, kinds = parameters["jaxpr"], [_kind(x) for x in operands]
        outputs: list[Kind] = []
        while outputs[:carried] != kinds[fixed : fixed + carried]:
            if outputs:
                kinds[fixed : fixed + carried] = outputs[:carried]
            outputs = _kinds(body.jaxpr, kinds)
            before = kinds[fixed : fixed + carried]
            outputs[:carried] = [
                _joined(pair) for pair in zip(outputs[:carried], before, strict=True)
            ]
        operands = [_as_kind(x, kind) for x, kind in zip(operands, kinds, strict=True)]
        consts, carry = _packed(operands[:fixed]), _packed(operands[fixed : fixed + carried])
        count = len(_packed_kinds(outputs[:carried]))

        def step(carry: list[Any], xs: tuple[Any, list[Any]]) -> tuple[list[Any], list[Any]]:
            number, slices = xs
            key = self.backward.key
            own = key if key is None else jax.random.fold_in(key, number)
            run = replace(self, backward=replace(self.backward, key=own))
            flat = run.packed(body, kinds, outputs)(*consts, *carry, *slices)
            return flat[:count], flat[count:]

        length = parameters["length"]
        last, columns = jax.lax.scan(
            step, carry, (jnp.arange(length), _packed(operands[fixed + carried :])),
            length=length, reverse=parameters["reverse"], unroll=parameters["unroll"],
        )  # fmt: skip
        return _unpacked([*last, *columns], outputs)

    def cond(self, equation: Any, operands: list[Any]) -> list[Any]:
        """The interpreted branches."""
        self.enter(operands)
        index, *arguments = operands
        branches, kinds = equation.params["branches"], [_kind(x) for x in arguments]
        by_branch = [_kinds(branch.jaxpr, kinds) for branch in branches]
        outputs = [_joined([*each, _kind(index)]) for each in zip(*by_branch, strict=True)]
        functions = [self.packed(branch, kinds, outputs) for branch in branches]
        found = jax.lax.switch(_value(index), functions, *_packed(arguments))
        return _unpacked(found, outputs)


def _packed(operands: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for x in operands:
        flat += [x.value, x.copy] if isinstance(x, Weight) else [_value(x)]
    return flat


def _packed_kinds(kinds: Sequence[Kind]) -> list[Kind]:
    return [kind for kind in kinds for _ in range(2 if kind is Weight else 1)]


def _unpacked(flat: Sequence[Any], kinds: Sequence[Kind]) -> list[Any]:
    left = iter(flat)
    return [
        Weight(next(left), next(left))
        if kind is Weight
        else Signal(next(left))
        if kind is Signal
        else next(left)
        for kind in kinds
    ]


def _is_zero(operand: Any) -> bool:
    """Whether it is a constant that is known to be zero."""
    return isinstance(operand, np.ndarray) and not operand.any()


def _is_linear_equation(equation: Any, operands: list[Any]) -> bool:
    """Whether an equation is linear in its signals."""
    if not any(_is_inexact(x.aval) for x in equation.outvars):
        return True
    signals = [x.value for x in operands if isinstance(x, Signal)]

    def of_signals(*signals: Any) -> list[Any]:
        left = iter(signals)
        return bind(
            equation, [next(left) if isinstance(x, Signal) else _value(x) for x in operands]
        )

    return all(map(_is_inexact, signals)) and is_linear(of_signals, *signals)
