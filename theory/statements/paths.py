"""Gradients at initialization: Theorem 4, Theorem 5 and condition S."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory.initializers import VarianceScaling
from theory.laws.energy import connection, gain
from theory.network import Conv, Dense, Flatten, ReLU, serial
from theory.statements import graphs
from theory.statements.derivation import Statement, compute, derive, eq, evaluate
from theory.statements.exponents import exponent, exponents, q
from theory.statements.sums import moment_of_a_sum

SOURCE = "Simon-Gabriel et al. (ICML 2019)"

n, m, d, j = sp.symbols("n m d j", positive=True, integer=True)
c, size = sp.symbols("c epsilon", positive=True)
p = q / (q - 1)
z = sp.Symbol("z", real=True)
square, total, share, paths, chance = sp.symbols("E T s S P", real=True)
kappa_dense, kappa_relu = sp.symbols("kappa_dense kappa_relu", positive=True)
variance = sp.Symbol("v", positive=True)
second: Any = sp.Function("E_u", positive=True)
path_sum: Any = sp.Function("P", positive=True)
ends: Any = sp.Function("W", positive=True)
series: Any = sp.Sum
largest, smallest, kinds = sp.symbols("s_max s_min N", positive=True)

HALF = sp.Integral(sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi), (z, 0, sp.oo))

GRAPHS: dict[str, graphs.Graph] = {
    "two layers": {1: (), 2: (), 3: (1, 2), 4: (1, 2), 5: (3, 4)},
    "uneven in-degrees": {1: (), 2: (), 3: (), 4: (1, 2, 3), 5: (3,), 6: (4, 5)},
    "skip from the input": {1: (), 2: (), 3: (1, 2), 4: (3, 1)},
    "two nested skips": {1: (), 2: (), 3: (1, 2), 4: (3, 2), 5: (4, 3, 1)},
}
SYMMETRIC: dict[str, graphs.Graph] = {
    "dense 3-2-1": {1: (), 2: (), 3: (), 4: (1, 2, 3), 5: (1, 2, 3), 6: (4, 5)},
    "ring of 4, three neighbours": {
        **dict.fromkeys(range(4), ()),
        **{4 + i: ((i - 1) % 4, i, (i + 1) % 4) for i in range(4)},
        8: (4, 5, 6, 7),
    },
    "every input skips": {1: (), 2: (), 3: (1, 2), 4: (3, 1, 2)},
}


def theorem_4() -> Statement:
    """Fully connected networks: coordinates of size 1/√d, whatever the widths."""
    coordinate = c / sp.sqrt(d)
    i = sp.Symbol("i", positive=True, integer=True)
    steps = (
        derive(
            eq(HALF, sp.Rational(1, 2)),
            "H1: a symmetric pre-activation is positive, and the ReLU open, with probability 1/2",
        ),
        derive(
            eq(kappa_dense, 2),
            "Weights of variance 2/n, n the fan-in: n uncorrelated terms multiply E‖∂‖² by 2",
            meaning=_he_layer,
        ),
        derive(
            eq(kappa_dense * kappa_relu, 1),
            "and the ReLU halves it (`true-masks`): layer by layer the energy is conserved",
            meaning=_he_layer,
        ),
        compute(
            eq(square, 1 / d),
            "So E(∂f/∂x_i)² = 1/d. Real ReLU networks with weights ±√(2/n), all draws enumerated",
            _real_networks,
        ),
        derive(
            eq(sp.Sum(coordinate**q, (i, 1, d)), (c * d ** (1 / q - sp.Rational(1, 2))) ** q),
            "d coordinates of size c/√d have ℓ_q norm c d^(1/q − 1/2)",
        ),
        derive(
            eq(
                size * d ** (1 / p) * c * d ** (1 / q - sp.Rational(1, 2)),
                size * c * sp.sqrt(d),
            ),
            "and an attack of ε_p = ε_∞ d^(1/p) does damage ε_∞ c √d, for every p",
        ),
        compute(
            eq(exponent, 1 / q - sp.Rational(1, 2)),
            "The law that `predict` gives for mlp, and its leading term, have this exponent: "
            "q = 1, 3/2, 2, 5",
            lambda: exponents(("mlp",), (1, sp.Rational(3, 2), 2, 5)),
        ),
    )
    return Statement("theorem-4", "Fully connected networks", f"{SOURCE}, Theorem 4", steps)


def theorem_5() -> Statement:
    """Any feedforward graph: path sums are the absorption probabilities of a random walk."""
    steps = (
        derive(
            eq(variance * kappa_relu, 1 / n),
            "A connection into a neuron of in-degree n has E[w²] · P(open) = 1/n (H1, H3)",
            meaning=_he_connection,
        ),
        moment_of_a_sum(),
        compute(
            eq(square, paths),
            "So E(∂f/∂x_i)² is the sum over paths of Π 1/in-degree. All weights and masks "
            "enumerated on four graphs, three with skip connections",
            _squares,
        ),
        derive(
            eq(
                series(second(j) / n, (j, 1, n)) - series(path_sum(j) / n, (j, 1, n)),
                series((second(j) - path_sum(j)) / n, (j, 1, n)),
            ),
            "Split off the last connection: second moment and path sum of a neuron are the means "
            "of those of its n predecessors, so they agree if those of all predecessors agree",
        ),
        derive(
            eq(
                series(path_sum(j) / n, (j, 1, n)) - series(ends(j) / n, (j, 1, n)),
                series((path_sum(j) - ends(j)) / n, (j, 1, n)),
            ),
            "A walk from the neuron to a uniformly chosen predecessor obeys the same recursion, "
            "and all are 1 at the input itself",
        ),
        compute(
            eq(paths, chance),
            "so the path sum of an input is the probability that the walk ends there (seven "
            "graphs, by the fundamental matrix of the walk)",
            _walks,
        ),
        derive(
            eq(sp.Sum(1 / n, (j, 1, n)), 1),
            "If the probabilities of ending anywhere are 1 for all n predecessors of a neuron, "
            "they are 1 for the neuron: the walk always ends at an input",
        ),
        compute(
            eq(total, 1),
            "so E‖∂f/∂x‖_2² = 1: it does not depend on d",
            _totals,
        ),
    )
    title = "Path sums are absorption probabilities of a random walk"
    return Statement("theorem-5", title, f"{SOURCE}, Theorem 5", steps)


def condition_s() -> Statement:
    """Condition S: when all input coordinates carry the same energy, and when not."""
    shift = sp.Rational(1, 2)
    steps = (
        compute(
            eq(kinds, 1),
            "S: all inputs see the same multiset of path in-degrees. It holds on three graphs",
            _symmetric,
        ),
        compute(
            eq(share, 1 / d),
            "Then all path sums are equal; their sum is 1, so each is 1/d",
            _symmetric,
        ),
        derive(
            eq(sp.Sum(chance / d, (j, 1, d)), chance),
            "whatever d and the sum",
        ),
        derive(
            eq(d * (c / sp.sqrt(d)) ** q, (c * d ** (1 / q - shift)) ** q),
            "and ‖∂f/∂x‖_q has exponent 1/q − 1/2",
        ),
        compute(
            eq(kinds, 3),
            "A 3×3 convolution of stride 2 violates S: pixels are read once, twice or four times",
            _strided,
        ),
        compute(
            eq(largest, 4 * smallest),
            "and carry energies 1 : 2 : 4",
            _strided,
        ),
        compute(
            eq(total, 1),
            "The sum, and so the ℓ_2 law, does not need S",
            _strided,
        ),
        derive(
            eq(
                (sp.sqrt(c) + 2 * sp.sqrt(2 * c) + sp.sqrt(4 * c))
                / (2 * sp.sqrt(c + 2 * 2 * c + 4 * c)),
                (1 + sp.sqrt(2)) ** 2 / 6,
            ),
            "Shares 1/4, 1/2, 1/4 of the pixels carry c, 2c, 4c: Σ√s_i over √(d Σs_i), for every d",
        ),
        evaluate(
            eq(share, ((1 + sp.sqrt(2)) ** 2 / 6)),
            "and the pattern repeats over the image: the ℓ_1 norm keeps its exponent and loses a "
            "constant factor, Σ√s_i / √d = (1 + √2)²/6",
            _strided_pattern,
        ),
    )
    title = "Condition S, and a network that violates it"
    return Statement("condition-s", title, f"{SOURCE}, condition S of Theorem 5", steps)


def _he_layer() -> dict[sp.Symbol, Any]:
    he = VarianceScaling(2)
    return {kappa_dense: gain(Dense(m, he), (n,)), kappa_relu: gain(ReLU(), (n,))}


def _he_connection() -> dict[sp.Symbol, Any]:
    return {
        variance: connection(Dense(m, VarianceScaling(2)), (n,)).second_moment,
        kappa_relu: connection(ReLU(), (n,)).second_moment,
    }


@cache
def _real_networks() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for sizes in ((2, 2, 1), (3, 2, 1), (2, 2, 2, 1)):
        for i, value in enumerate(_mean_squares(sizes)):
            found[f"{'-'.join(map(str, sizes))}, coordinate {i + 1}"] = {square: value, d: sizes[0]}
    return found


def _mean_squares(sizes: tuple[int, ...]) -> list[sp.Expr]:
    """E(∂f/∂x_i)² of the ReLU network itself, over all signs of its weights.

    Signs are enough: the common size √(2/n) of a layer's weights factors out. Where all neurons
    of a layer are dead the next pre-activations are 0, and the gradient is 0 as well.
    """
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    counts = [rows * columns for rows, columns in shapes]
    point = 3 ** np.arange(sizes[0])  # no signed sum of these vanishes
    sums, draws = np.zeros(sizes[0], dtype=int), 2 ** sum(counts)
    for draw in product((-1, 1), repeat=sum(counts)):
        signs = np.split(np.array(draw), np.cumsum(counts)[:-1])
        weights = [x.reshape(shape) for x, shape in zip(signs, shapes, strict=True)]
        values, slopes = point, np.eye(sizes[0], dtype=int)
        for weight in weights[:-1]:
            values = weight @ values
            slopes = (values > 0)[:, None] * (weight @ slopes)
            values = np.maximum(values, 0)
        sums += (weights[-1] @ slopes)[0] ** 2
    scale = sp.Mul(*(sp.Rational(2, fan_in) for fan_in in sizes[:-1])) / 2
    return [scale * int(x) / draws for x in sums]


@cache
def _squares() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, graph in GRAPHS.items():
        output = max(graph)
        sums = graphs.path_sums(graph, output)
        for node, value in graphs.expected_squares(graph, output).items():
            found[f"{name}, input {node}"] = {square: value, paths: sums[node]}
    return found


@cache
def _walks() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, graph in (GRAPHS | SYMMETRIC).items():
        sums = graphs.path_sums(graph, max(graph))
        ends = graphs.absorption_by_matrix(graph, max(graph))
        for i in sums:
            found[f"{name}, input {i}"] = {paths: sums[i], chance: ends[i]}
    return found


@cache
def _totals() -> dict[str, dict[sp.Symbol, Any]]:
    every = GRAPHS | SYMMETRIC
    return {
        name: {total: sp.Add(*graphs.path_sums(graph, max(graph)).values())}
        for name, graph in every.items()
    }


@cache
def _symmetric() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, graph in SYMMETRIC.items():
        output = max(graph)
        for i, value in graphs.path_sums(graph, output).items():
            found[f"{name}, input {i}"] = {
                kinds: _number_of_kinds(graph, output),
                share: value,
                d: len(graphs.inputs(graph)),
            }
    return found


def _number_of_kinds(graph: graphs.Graph, output: graphs.Node) -> int:
    found = graphs.path_degrees(graph, output).values()
    return len({tuple(sorted(degrees.items())) for degrees in found})


@cache
def _strided() -> dict[str, dict[sp.Symbol, Any]]:
    he = VarianceScaling(2)
    body = serial(Conv(1, he, stride=2), ReLU(), Flatten(), Dense(1, VarianceScaling(1)))
    graph, output, _ = graphs.of_network(body, (4, 4, 1))
    ends = list(graphs.absorption(graph, output).values())
    return {
        "side 4": {
            kinds: _number_of_kinds(graph, output),
            largest: max(ends),
            smallest: min(ends),
            total: sp.Add(*ends),
        }
    }


@cache
def _strided_pattern() -> dict[str, dict[sp.Symbol, Any]]:
    he = VarianceScaling(2)
    body = serial(Conv(1, he, stride=2), ReLU(), Flatten(), Dense(1, VarianceScaling(1)))
    found = {}
    for side in (4, 8):
        graph, output, _ = graphs.of_network(body, (side, side, 1))
        roots = [sp.sqrt(x) for x in graphs.absorption(graph, output).values()]
        found[f"side {side}"] = {share: sp.Add(*roots) / side}
    return found
