"""Initialization schemes: energy gain of a layer, exponent, and finite-size curve of each."""

from functools import cache
from itertools import product
from typing import Any

import sympy as sp

from theory import architectures
from theory.energy import gain
from theory.initializers import Constant, Scheme
from theory.law import predict
from theory.network import Dense, Flatten, LeakyReLU, ReLU, serial
from theory.statements.derivation import Statement, Step, compute, derive, eq

SOURCE = "section 3 of the project's notes, after He et al. (2015) and Glorot & Bengio (2010)"

n, m, extra = sp.symbols("n m t", positive=True, integer=True)
d, w, classes = sp.symbols("d w K", positive=True)
q, std, limit, slope = sp.symbols("q s l a", positive=True)
kappa, energy = sp.symbols("kappa E", positive=True)
exponent = sp.Symbol("e", real=True)
z = sp.Symbol("z", real=True)

DENSE_GAINS = {
    "he": sp.Integer(2),
    "he-fan-out": 2 * n / m,
    "lecun": sp.Integer(1),
    "glorot": 2 * n / (n + m),
    "pytorch": sp.Rational(1, 3),
    "flax": sp.Integer(1),
    "constant": n * std**2,
    "orthogonal": 2 * sp.Min(n, m) / m,
}
"""κ of a dense layer n → m in front of a ReLU; the ReLU's own κ is 1/2."""

CURVES = {
    "he": sp.Integer(1),
    "he-fan-out": d / classes,
    "lecun": sp.Rational(1, 2),
    "glorot": 2 * d * w / ((d + w) * (w + classes)),
    "pytorch": sp.Rational(1, 18),
    "flax": sp.Rational(1, 2),
    "constant": d * w * std**4 / 2,
    "orthogonal": sp.Min(d, w) * sp.Min(w, classes) / (w * classes),
}
"""E‖∂f_k/∂x‖_2² of a network with one hidden layer of w ReLUs and K logits."""

GROWING = ("he-fan-out", "constant")
BOUNDED = tuple(name for name in DENSE_GAINS if name not in GROWING)


def initialization() -> Statement:
    """What each initialization scheme implies for the input gradient."""
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    steps = (
        *(_layer(name) for name in DENSE_GAINS),
        derive(
            eq(sp.Integral(z**2 / (2 * limit), (z, -limit, limit)), limit**2 / 3),
            "A uniform weight on ±l has variance l²/3: PyTorch's 1/√fan_in gives 1/(3 fan_in)",
        ),
        derive(
            eq(sp.Subs(limit**2 / 3, limit, sp.sqrt(6 / (n + m))), 2 / (n + m)),
            "and Glorot's √(6/(fan_in + fan_out)) gives 2/(fan_in + fan_out)",
        ),
        derive(
            eq(
                sp.Integral(z**2 * density, (z, -2, 2)) / sp.Integral(density, (z, -2, 2)),
                1 - 4 * density.subs(z, 2) / sp.erf(sp.sqrt(2)),
            ),
            "A normal weight truncated at two standard deviations has lost variance, which the "
            "truncated schemes divide out again",
        ),
        derive(
            eq(kappa, sp.Min(n, m) / (n * m)),
            "An n × m matrix with orthonormal rows or columns has squares that sum to min(n, m), "
            "so a mean square 1/max(n, m)",
            lambda: {
                "wide": {n: m + extra, kappa: 1 / (m + extra)},
                "tall": {m: n + extra, kappa: 1 / (n + extra)},
            },
        ),
        derive(
            eq(kappa, 1 / (1 + slope**2) * 2 * (1 + slope**2) / 2),
            "For a leaky ReLU of slope a the scale 2 becomes 2/(1 + a²), and κ stays 1",
            _leaky,
        ),
        *(_curve(name) for name in CURVES),
        derive(
            eq(d * sp.Derivative(sp.log(CURVES["glorot"]), d) / 2, w / (2 * (d + w))),
            "Glorot's slope bends: the energy adds w/(2(d + w)) to 1/q − 1/2, between 1/2 for "
            "d ≪ w and 0 for d ≫ w",
        ),
        compute(
            eq(exponent, 1 / q - sp.Rational(1, 2)),
            "As d → ∞ with a dense first layer or dense head: exponent 1/q − 1/2 for "
            + ", ".join(BOUNDED),
            lambda: _exponents(BOUNDED, "dense"),
        ),
        compute(
            eq(exponent, 1 / q),
            "and 1/q where the variance ignores the growing fan-in: " + ", ".join(GROWING),
            lambda: _exponents(GROWING, "dense"),
        ),
        compute(
            eq(exponent, 1 / q - 1),
            "Behind a global average pool no fan-in grows: 1/q − 1 for every scheme",
            lambda: _exponents(tuple(DENSE_GAINS), "gap"),
        ),
    )
    title = "Initialization schemes"
    return Statement("initialization", title, SOURCE, steps)


def _layer(name: str) -> Step:
    return derive(
        eq(kappa, DENSE_GAINS[name]),
        f"{name}: energy gain of a dense layer from n to m units, in front of a ReLU",
        lambda: {
            "n > m": {kappa: _dense_gain(name, m + extra, m), n: m + extra},
            "n < m": {kappa: _dense_gain(name, n, n + extra), m: n + extra},
        },
    )


def _dense_gain(name: str, fan_in: Any, features: Any) -> sp.Expr:
    init = _scheme_init(name, sp.Rational(1, 2))
    return gain(Dense(features, init), (fan_in,))


def _scheme_init(name: str, activation_gain: Any) -> Any:
    if name == "constant":
        return Constant(std)
    return Scheme(name).hidden(activation_gain)


def _leaky() -> dict[str, dict[sp.Symbol, Any]]:
    layer = LeakyReLU(slope)
    activation = gain(layer, (n,))
    body = serial(Dense(7, Scheme("he").hidden(activation)), layer)
    return {"any slope": {kappa: gain(body, (n,))}}


def _curve(name: str) -> Step:
    def cases() -> dict[str, dict[sp.Symbol, Any]]:
        more, most = sp.symbols("u v", positive=True)
        middle, largest = classes + more, classes + more + most
        shapes = {"d > w > K": (largest, middle), "w > d > K": (middle, largest)}
        return {
            label: {energy: _energy(name, inputs, width), d: inputs, w: width}
            for label, (inputs, width) in shapes.items()
        }

    return derive(
        eq(energy, CURVES[name]),
        f"{name}: Πκ of a network d → w → K with one hidden ReLU layer",
        cases,
    )


def _energy(name: str, inputs: Any, width: Any) -> sp.Expr:
    hidden = _scheme_init(name, sp.Rational(1, 2))
    last = _scheme_init(name, 1)
    outputs: Any = classes
    body = serial(Flatten(), Dense(width, hidden), ReLU(), Dense(outputs, last))
    return gain(body, (1, 1, inputs))


@cache
def _exponents(names: tuple[str, ...], head: str) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name, order in product(names, (1, 2, 5)):
        if head == "dense":
            mlp = architectures.mlp(width=16, depth=1, init=name)
            values = {q: order, exponent: predict(mlp, order).exponent}
            found[f"mlp, {name}, q = {order}"] = values
        cnn = architectures.cnn(width=4, head="dense" if head == "dense" else "gap", init=name)
        values = {q: order, exponent: predict(cnn, order).exponent}
        found[f"cnn, {head} head, {name}, q = {order}"] = values
    return found
