"""Layer by layer: Corollary 6 for convolutional networks, and average pooling."""

from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from theory import architectures
from theory.fans import in_degree
from theory.geometry import connections
from theory.initializers import VarianceScaling
from theory.laws.energy import energy_map, gain
from theory.network import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    ReLU,
    Residual,
    Serial,
    serial,
)
from theory.statements import graphs
from theory.statements.derivation import Statement, compute, derive, eq
from theory.statements.exponents import exponent, exponents, q

SOURCE = "Simon-Gabriel et al. (ICML 2019)"

channels, side, window, other = sp.symbols("C s a_1 a_2", positive=True, integer=True)
kernel, positions = sp.symbols("k P", positive=True, integer=True)
kappa, kappa_conv, kappa_relu = sp.symbols("kappa kappa_conv kappa_relu", positive=True)
kappa_branch, kappa_shortcut = sp.symbols("kappa_branch kappa_shortcut", positive=True)
energy, energy_strided, walk, paths, rule, total = sp.symbols("E E_0 W S R T", real=True)
size = sp.Symbol("l_2", positive=True)
outputs, stride, dilation = sp.symbols("m t e", positive=True, integer=True)
scales = sp.symbols("g_1 g_2", positive=True)

HE = VarianceScaling(2)
LAST = VarianceScaling(1)
NETWORKS: dict[str, tuple[Serial, tuple[int, int, int]]] = {
    "stride 2, then dense": (
        serial(Conv(2, HE, stride=2), ReLU(), Flatten(), Dense(2, LAST)),
        (4, 4, 1),
    ),
    "dilation 2": (
        serial(Conv(2, HE, kernel=2, dilation=2), ReLU(), Flatten(), Dense(1, LAST)),
        (4, 4, 2),
    ),
    "two convolutions": (
        serial(Conv(2, HE), ReLU(), Conv(1, HE, stride=2), ReLU(), Flatten(), Dense(1, LAST)),
        (4, 4, 1),
    ),
    "even kernel, two dense layers": (
        serial(Conv(1, HE, kernel=2), ReLU(), Flatten(), Dense(2, HE), ReLU(), Dense(1, LAST)),
        (3, 3, 1),
    ),
}
POOLED: dict[str, tuple[Serial, tuple[int, int, int]]] = {
    "one 2×2 pooling": (
        serial(Conv(2, HE, kernel=1), ReLU(), AvgPool(2), Flatten(), Dense(1, LAST)),
        (4, 4, 1),
    ),
    "2×2 after 2×2": (
        serial(AvgPool(2), Conv(1, HE, kernel=1), ReLU(), AvgPool(2), Flatten(), Dense(1, LAST)),
        (4, 4, 1),
    ),
    "3×3 and global": (
        serial(AvgPool(3), Conv(1, HE, kernel=1), ReLU(), GlobalAvgPool(), Dense(1, LAST)),
        (6, 6, 1),
    ),
}


def corollary_6() -> Statement:
    """Convolutions, strided or not, and dense layers in any order obey the same law."""
    steps = (
        derive(
            eq(kappa_conv, 2),
            "An output of a k×k convolution reads k²C inputs through weights of variance 2/(k²C): "
            "κ = 2 for every kernel, stride and dilation (border circular)",
            meaning=_convolution,
        ),
        derive(
            eq(kappa_conv * kappa_relu, 1),
            "and the ReLU behind it halves the energy, with shared kernels as well (`true-masks`)",
            meaning=_convolution,
        ),
        compute(
            eq(walk, paths),
            "Neuron by neuron: the sum over paths of Π E[w²] P(open) is the probability that the "
            "random walk through the layers ends at a given input (four networks)",
            lambda: _maps(NETWORKS),
        ),
        compute(
            eq(rule, paths),
            "and the layer rules of `theory.laws.energy` give the same energy to every pixel",
            lambda: _maps(NETWORKS),
        ),
        compute(
            eq(total, 1),
            "so E‖∂f/∂x‖_2² = 1, as in Theorem 5",
            lambda: _totals(NETWORKS),
        ),
        compute(
            eq(kappa, total),
            "A zero border cuts kernels off: the in-degree of `theory.fans`, a mean over outputs, "
            "against the connections one by one (kernels 3 and 5, strides 1 and 2)",
            _zero_borders,
        ),
        derive(
            eq(energy, 1),
            "The product of the layers' κ says the same for cnn and convnet-avdim at any side",
            _whole_networks,
        ),
        derive(
            eq(kappa, kappa_branch + kappa_shortcut),
            "A residual connection adds the energies of branch and shortcut, which are "
            "uncorrelated if the branch ends in weights of mean zero (any scale of the weights)",
            meaning=_residual,
        ),
        compute(
            eq(exponent, 1 / q - sp.Rational(1, 2)),
            "The law that `predict` gives for cnn, resnet and resnet-preact with a dense head has "
            "this exponent: q = 1, 2, 5",
            lambda: exponents(("cnn", "resnet", "resnet-preact"), (1, 2, 5)),
        ),
    )
    return Statement("corollary-6", "Convolutional networks", f"{SOURCE}, Corollary 6", steps)


def average_pooling() -> Statement:
    """Non-overlapping average poolings over a_1, …, a_n inputs divide ‖∂f‖_2 by √(a_1 ⋯ a_n)."""
    steps = (
        derive(
            eq(kappa, window * (1 / window) ** 2),
            "An average over a inputs reads each through 1/a, where He weights behind a ReLU have "
            "second moment 1/a: κ = a · 1/a² = 1/a, for every window",
            meaning=_pool,
        ),
        compute(
            eq(total, 1 / (window * other)),
            "Path sums, neuron by neuron, of networks with windows a_1 and a_2: "
            "E‖∂f‖_2² = 1/(a_1 a_2)",
            _pooled_totals,
        ),
        compute(
            eq(rule, paths),
            "pixel by pixel as the layer rules of `theory.laws.energy` have it",
            lambda: _maps(POOLED),
        ),
        derive(
            eq(size, 1 / sp.sqrt(window * other)),
            "so ‖∂f‖_2 is smaller by √(a_1 a_2), for all windows",
            meaning=_two_pools,
        ),
        derive(
            eq(energy, energy_strided / 4**4),
            "convnet-avdim with its four 2×2 poolings against its four strides",
            _avdim,
        ),
        derive(
            eq(energy, 1 / positions),
            "Global average pooling over P positions: E‖∂f‖_2² = 1/P (H1 neglects that kernels "
            "are shared between positions)",
            meaning=_global_pool,
        ),
        compute(
            eq(exponent, 1 / q - 1),
            "P grows like d, so ‖∂f‖_q has exponent 1/q − 1 and the ℓ_1 norm does not grow",
            lambda: exponents(("cnn",), (1, 2, 5), head="gap"),
        ),
    )
    title = "Average pooling lowers the gradient"
    return Statement("average-pooling", title, f"{SOURCE}, appendix", steps)


def _convolution() -> dict[sp.Symbol, Any]:
    layer: Any = Conv(outputs, HE, kernel=kernel, stride=stride, dilation=dilation)  # type: ignore[arg-type]
    shape = (side, side, channels)
    return {kappa_conv: gain(layer, shape), kappa_relu: gain(ReLU(), shape)}


def _network_map(body: Layer, shape: tuple[int, int, int]) -> np.ndarray:
    return energy_map(body, shape, np.full((1, 1), sp.Integer(1), dtype=object))


def _maps(
    networks: dict[str, tuple[Serial, tuple[int, int, int]]],
) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, (body, shape) in networks.items():
        graph, output, moments = graphs.of_network(body, shape)
        sums = graphs.path_sums(graph, output, moments.__getitem__)
        ends = graphs.absorption(graph, output)
        pixels = _network_map(body, shape)
        for i, k in product(range(shape[0]), repeat=2):
            neurons = [(0, i, k, c) for c in range(shape[2])]
            found[f"{name}, pixel ({i}, {k})"] = {
                paths: sp.Add(*(sums.get(x, sp.Integer(0)) for x in neurons)),
                walk: sp.Add(*(ends.get(x, sp.Integer(0)) for x in neurons)),
                rule: pixels[i, k],
            }
    return found


def _totals(
    networks: dict[str, tuple[Serial, tuple[int, int, int]]],
) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, (body, shape) in networks.items():
        graph, output, moments = graphs.of_network(body, shape)
        sums = graphs.path_sums(graph, output, moments.__getitem__)
        found[name] = {total: sp.Add(*sums.values())}
    return found


def _pooled_totals() -> dict[str, dict[sp.Symbol, Any]]:
    windows = {"one 2×2 pooling": (4, 1), "2×2 after 2×2": (4, 4), "3×3 and global": (9, 4)}
    return {
        name: values | {window: windows[name][0], other: windows[name][1]}
        for name, values in _totals(POOLED).items()
    }


def _zero_borders() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for size, k, stride_size in product((4, 8), (3, 5), (1, 2)):
        layer = Conv(7, HE, kernel=k, stride=stride_size, border="zero")
        reads = connections(layer, size)
        mean = sp.Rational(int(reads.sum()), len(reads))
        found[f"side {size}, kernel {k}, stride {stride_size}"] = {
            kappa: in_degree(layer, (size, size, 2)),
            total: 2 * mean**2,
        }
    return found


def _whole_networks() -> dict[str, dict[sp.Symbol, Any]]:
    nets = {name: architectures.find(name).build() for name in ("cnn", "convnet-avdim")}
    return {name: {energy: gain(net.body, net.input_shape(side))} for name, net in nets.items()}


def _residual() -> dict[sp.Symbol, Any]:
    shape = (side, side, channels)
    ways = [Conv(channels, VarianceScaling(scale)) for scale in scales]  # type: ignore[arg-type]
    return {
        kappa: gain(Residual(ways[0], ways[1]), shape),
        kappa_branch: scales[0],
        kappa_shortcut: scales[1],
    }


def _pool() -> dict[sp.Symbol, Any]:
    return {kappa: gain(AvgPool(kernel), (side, side, channels)), window: kernel**2}  # type: ignore[arg-type]


def _two_pools() -> dict[sp.Symbol, Any]:
    first, second = (AvgPool(size) for size in (kernel, stride))  # type: ignore[arg-type]
    body = serial(first, Conv(outputs, HE), ReLU(), second, Flatten(), Dense(outputs, LAST))  # type: ignore[arg-type]
    value = sp.sqrt(gain(body, (side, side, channels)))
    return {size: value, window: kernel**2, other: stride**2}


def _avdim() -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for scheme in ("he", "lecun", "pytorch"):
        pooled = architectures.convnet_avdim(pooling="average", init=scheme)
        strided = architectures.convnet_avdim(pooling="stride", init=scheme)
        shape = pooled.input_shape(side)
        found[scheme] = {
            energy: gain(pooled.body, shape),
            energy_strided: gain(strided.body, shape),
        }
    return found


def _global_pool() -> dict[sp.Symbol, Any]:
    body = serial(Conv(5, HE), ReLU(), GlobalAvgPool(), Dense(1, LAST))
    value = gain(body, (side, side, channels))
    return {energy: value, positions: side**2}
