"""Feedforward graphs: path sums, absorption probabilities, and condition S, in exact rationals.

A graph maps every neuron to the neurons that it reads; inputs read nothing. It must be acyclic.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from graphlib import TopologicalSorter
from itertools import product
from typing import Any

import sympy as sp

from theory.geometry import connections
from theory.laws.energy import connection
from theory.network import Conv, Dense, Flatten, Layer, Residual, Serial, Shape, output_shape

Node = Any
Graph = Mapping[Node, tuple[Node, ...]]
Moment = Callable[[Node], sp.Expr]


def inputs(graph: Graph) -> list[Node]:
    """The neurons that read nothing, in the order of the graph."""
    return [node for node, read in graph.items() if not read]


def he_moment(graph: Graph) -> Moment:
    """E[w²] · P(active) of a connection under He initialization: 1 / in-degree of its end."""
    return lambda node: sp.Rational(1, len(graph[node]))


def paths(graph: Graph, output: Node) -> list[tuple[Node, ...]]:
    """Every path from an input to `output`, as the neurons along it, the input first."""
    if not graph[output]:
        return [(output,)]
    return [(*path, output) for read in graph[output] for path in paths(graph, read)]


def path_sums(graph: Graph, output: Node, moment: Moment | None = None) -> dict[Node, sp.Expr]:
    """For each input the sum over its paths to `output` of the product of second moments.

    `moment(neuron)` is the second moment of one connection into a neuron (He: 1/in-degree).
    Paths are enumerated one by one.
    """
    moment = moment or he_moment(graph)
    sums: dict[Node, sp.Expr] = dict.fromkeys(inputs(graph), sp.Integer(0))
    for path in paths(graph, output):
        sums[path[0]] += sp.Mul(*(moment(node) for node in path[1:]))
    return sums


def absorption(graph: Graph, output: Node) -> dict[Node, sp.Expr]:
    """For each input the probability that a random walk from `output` ends there.

    The walk steps to a uniformly chosen predecessor. The probabilities of being at each neuron
    are pushed backwards through the graph.
    """
    visits: dict[Node, sp.Expr] = dict.fromkeys(graph, sp.Integer(0))
    visits[output] = sp.Integer(1)
    order = list(
        TopologicalSorter({node: set(read) for node, read in graph.items()}).static_order()
    )
    for node in reversed(order):
        for read in graph[node]:
            visits[read] += visits[node] / len(graph[node])
    return {node: visits[node] for node in inputs(graph)}


def absorption_by_matrix(graph: Graph, output: Node) -> dict[Node, sp.Expr]:
    """`absorption` by the fundamental matrix (I − Q)⁻¹ of the walk as an absorbing Markov chain."""
    moving, absorbing = [n for n in graph if graph[n]], inputs(graph)

    def steps(to: list[Node]) -> sp.Matrix:
        rows = [[sp.Rational(graph[n].count(m), len(graph[n])) for m in to] for n in moving]
        return sp.Matrix(rows)

    ends = (sp.eye(len(moving)) - steps(moving)).LUsolve(steps(absorbing))
    row = moving.index(output)
    return {node: ends[row, i] for i, node in enumerate(absorbing)}


def expected_squares(graph: Graph, output: Node) -> dict[Node, sp.Expr]:
    """E(∂f/∂x_i)² under hypothesis H for each input, by summing over all weights and masks.

    Weights take two values with mean 0 and variance 2/in-degree (1/in-degree at the output, which
    has no ReLU); masks are independent and open with probability 1/2. The number of terms doubles
    with every connection and every hidden neuron.
    """
    edges = [(read, node) for node in graph for read in graph[node]]
    hidden = [node for node in graph if graph[node] and node != output]
    laws = [_two_values(1 if node == output else 2, len(graph[node])) for _, node in edges]
    laws += [((sp.Integer(0), sp.Rational(1, 2)), (sp.Integer(1), sp.Rational(1, 2)))] * len(hidden)
    order = list(
        TopologicalSorter({node: set(read) for node, read in graph.items()}).static_order()
    )
    totals: dict[Node, sp.Expr] = dict.fromkeys(inputs(graph), sp.Integer(0))
    for draw in product(*laws):
        values = [value for value, _ in draw]
        chance = sp.Mul(*(share for _, share in draw))
        weight = dict(zip(edges, values[: len(edges)], strict=True))
        mask = dict(zip(hidden, values[len(edges) :], strict=True))
        slope: dict[Node, sp.Expr] = dict.fromkeys(graph, sp.Integer(0))
        slope[output] = sp.Integer(1)
        for node in reversed(order):
            slope[node] *= mask.get(node, 1)
            if slope[node] != 0:
                for read in graph[node]:
                    slope[read] += weight[read, node] * slope[node]
        for node in totals:
            totals[node] += chance * slope[node] ** 2
    return totals


def _two_values(scale: int, degree: int) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    # scale with probability x and −1/degree otherwise: mean 0, variance scale/degree, all rational
    high, low = sp.Integer(scale), sp.Rational(1, degree)
    return ((high, low / (high + low)), (-low, high / (high + low)))


def path_degrees(graph: Graph, output: Node) -> dict[Node, Counter[tuple[int, ...]]]:
    """For each input the multiset, over its paths to `output`, of the in-degrees along the path."""
    found: dict[Node, Counter[tuple[int, ...]]] = {node: Counter() for node in inputs(graph)}
    for path in paths(graph, output):
        found[path[0]][tuple(sorted(len(graph[node]) for node in path[1:]))] += 1
    return found


def is_symmetric(graph: Graph, output: Node) -> bool:
    """Condition S: every input sees the same multiset of path in-degrees.

    Then all coordinates of the input gradient have the same second moment. The condition is
    sufficient for that, not necessary.
    """
    found = list(path_degrees(graph, output).values())
    return all(degrees == found[0] for degrees in found)


@cache
def of_network(body: Serial, shape: Shape) -> tuple[Graph, Node, dict[Node, sp.Expr]]:
    """The graph of a chain of layers at an integer input shape, neuron by neuron.

    Returns the graph, its first logit, and for every neuron the second moment of a connection
    into it. Neurons are (layer, row, column, channel), the inputs of layer 0; activations are
    neurons that read one other. Only what the first logit depends on is in the graph.

    Raises ValueError for a residual connection, and for a border that reads a pixel twice.
    """
    shapes, tables = [shape], []
    for layer in body.layers:
        if isinstance(layer, Serial | Residual):
            raise ValueError(f"{layer!r} is not a single layer.")
        side = shapes[-1][0] if len(shapes[-1]) == 3 else 1
        tables.append(connections(layer, side))
        if tables[-1].max() > 1:
            raise ValueError(f"{layer} reads a pixel more than once at side {side}.")
        shapes.append(output_shape(layer, shapes[-1]))
    output = (len(body.layers), 0, 0, 0)
    graph: dict[Node, tuple[Node, ...]] = {}
    moments: dict[Node, sp.Expr] = {}
    waiting = [output]
    while waiting:
        node = waiting.pop()
        if node in graph:
            continue
        level = node[0]
        graph[node] = ()
        if level > 0:
            layer, before = body.layers[level - 1], shapes[level - 1]
            graph[node] = _reads(layer, before, tables[level - 1], node)
            moments[node] = connection(layer, before).second_moment
            waiting += graph[node]
    return graph, output, moments


def _reads(layer: Layer, before: Shape, table: Any, node: Node) -> tuple[Node, ...]:
    level, row, column, channel = node
    if isinstance(layer, Flatten):
        position, source = divmod(channel, before[2])
        return ((level - 1, *divmod(position, before[1]), source),)
    channels = range(before[-1]) if isinstance(layer, Dense | Conv) else (channel,)
    rows, columns = (table[i].nonzero()[0].tolist() for i in (row, column))
    return tuple((level - 1, i, j, c) for i in rows for j in columns for c in channels)
