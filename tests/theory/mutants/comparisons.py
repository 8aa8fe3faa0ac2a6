"""Predictions beside numbers found in another way. Each function is True if they agree.

They import `theory` when they are called, so that they judge the copy that is loaded then.
"""

from importlib import import_module

import numpy as np
import sympy as sp

from mutants.measured import TABLE

DRAWS = 200_000
MEETING = 1.97201
"""E‖∂f‖² over hypothesis H, convnet-avdim of 4 layers under an average, side 16: all pairs."""
CORRELATED = 0.60483
"""Of values at two positions of its last layer: arc-cosine kernels of order 1, three times."""
SLACK = 0.12
"""Of narrow networks: what the laws of large width leave out, at most."""


def measured(*rows: int) -> bool:
    """Norms of random networks: within `SLACK` and four standard errors of the law."""
    architectures = import_module("theory.architectures")
    predict = import_module("theory.laws.prediction").predict
    for row in rows:
        x = TABLE[row]
        network = architectures.find(x.arch).build(**dict(x.options))
        found = predict(network, x.q, x.quantity)(network.channels * x.side**2)
        if not abs(found - x.mean) < SLACK * x.mean + 4 * x.standard_error:
            return False
    return True


def _near(found: float, expected: float, tolerance: float) -> bool:
    return bool(abs(found - expected) <= tolerance * abs(expected))


def norms() -> bool:
    """Norms of Gaussian vectors by simulation, and attacks by hand."""
    gaussian = import_module("theory.laws.gaussian")
    attacks = import_module("theory.laws.norms")
    z = np.random.default_rng(0).standard_normal((DRAWS, 5))
    groups = gaussian.Groups([1.0], [5])
    found = [
        _near(gaussian.norm_value(q, groups), np.linalg.norm(z, q, axis=1).mean(), 0.01)
        for q in (1.0, 2.0, 3.0, np.inf)
    ]
    found += [
        _near(float(gaussian.chi_mean(5)), np.linalg.norm(z, axis=1).mean(), 0.01),
        _near(float(gaussian.absolute_moment(3)), (np.abs(z) ** 3).mean(), 0.01),
        _near(attacks.attack_size(1.0, 2, 9), 3.0, 1e-12),
        _near(attacks.damage(np.array([3.0, 4.0]), "inf", 2.0), 14.0, 1e-12),
    ]
    return all(found)


def softmax() -> bool:
    """E‖softmax − label‖, and with half of the energy along the logits, by simulation."""
    value = import_module("theory.laws.softmax").residual_value
    f = np.random.default_rng(1).standard_normal((DRAWS, 5)) * 1.5
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True)
    p[:, 0] -= 1
    squares, along = np.sum(p**2, axis=1), np.sum(p * f, axis=1) ** 2 / 2.25
    return (
        _near(value(2.25, 5), np.sqrt(squares).mean(), 0.01)
        and _near(value(2.25, 5, 2), squares.mean(), 0.01)
        and _near(value(2.25, 5, 2, 0.5), (squares + along).mean() / 2, 0.01)
    )


def expressions() -> bool:
    """A dense network's norm as an expression in d against its number."""
    architectures = import_module("theory.architectures")
    law, parts = (import_module(f"theory.laws.{name}") for name in ("prediction", "parts"))
    network = architectures.mlp(width=8, depth=2)
    found = []
    wide = architectures.mlp(width=8, depth=2, init="pytorch")  # whose loss has no exact law
    for net, order, quantity in (
        *((network, 1, "logit"), (network, 1, "loss"), (network, 2, "logit")),
        (wide, 1, "loss"),
    ):
        known = law.predict(net, order, quantity)
        value = float(known.norm.subs(parts.d, 48).evalf())
        found.append(_near(value, known(48), 1e-3))
    return all(found)


def closed_forms() -> bool:
    """Gaussian means of activations against sums over a fine grid."""
    activations = import_module("theory.activations")
    layers = import_module("theory.network")
    x = np.linspace(-9, 9, 20001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    found, v = [], sp.Rational(7, 10)  # of a float they would be the quadrature itself
    for layer in (layers.Erf(), layers.GELU(), layers.Tanh(), layers.LeakyReLU(0.2)):
        value = activations.numeric_function(layer)(np.sqrt(0.7) * x)
        slope = activations.numeric_slope(layer)(np.sqrt(0.7) * x)
        for known, expected in (
            (activations.mean(layer, v), value @ density),
            (activations.mean_square(layer, v), value**2 @ density),
            (activations.slope_moment(layer, v), slope**2 @ density),
            (activations.slope_moment(layer, v, 4), slope**4 @ density),
        ):
            found.append(abs(float(known.doit().evalf()) - expected) < 1e-3)
    return all(found)


def cascade() -> bool:
    """The relative variance of one ReLU behind a Gaussian gradient is 5, of no mask 2."""
    relative = import_module("theory.laws.resolved").relative_variance
    return relative(0.5, 0.5) == 5 and relative(1, 1) == 2


def positions() -> bool:
    """Averages with reflecting borders by a recursion over all pairs, and masks by simulation."""
    together = import_module("theory.laws.positions").together
    energies = import_module("theory.laws.energy").logit_energy_map
    architectures = import_module("theory.architectures")
    network = architectures.convnet_avdim(width=64, depth=4, head="gap")
    plain = energies(network.body, (16, 16, 3))
    body, excess = together(network.body, (16, 16, 3))
    if not _near((plain * excess).sum() / plain.sum(), MEETING, 1e-4):
        return False
    first, last = (x for i, x in enumerate(body.layers) if i in (1, 7))
    z, noise, u = np.random.default_rng(3).standard_normal((3, DRAWS))
    rho = CORRELATED
    squares = u**2 * np.stack([z > 0, rho * z + np.sqrt(1 - rho**2) * noise > 0])
    sampled = np.cov(squares)[0, 1] / squares.mean(axis=1).prod()
    return _near(last.alike.item(), sampled, 0.03) and first.alike.min() > 0.1


def streams() -> bool:
    """One block relu(x + W_2 relu(W_1 x)), x = relu(z), as cones have it (`post-activation`).

    The last ReLU passes 5/8, and 3/4 of what x > 0 brings. Backwards the block hands 5/4 + o to x,
    where o is 1 if the last ReLU is open. So the first one passes 1/2 (5/4 + 3/4) of 5/4 + 5/8, and
    1/2 (3/4 (9/4)² + 1/4 (5/4)²) of 5/8 (9/4)² + 3/8 (5/4)² in squared energies.
    """
    architectures, wide = (
        import_module(f"theory.{name}") for name in ("architectures", "laws.wide")
    )
    body = wide.resolve(architectures.resnet(8, 1).body, (8, 8, 3)).body
    walk = import_module("theory.network").walk
    first, inner, last = (x for x in walk(body) if isinstance(x, wide.Resolved))
    return all(
        _near(float(found), expected, 2e-3)
        for found, expected in (
            (first.second_moment, 8 / 15),
            (first.fourth_moment, 67 / 120),
            (inner.second_moment, 1 / 2),
            (inner.fourth_moment, 1 / 2),
            (last.second_moment, 5 / 8),
            (last.fourth_moment, 5 / 8),
        )
    )


def masked_sum() -> bool:
    """E S² of four units behind a ReLU by simulation."""
    law = import_module("theory.laws.masked_sum").MaskedSum(4)
    rng = np.random.default_rng(2)
    z = rng.standard_normal((DRAWS, 4)) * (rng.random((DRAWS, 4)) < 0.5)
    return _near(float(law.integer_moment(2)), ((z**2).sum(axis=1) ** 2).mean(), 0.03)


def bounds() -> bool:
    """The exact law of a dense network lies between its bounds."""
    architectures = import_module("theory.architectures")
    predict = import_module("theory.laws.prediction").predict
    network = architectures.mlp(width=64)
    for q in (1, 2, 3):
        law = predict(network, q)
        found = law.bounds(192)
        if not found.lower <= law(192) <= found.upper:
            return False
    return True


def alignment() -> bool:
    """α and averages of networks with a global average, of width 16 at side 8.

    α as `python -m sim.statements.loss_over_logit` measures it, averages as 3000 networks have
    them; the first order leaves out what is of the order of 1/width.
    """
    architectures = import_module("theory.architectures")
    head = import_module("theory.laws.alignment").head
    found = []
    for build, share, averaged in (
        (architectures.cnn, 0.1814, 0.750),
        (architectures.resnet_preact, 0.1733, 0.694),
    ):
        known = head(build(16, head="gap").body, (8, 8, 3))
        found.append(_near(float(known.alignment), share, 0.1))
        found.append(_near(float(known.averaged), averaged, 0.05))
    return all(found)
