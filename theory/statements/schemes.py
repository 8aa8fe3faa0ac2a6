"""Initialization schemes: energy gain of a layer, exponent, and finite-size curve of each."""

from typing import Any

import sympy as sp

from theory import architectures
from theory.initializers import Constant, Scheme
from theory.laws import prediction
from theory.laws.energy import gain
from theory.network import Dense, Flatten, Layer, LeakyReLU, ReLU, serial
from theory.statements.derivation import Statement, Step, define, derive, eq

SOURCE = "section 3 of the project's notes, after He et al. (2015) and Glorot & Bengio (2010)"

n, m, extra = sp.symbols("n m t", positive=True, integer=True)
d, w, classes, channels = sp.symbols("d w K C", positive=True)
depth = sp.Symbol("L", positive=True, integer=True)
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
    "lecun": 2**-depth,
    "glorot": 2**-depth * 4 * d * w / ((d + w) * (w + classes)),
    "pytorch": 6**-depth / 3,
    "flax": 2**-depth,
    "constant": d * (w * std**2) ** depth * std**2 / 2**depth,
    "orthogonal": sp.Min(d, w) * sp.Min(w, classes) / (w * classes),
}
"""E‖∂f_k/∂x‖_2² of a network with L hidden layers of w ReLUs and K logits."""

SHARED = {
    "he": sp.Integer(1),
    "he-fan-out": channels / w,
    "lecun": sp.Rational(1, 16),
    "glorot": channels / (channels + w) / 8,
    "pytorch": sp.Rational(1, 6**4),
    "flax": sp.Rational(1, 16),
    "constant": 9**4 * channels * w**3 * std**8 / 16,
    "orthogonal": 9 * channels / sp.Max(9 * channels, w),
}
"""Πκ of `cnn`'s four 3×3 convolutions of w channels with their ReLUs, at C input channels."""

HEADS = {
    "he": sp.Integer(1),
    "he-fan-out": n / classes,
    "lecun": sp.Integer(1),
    "glorot": 2 * n / (n + classes),
    "pytorch": sp.Rational(1, 3),
    "flax": sp.Integer(1),
    "constant": n * std**2,
    "orthogonal": sp.Min(n, classes) / classes,
}
"""κ of the last layer, from n features to K logits."""

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
        *(_image_curve(name, "dense") for name in HEADS),
        *(_image_curve(name, "gap") for name in HEADS),
        derive(
            eq(d * sp.Derivative(sp.log(CURVES["glorot"]), d) / 2, w / (2 * (d + w))),
            "Glorot's slope bends: the energy adds w/(2(d + w)) to 1/q − 1/2, between 1/2 for "
            "d ≪ w and 0 for d ≫ w (so 1 in all if the width grows first, 1/2 at fixed width)",
        ),
        define(
            eq(exponent, 1 / q - sp.Rational(1, 2)),
            "As d → ∞ at fixed width, with a dense first layer or dense head ‖∂f‖_q has the "
            "exponent 1/q − 1/2, for every q: " + ", ".join(BOUNDED),
            lambda: _exponents(BOUNDED, "dense"),
        ),
        define(
            eq(exponent, 1 / q),
            "and 1/q where the variance ignores the growing fan-in: " + ", ".join(GROWING),
            lambda: _exponents(GROWING, "dense"),
        ),
        define(
            eq(exponent, 1 / q - 1),
            "Behind a global average pool no fan-in grows: 1/q − 1 for every scheme",
            lambda: _exponents(tuple(DENSE_GAINS), "gap"),
        ),
    )
    title = "Initialization schemes"
    return Statement("initialization", title, SOURCE, steps)


def _layer(name: str) -> Step:
    return define(
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
            f"{label}, L = {layers}": {
                energy: _energy(name, inputs, width, layers),
                d: inputs,
                w: width,
                depth: layers,
            }
            for label, (inputs, width) in shapes.items()
            for layers in (1, 2, 5)
        }

    return define(
        eq(energy, CURVES[name]),
        f"{name}: Πκ of a network d → w → … → w → K with L = 1, 2, 5 hidden ReLU layers",
        cases,
    )


def _energy(name: str, inputs: Any, width: Any, layers: int) -> sp.Expr:
    hidden = _scheme_init(name, sp.Rational(1, 2))
    last = _scheme_init(name, 1)
    outputs: Any = classes
    body: tuple[Layer, ...] = (Dense(width, hidden), ReLU()) * layers
    return gain(serial(Flatten(), *body, Dense(outputs, last)), (1, 1, inputs))


def _image_curve(name: str, head: str) -> Step:
    """Πκ of the registered `cnn` at symbolic d, for three widths and numbers of channels."""

    def cases() -> dict[str, dict[sp.Symbol, Any]]:
        found = {}
        for width, images, logits in ((4, 3, 10), (32, 1, 2), (64, 3, 10)):
            scheme = Scheme("constant", std=0.1) if name == "constant" else Scheme(name)
            network = architectures.cnn(
                width=width, head=head, classes=logits, channels=images, init=scheme
            )
            features = {"dense": width * d / (16 * images), "gap": width}[head]
            # more features than logits in front of the head: d ≥ 16 C K
            large = 16 * images * logits + extra
            found[f"width {width}, {images} channels, {logits} logits"] = {
                energy: prediction.second_moment(network).subs(d, large),
                n: sp.sympify(features).subs(d, large),
                d: large,
                w: width,
                channels: images,
                classes: logits,
                std: sp.Rational(1, 10),
            }
        return found

    pooled = 16 * channels / d if head == "gap" else 1
    what = "a dense head on n = wd/(16C) features" if head == "dense" else "a global average"
    return define(
        eq(energy, SHARED[name] * HEADS[name] * pooled),
        f"{name}: Πκ of `cnn`, four 3×3 convolutions, with {what}",
        cases,
    )


def _exponents(names: tuple[str, ...], head: Any) -> dict[str, dict[sp.Symbol, Any]]:
    found = {}
    for name in names:
        if head == "dense":
            mlp = architectures.mlp(width=16, depth=1, init=name)
            found[f"mlp, {name}"] = {exponent: prediction.exponent(mlp, q)}
        cnn = architectures.cnn(width=4, head=head, init=name)
        found[f"cnn, {head} head, {name}"] = {exponent: prediction.exponent(cnn, q)}
    return found
