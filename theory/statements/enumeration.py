"""Small ReLU networks with shared weights, over all draws of their weights, exactly.

Forwards and backwards are those of the network itself: its own pre-activations open and close its
ReLUs, nothing is taken as independent. Weights, inputs and slopes are dyadic fractions, so that the
floats in which all draws are computed at once are exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from theory.statements import graphs

Node = Any
Key = Any
SIGNS = (-1, 1)
POINT = (1009, -373, 5927, 2113, -14929, 733, 31337, -171)


@dataclass(frozen=True)
class Unit:
    """Σ weight · source + bias; `reads` are (source, key of the weight), an input reads nothing.

    Units with the same key share that weight. `averages` makes all coefficients 1/n instead.
    """

    reads: tuple[tuple[Node, Key], ...] = ()
    bias: Key | None = None
    averages: bool = False


Units = Mapping[Node, Unit]
"""Units in an order in which each reads earlier ones only; the last one is the output."""


@dataclass(frozen=True)
class Convolution:
    """One layer of `convolutional`: along a circle, with one kernel for all places."""

    channels: int
    kernel: int
    stride: int = 1
    with_bias: bool = False


@dataclass(frozen=True)
class Example:
    """A network with all that its draws depend on."""

    units: Units
    values: tuple[int, ...] = SIGNS
    """The values of a weight or bias, equally likely; symmetric about 0."""
    slope: Any = 0
    """The slope of the activation for negative inputs."""
    point: tuple[int, ...] = ()
    """The input; unless given the first of `POINT`."""


def convolutional(side: int, layers: Sequence[Convolution], head: str = "dense") -> Units:
    """Convolutions with ReLUs and one output: a "dense" layer, or the "mean" of all units."""
    units: dict[Node, Unit] = {(0, i, 0): Unit() for i in range(side)}
    channels = 1
    for level, layer in enumerate(layers, start=1):
        for place in range(side // layer.stride):
            for channel in range(layer.channels):
                reads = tuple(
                    (
                        (level - 1, (layer.stride * place + tap) % side, source),
                        (level, tap, source, channel),
                    )
                    for tap in range(layer.kernel)
                    for source in range(channels)
                )
                bias = (level, "bias", channel) if layer.with_bias else None
                units[level, place, channel] = Unit(reads, bias)
        side, channels = side // layer.stride, layer.channels
    last = [(len(layers), i, c) for i in range(side) for c in range(channels)]
    output = Unit(tuple((node, ("head", node)) for node in last), averages=head == "mean")
    return {**units, "output": output}


def of_graph(graph: graphs.Graph) -> Units:
    """A graph whose connections all have weights of their own; its largest neuron is the output."""
    return {
        node: Unit(tuple((source, (source, node)) for source in read))
        for node, read in graph.items()
    }


def graph_of(units: Units) -> graphs.Graph:
    """What each unit reads, without the weights."""
    return {node: tuple(source for source, _ in unit.reads) for node, unit in units.items()}


def second_moments(example: Example) -> dict[Node, sp.Expr]:
    """E(∂f/∂x_i)² of the network itself for each input, over all draws.

    The output's own weights enter by their second moment. Raises ValueError if a pre-activation
    vanishes where its gradient does not: there the network has no derivative.
    """
    reads, weights = _read_by_the_output(example)
    squares = sum(reads) ** 2 * weights[0] ** 2 if len(weights) == 1 else 0
    if len(weights) > 1:
        squares = sum(x**2 for x in reads) * weights[1]
    return _means(example, squares)


def fourth_moments(example: Example) -> dict[Node, sp.Expr]:
    """E(∂f/∂x_i)⁴ in the same way, for outputs with weights of their own."""
    reads, (_, second, fourth) = _read_by_the_output(example)
    square = sum(x**2 for x in reads)
    rest = fourth - 3 * second**2
    return _means(example, 3 * second**2 * square**2 + rest * sum(x**4 for x in reads))


def _read_by_the_output(example: Example) -> tuple[list[np.ndarray], tuple[float, ...]]:
    """Derivatives (draws, inputs) of all that the output reads, and what its weights are.

    That is their common value, or their first, second and fourth moment.
    """
    units, slope = example.units, float(example.slope)
    *hidden, output = (node for node, unit in units.items() if unit.reads)
    inputs = [node for node, unit in units.items() if not unit.reads]
    draws = _draws([units[node] for node in hidden], example.values)
    point = example.point or POINT[: len(inputs)]
    value: dict[Node, Any] = dict(zip(inputs, point, strict=True))
    slopes: dict[Node, Any] = dict(zip(inputs, np.eye(len(inputs)), strict=True))
    for node in hidden:
        unit = units[node]
        total = sum(draws[key] * value[source] for source, key in unit.reads)
        derivative: Any = sum(draws[key][:, None] * slopes[source] for source, key in unit.reads)
        if unit.bias is not None:
            total = total + draws[unit.bias]
        if np.any(derivative[total == 0]):
            raise ValueError(f"unit {node} has a kink at this input.")
        passed = np.where(total > 0, 1.0, slope)
        value[node], slopes[node] = passed * total, passed[:, None] * derivative
    reads = [slopes[source] for source, _ in units[output].reads]
    if units[output].averages:
        return reads, (1 / len(reads),)
    return reads, (0.0, _moment(example.values, 2), _moment(example.values, 4))


def _means(example: Example, values: Any) -> dict[Node, sp.Expr]:
    inputs = [node for node, unit in example.units.items() if not unit.reads]
    rows = np.atleast_2d(values)
    return {
        node: sp.Rational(float(x)) / len(rows)
        for node, x in zip(inputs, rows.sum(axis=0), strict=True)
    }


def by_the_theorem(example: Example) -> dict[Node, sp.Expr]:
    """Σ over paths of Π Var(w) (1 + slope²)/2, with coefficients 1/n² where the output averages."""
    graph = graph_of(example.units)
    output = list(graph)[-1]
    variance = sp.Rational(_moment(example.values, 2))
    mask = (1 + sp.sympify(example.slope) ** 2) / 2

    def moment(node: Node) -> sp.Expr:
        if node != output:
            return variance * mask
        return sp.Rational(1, len(graph[node]) ** 2) if example.units[node].averages else variance

    return graphs.path_sums(graph, output, moment)


def _draws(units: list[Unit], values: tuple[int, ...]) -> dict[Key, np.ndarray]:
    keys = dict.fromkeys(key for unit in units for _, key in unit.reads)
    keys |= dict.fromkeys(unit.bias for unit in units if unit.bias is not None)
    grid = np.meshgrid(*(np.array(values, float) for _ in keys), indexing="ij")
    return {key: axis.ravel() for key, axis in zip(keys, grid, strict=True)}


def _moment(values: tuple[int, ...], power: int) -> float:
    return sum(x**power for x in values) / len(values)
