"""What a variable of a jaxpr can be: a constant, random weights, or a function of the input.

The last are the nodes of the squared network. `Tape` holds its edges: linear maps of energies, in
which every coefficient of the network's derivative is replaced by its second moment.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

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
    draw: Callable[[], np.ndarray] = field(repr=False)
    """The entries in every forward pass, (passes, *shape)."""

    @property
    def second(self) -> np.ndarray:
        """E w² of every entry, with strides of 0 if it is one number."""
        return np.broadcast_to(np.asarray(self.moment, float), self.shape)


@dataclass(frozen=True)
class Known:
    """Forward passes of some signals, other ones than those that they keep."""

    values: dict[int, tuple["Signal", Any]] = field(default_factory=dict)
    """By the id of a signal: it, and what stands for its `draws`."""
    passes: int | None = None
    """So many of what all other signals and the weights have."""


Average = tuple[np.ndarray, np.ndarray, float]
Scatter = tuple[float, float]
Axes = frozenset[int]

ENTRIES, FEWEST = 2**18, 4
"""Moments of an array are taken from so many of its draws that there are this many entries: a
relative standard error of 0.3 % for the second moment of Gaussian ones. No fewer draws than this,
however large the array."""


def few(draws: np.ndarray) -> np.ndarray:
    """As many passes of large arrays as are needed: moments of many entries are averaged anyway."""
    return draws[: max(FEWEST, ENTRIES // max(1, draws[0].size))]


class Signal:
    """A node of the squared network.

    `square` is the mean square of every entry over weights and inputs, `draws` the entries in a
    few forward passes (passes, *shape). `average` is, in the limit of large width, the mean of
    every entry, its variance given the scale that all share, and the relative variance of the mean
    with that scale; `scatter` the relative variance of the mean square with it, and Var x²/(E x²)²
    of the entries given it. They are None if no rule gives them. All are computed when they are
    first asked for, and kept. Without a rule for it the mean square is that of the draws. `reads`
    are the signals that they are computed from; `centred` says that the entries are symmetric about
    zero, `weighted` that random weights have just mixed them, `is_meeting` that both factors of a
    product are made of the same.
    """

    def __init__(
        self,
        node: int,
        shape: tuple[int, ...],
        draws: Callable[[Known], Any],
        square: Callable[[], np.ndarray] | None = None,
        centred: bool = False,
        reads: Sequence["Signal"] = (),
        weighted: bool = False,
        average: Callable[[], Average | None] | None = None,
        independent: Axes = frozenset(),
        scatter: Callable[[], Scatter | None] | None = None,
        is_meeting: bool = False,
    ) -> None:
        self.node, self.shape, self.centred, self.reads = node, tuple(shape), centred, reads
        self.weighted, self.is_meeting = weighted, is_meeting
        self.is_drawn = square is None or any(x.is_drawn for x in reads)
        """Whether its mean square depends on forward passes."""
        self.independent = independent
        """Axes along which entries are independent in the limit of large width."""
        self.equation: Any = None
        """What made it; None for the input and for functions of every entry."""
        self.operands: Sequence[Any] = ()
        """What the equation reads, weights and constants, too."""
        self.passed = draws
        """The forward passes, from those of `reads`."""
        by_square = centred and square is not None
        self._reads: dict[str, Sequence[tuple[Signal, str]]] = {
            "draws": [(x, "draws") for x in reads],
            "square": [(x, "square") for x in reads] if square else [(self, "draws")],
            "average": [(self, "square")] if by_square else [(x, "average") for x in reads],
            "scatter": [(x, "scatter") for x in reads],
        }
        self._compute: dict[str, Callable[[], Any]] = {
            "draws": lambda: draws(Known()),
            "square": square or self._mean_square,
            "average": self._about_zero if by_square else average or (lambda: None),
            "scatter": scatter or (lambda: None),
        }
        if not by_square and average is None:
            self._reads["average"] = []
        self._values: dict[str, Any] = {}

    def _mean_square(self) -> np.ndarray:
        return np.asarray(np.mean(np.square(few(self.draws)), axis=0, dtype=float))

    def _about_zero(self) -> Average:
        return np.zeros(self.shape), self.square, 0.0

    def made_by(
        self,
        equation: Any,
        operands: Sequence[Any],
        independent: Axes,
        scatter: Callable[[Any, Sequence[Any], "Signal"], Scatter | None],
    ) -> None:
        """Keep the equation that made it, and what follows from that."""
        self.equation, self.operands, self.independent = equation, operands, independent
        self._compute["scatter"] = lambda: scatter(equation, operands, self)

    def within(self, known: Known) -> Any:
        """The forward passes, those of `known` if they are there."""
        found = known.values.get(id(self))
        return self.draws[: known.passes] if found is None else found[1]

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
                waiting += [(x, what, False) for x, what in signal._reads[kind]]
        return list(order.values())

    def _value(self, name: str) -> Any:
        if name not in self._values:
            for signal, kind in self._needed(name):
                signal._values[kind] = signal._compute[kind]()
        return self._values[name]

    @property
    def draws(self) -> np.ndarray:
        """The entries in a few forward passes."""
        return self._value("draws")

    @property
    def square(self) -> np.ndarray:
        """The mean square of every entry."""
        return self._value("square")

    @property
    def average(self) -> Average | None:
        """Means and variances by rules alone, or None."""
        return self._value("average")

    @property
    def scatter(self) -> Scatter | None:
        """How much the scale that all entries share varies, and their squares given it, or None."""
        return self._value("scatter")


@dataclass(eq=False)
class Pointwise:
    """A function of every entry of `base` alone; its node is made when something else reads it."""

    base: Signal
    function: Callable[[Any], Any]
    """Of arrays of any shape, or of `sim.trace.arrays.Dual`."""
    source: Source
    settled: Signal | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape


Operand = Constant | Weight | Signal | Pointwise
Pull = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Step:
    """An edge of the squared network: energies of `inputs` to those of `output`, linearly."""

    inputs: tuple[int, ...]
    output: int
    pull: Pull = field(repr=False)
    """The transpose: the energy of the gradient at `output` to those at each of `inputs`."""
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
        pull: Pull,
        kind: str,
        source: Source,
        assumptions: tuple[str, ...] = (),
    ) -> int:
        """A new node that reads others by the linear map whose transpose is `pull`."""
        output = self.node(shape)
        inputs = tuple(signal.node for signal in signals)
        self.steps.append(Step(inputs, output, pull, kind, source, assumptions))
        return output

    def pull(
        self,
        output: int,
        energy: np.ndarray,
        start: int = 0,
        through: Collection[int] | None = None,
    ) -> tuple[np.ndarray | None, list[tuple[float, ...]]]:
        """Energies of the gradient at a node, given those at `output`, and each step's gains κ.

        The transposed squared network, or its ways `through` some nodes, which include the output.
        None if nothing arrives. A step has a gain for each of its
        inputs: what arrives there over what left its output; NaN if nothing leaves.
        """
        energies, totals, gains = {output: energy}, {output: float(np.sum(energy))}, []
        for step in reversed(self.steps):
            passed = through is None or step.output in through
            above = energies.pop(step.output, None) if passed else None
            if above is None:
                gains.append((np.nan,) * len(step.inputs))
                continue
            below, total = step.pull(above), totals[step.output]
            sums = [float(np.sum(part)) for part in below]
            for node, part, more in zip(step.inputs, below, sums, strict=True):
                energies[node] = energies[node] + part if node in energies else part
                totals[node] = totals.get(node, 0.0) + more
            gains.append(tuple(part / total if total else np.nan for part in sums))
        return energies.get(start), gains[::-1]
