"""Theorem 5 without hypothesis H1: second moments with the network's own masks, at every width."""

from functools import cache
from typing import Any

import sympy as sp

from theory import architectures
from theory.initializers import VarianceScaling
from theory.laws.energy import connection
from theory.laws.prediction import predict
from theory.network import Dense, LeakyReLU
from theory.statements import paths
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.enumeration import (
    Convolution,
    Example,
    by_the_theorem,
    convolutional,
    of_graph,
    second_moments,
)
from theory.statements.sums import moment_of_a_sum, slope, slope_of, total, v

SOURCE = "derived here, in the place of hypothesis H1 of Simon-Gabriel et al. (ICML 2019)"

n, m, a = sp.symbols("n m a", positive=True, integer=True)
y = sp.Symbol("z", real=True, nonzero=True)
bias, u, mixed = sp.symbols("b u c", real=True)
mask = sp.Symbol("r", positive=True)
square, expected, count = sp.symbols("E_g P_g N", real=True)
drawn: Any = sp.Function("w", real=True)
value: Any = sp.Function("h", real=True)
second: Any = sp.Function("E_u", positive=True)
path_sum: Any = sp.Function("P", positive=True)
ends: Any = sp.Function("W", positive=True)
total_of: Any = sp.Sum

QUARTER = sp.Rational(1, 4)
EXAMPLES: dict[str, Example] = {
    "one convolution": Example(convolutional(4, (Convolution(1, 3),))),
    "stride 2, biases": Example(convolutional(6, (Convolution(2, 3, 2, with_bias=True),))),
    "three layers, biases, stride 2": Example(
        convolutional(
            4,
            (
                Convolution(1, 2, with_bias=True),
                Convolution(2, 2, with_bias=True),
                Convolution(1, 2, 2, with_bias=True),
            ),
        )
    ),
    "leaky ReLU of slope 1/4": Example(
        convolutional(4, (Convolution(2, 2), Convolution(1, 2, 2))), slope=QUARTER
    ),
    "four values, not two": Example(
        convolutional(4, (Convolution(1, 3, with_bias=True), Convolution(1, 2, 2))),
        values=(-3, -1, 1, 3),
    ),
    **{name: Example(of_graph(graph)) for name, graph in paths.GRAPHS.items()},
    "leaky, two nested skips": Example(of_graph(paths.GRAPHS["two nested skips"]), slope=QUARTER),
}
"""Networks over all of whose draws the expectation is taken."""

AVERAGED: dict[str, Example] = {
    f"side {side}, {kernel} taps": Example(
        convolutional(side, (Convolution(1, kernel),), head="mean")
    )
    for side, kernel in ((4, 2), (4, 3), (5, 3))
}


def true_masks() -> Statement:
    """E(∂f/∂x_i)² is the random walk's probability for the network's own masks."""
    derivative = slope_of(y)
    steps = (
        derive(
            eq(
                total_of(-drawn(a) * value(a), (a, 1, n)) - bias,
                -(total_of(drawn(a) * value(a), (a, 1, n)) + bias),
            ),
            "A unit reads z = Σ w_a h_a + b and has the derivative u = φ'(z) S, S = Σ w_a u_a. "
            "All that it reads being fixed, (w, b) → −(w, b) turns z into −z, and so S into −S",
        ),
        derive(
            eq(
                derivative**2 + slope_of(-y) ** 2,
                1 + slope**2,
            ),
            "A ReLU, or a leaky one of slope α, is open for one of z and −z: φ'(z)² + φ'(−z)² is "
            "the same for all z ≠ 0",
        ),
        derive(
            eq(
                (derivative**2 * total**2 + slope_of(-y) ** 2 * (-total) ** 2) / 2,
                mask * total**2,
            ),
            "Both signs are equally likely: E[u²] = r E[S²] with r = (1 + α²)/2, whatever S and z "
            "have to do with each other",
            meaning=lambda: {mask: (1 + slope**2) / 2},
        ),
        derive(
            eq(mask, (1 + slope**2) / 2),
            "which is the gain that `theory.laws.energy` has for a leaky ReLU",
            meaning=lambda: {mask: connection(LeakyReLU(slope), (n,)).second_moment},
        ),
        moment_of_a_sum(),
        derive(
            eq(v * mask, 1 / n),
            "He: r v = 1/n for every fan-in n and every slope",
            meaning=lambda: {
                v: connection(Dense(m, VarianceScaling(1 / mask)), (n,)).second_moment
            },
        ),
        derive(
            eq(
                total_of(second(a) / n, (a, 1, n)) - total_of(path_sum(a) / n, (a, 1, n)),
                total_of((second(a) - path_sum(a)) / n, (a, 1, n)),
            ),
            "So E u_j² is the mean of E u_a² over the n units that j reads. The sum over paths of "
            "Π 1/in-degree obeys the same recursion: if they agree for all a, they agree for j. "
            "Units may share kernels, for E(Σ w_a u_a)² asks nothing of the u_a",
        ),
        derive(
            eq(
                total_of(path_sum(a) / n, (a, 1, n)) - total_of(ends(a) / n, (a, 1, n)),
                total_of((path_sum(a) - ends(a)) / n, (a, 1, n)),
            ),
            "as does the probability that a walk to uniformly chosen predecessors ends at input i",
        ),
        derive(
            eq(total_of(1 / n, (a, 1, n)), 1),
            "Some input is where it ends: if that has probability 1 from all n predecessors, it "
            "has from the unit, and E‖∂f/∂x‖_2² = 1",
        ),
        compute(
            eq(square, expected),
            "All draws of convolutional networks with shared kernels (strides, biases, three "
            "layers, leaky ReLUs, weights of four values) and of graphs with skip connections",
            lambda: _enumerated(EXAMPLES),
        ),
        derive(
            eq(((u + mixed) / 2) ** 2, (u**2 + mixed**2) / 4 + u * mixed / 2),
            "Where it stops: the mean of two units keeps a cross term E[u_1 u_2]/2, where weights "
            "of their own would take it away",
        ),
        compute(
            eq(count, 1),
            "and behind an average of all units it does not vanish: the three networks enumerated "
            "disobey the walk at some input",
            lambda: _averaged(AVERAGED),
        ),
        compute(
            eq(count, 1),
            "`predict` calls second moments exact for mlp, and for cnn and convnet-avdim with a "
            "dense head; with an average it names the layer, and they rest on H",
            _known,
        ),
    )
    return Statement(
        "true-masks",
        "Second moments with the network's own masks",
        SOURCE,
        steps,
    )


@cache
def _moments(name: str) -> dict[Any, tuple[sp.Expr, sp.Expr]]:
    example = (EXAMPLES | AVERAGED)[name]
    real, walk = second_moments(example), by_the_theorem(example)
    return {node: (real[node], walk[node]) for node in real}


def _enumerated(examples: dict[str, Example]) -> dict[str, dict[sp.Symbol, Any]]:
    return {
        f"{name}, input {node}": {square: real, expected: walk}
        for name in examples
        for node, (real, walk) in _moments(name).items()
    }


def _averaged(examples: dict[str, Example]) -> dict[str, dict[sp.Symbol, Any]]:
    return {
        name: {count: int(any(real != walk for real, walk in _moments(name).values()))}
        for name in examples
    }


@cache
def _known() -> dict[str, dict[sp.Symbol, Any]]:
    exact = [architectures.mlp(init=init) for init in ("he", "pytorch", "flax", "orthogonal")]
    exact += [architectures.cnn(), architectures.convnet_avdim()]
    bounded = [architectures.cnn(head="gap"), architectures.convnet_avdim(head="avgpool")]
    bounded += [architectures.resnet(), architectures.cnn(head="gmaxpool")]
    laws = [predict(network, 2) for network in exact]
    found = {
        f"{law.network.name}, {law.network.body.layers[-1]}": {
            count: int(law.second_moment_basis == "exact" and law.breaking_layer is None)
        }
        for law in laws
    }
    for law in (predict(network, 2) for network in bounded):
        named = law.breaking_layer is not None and law.second_moment_basis == law.basis
        found[f"{law.network.name}, {law.breaking_layer}"] = {count: int(named)}
    return found
