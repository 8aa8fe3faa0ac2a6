"""What a variable of a jaxpr can be: a constant, random weights, or a function of the input.

The last are the nodes of the squared network. `Tape` holds its edges: linear maps of energies, in
which every coefficient of the network's derivative is replaced by its second moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import eval_jaxpr
from jaxtyping import Array

from sim.trace.source import Source


class TraceError(ValueError):
    """A model that cannot be predicted; the message is one sentence. It can still be measured."""


@dataclass(frozen=True)
class Constant:
    """Neither weights nor input decide it."""

    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @cached_property
    def uniform(self) -> Any:
        """Its one value if all entries are equal, else None."""
        flat = np.asarray(self.value).ravel()
        return flat[0] if flat.size and np.all(flat == flat[0]) else None


@dataclass(frozen=True)
class Weight:
    """Random with mean zero, independent of the input."""

    shape: tuple[int, ...]
    moment: Any
    """E w²: one number, or one for every entry."""
    draw: Callable[[], Array] = field(repr=False)
    """The entries in every forward pass, (draws, *shape)."""

    @property
    def second(self) -> Array:
        """E w² of every entry."""
        return jnp.broadcast_to(jnp.asarray(self.moment, float), self.shape)


Known = dict[tuple[int, str], tuple["Signal", Array]]
"""What one compiled piece computes: values of signals, by signal and name."""
Compute = Callable[[Known], Any]


class Signal:
    """A node of the squared network.

    `square` is the mean square of every entry over weights and inputs, `draws` the entries in a
    few forward passes (draws, *shape). Both are computed when they are first asked for, together
    with all that they need, as one compiled function. Without a rule for it the mean square is that
    of the draws. `reads` are the signals that they are computed from; `centred` says that the
    entries are symmetric about zero, `weighted` that random weights have just mixed them.
    """

    def __init__(
        self,
        node: int,
        shape: tuple[int, ...],
        draws: Compute,
        square: Compute | None = None,
        centred: bool = False,
        reads: Sequence["Signal"] = (),
        weighted: bool = False,
    ) -> None:
        self.node, self.shape, self.centred, self.reads = node, tuple(shape), centred, reads
        self.weighted = weighted
        self._measured = square is None
        self._compute = {"draws": draws, "square": square or self._mean_square}
        self._values: dict[str, Array] = {}

    def _mean_square(self, known: Known) -> Array:
        return jnp.mean(jnp.square(self.within(known, "draws").astype(float)), axis=0)

    def within(self, known: Known, name: str) -> Array:
        """A value inside of a piece that is being compiled."""
        place = (id(self), name)
        if place in known:
            return known[place][1]
        if name in self._values:
            return self._values[name]
        known[place] = self, self._compute[name](known)
        return known[place][1]

    def compute(self, name: str, known: Known) -> Array:
        """A value made anew of those that `known` has, even if it is there already."""
        return self._compute[name](known)

    def _needed(self, name: str) -> list[tuple["Signal", str]]:
        """All that is to be computed for a value, in an order in which it can be.

        Not by recursion, which deep networks would exceed.
        """
        order: dict[tuple[int, str], tuple[Signal, str]] = {}
        waiting: list[tuple[Signal, str, bool]] = [(self, name, False)]
        while waiting:
            signal, kind, ready = waiting.pop()
            if ready:
                order[id(signal), kind] = signal, kind
            elif (id(signal), kind) not in order and kind not in signal._values:
                waiting.append((signal, kind, True))
                own = kind == "square" and signal._measured
                below = [(signal, "draws")] if own else [(x, kind) for x in signal.reads]
                waiting += [(x, what, False) for x, what in below]
        return list(order.values())

    def _value(self, name: str) -> Array:
        if name not in self._values:
            needed = self._needed(name)

            def piece() -> list[Array]:
                known: Known = {}
                return [signal.within(known, kind) for signal, kind in needed]

            for (signal, kind), value in zip(needed, evaluated(piece), strict=True):
                signal._values[kind] = value
        return self._values[name]

    @property
    def draws(self) -> Array:
        """The entries in a few forward passes."""
        return self._value("draws")

    @property
    def square(self) -> Array:
        """The mean square of every entry."""
        return self._value("square")


def evaluated(function: Callable[[], Any]) -> Any:
    """The value of a function without arguments, compiled as a whole.

    Arrays that it closes over are handed to the compiled function as arguments.
    """
    closed, struct = jax.make_jaxpr(function, return_shape=True)()
    run = jax.jit(lambda consts: eval_jaxpr(closed.jaxpr, consts))
    values = run_once(run, closed.consts)
    return jax.tree.unflatten(jax.tree.structure(struct), values)


def run_once(function: Any, *arguments: Any) -> Any:
    """The value of a jitted function that runs only once: compiled fast, not to run fast."""
    lowered = function.lower(*arguments)
    if jax.default_backend() != "cpu":
        return lowered.compile()(*arguments)
    options = {"xla_backend_optimization_level": 0}
    faster = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
    try:
        return lowered.compile(options | faster)(*arguments)
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return lowered.compile(options)(*arguments)


@dataclass(eq=False)
class Pointwise:
    """A function of every entry of `base` alone; its node is made when something else reads it."""

    base: Signal
    function: Callable[[Array], Array]
    source: Source
    settled: Signal | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape


Operand = Constant | Weight | Signal | Pointwise
Push = Callable[..., Array]


@dataclass(frozen=True)
class Step:
    """An edge of the squared network: energies of `inputs` to those of `output`, linearly."""

    inputs: tuple[int, ...]
    output: int
    push: Push = field(repr=False)
    kind: str
    source: Source
    assumptions: tuple[str, ...] = ()


@dataclass
class Tape:
    """The squared network: the shapes of its nodes, and its edges in order."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def node(self, shape: tuple[int, ...]) -> int:
        """A new node."""
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def add(
        self,
        signals: list[Signal],
        shape: tuple[int, ...],
        push: Push,
        kind: str,
        source: Source,
        assumptions: tuple[str, ...] = (),
    ) -> int:
        """A new node that reads others by the linear map `push`."""
        output = self.node(shape)
        inputs = tuple(signal.node for signal in signals)
        self.steps.append(Step(inputs, output, push, kind, source, assumptions))
        return output

    def pull(self, output: int, energy: Array) -> tuple[Array | None, list[tuple[float, ...]]]:
        """Energies of the gradient at node 0, given those at `output`, and each step's gains κ.

        The transposed squared network. None if nothing arrives. A step has a gain for each of its
        inputs: what arrives there over what left its output; NaN if nothing leaves.
        """

        def transposed() -> tuple[Array | None, list[list[Array]]]:
            energies, gains = {output: energy}, []
            for step in reversed(self.steps):
                above = energies.get(step.output)
                if above is None:
                    gains.append([jnp.array(jnp.nan) for _ in step.inputs])
                    continue
                structs = [jax.ShapeDtypeStruct(self.shapes[i], above.dtype) for i in step.inputs]
                below = jax.linear_transpose(step.push, *structs)(above)
                for node, part in zip(step.inputs, below, strict=True):
                    energies[node] = energies[node] + part if node in energies else part
                gains.append([jnp.sum(part) / jnp.sum(above) for part in below])
            return energies.get(0), gains[::-1]

        arrived, gains = evaluated(transposed)
        return arrived, [tuple(map(float, parts)) for parts in gains]
