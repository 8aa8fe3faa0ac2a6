"""NumPy's evaluation of JAX's primitives, and of initializers, against JAX itself."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sim.trace import arrays, initial, trace, weights
from sim.trace.arrays import Dual, evaluate
from sim.trace.bilinear import bilinear
from sim.trace.random import DISTRIBUTIONS, Draws, Random
from sim.trace.source import Source
from sim.trace.walk import literal

NUMBERS = ("NHWC", "HWIO", "NHWC")


def convolution(x, w, **options):
    options = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": NUMBERS} | options
    return lax.conv_general_dilated(x, w, **options)


SMOOTH = {
    name: getattr(jnp, name)
    for name in ("exp", "exp2", "expm1", "log", "log1p", "sqrt", "cbrt", "square", "tanh", "sin")
}
SMOOTH |= {
    name: getattr(jnp, name) for name in ("cos", "tan", "sinh", "cosh", "arcsinh", "arctan", "abs")
}
SMOOTH |= {
    "rsqrt": lax.rsqrt,
    "logistic": jax.nn.sigmoid,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erf_inv": lambda x: lax.erf_inv(x / 4),
    "asin": lambda x: jnp.arcsin(x / 4),
    "acos": lambda x: jnp.arccos(x / 4),
    "acosh": lambda x: jnp.arccosh(1 + x),
    "atanh": lambda x: jnp.arctanh(x / 4),
    "cube": lambda x: x**3,
    "inverse square": lambda x: x**-2,
    "power": lambda x: lax.pow(x, x + 1),
    "atan2": lambda x: jnp.arctan2(x, 2 - x),
    "quotient": lambda x: (1 + x) / (2 + x * x),
    "difference": lambda x: 3 - x,
    "rounded": lambda x: x * jnp.floor(3 * x) + jnp.ceil(x) + jnp.round(2 * x) + jnp.sign(x),
    "clamped": lambda x: lax.clamp(0.5, x, 1.5),
    "selected": lambda x: jnp.where(x > 1, x * x, -x),
    "larger": lambda x: jnp.maximum(x, 1) + jnp.minimum(x, 2 * x - 1),
    "stopped": lambda x: x * lax.stop_gradient(x),
    "other types": lambda x: x * (x > 1).astype(jnp.float32) + jnp.isfinite(x),
}

SHAPED = {
    "reshape": lambda x: x.reshape(4, 6),
    "transpose": lambda x: x.transpose(2, 0, 1),
    "broadcast": lambda x: jnp.broadcast_to(x[:, :1], (2, 5, 4)),
    "slice": lambda x: x[:, ::2, 1:3],
    "reversed": lambda x: jnp.flip(x, 1),
    "padded": lambda x: lax.pad(x, 0.5, ((1, 0, 0), (-1, 2, 1), (0, -2, 0))),
    "gathered": lambda x: x[:, jnp.array([2, 0, 2, 1])],
    "one row": lambda x: lax.dynamic_slice(x, (1, 0, 1), (1, 3, 2)),
    "updated": lambda x: lax.dynamic_update_slice(x, 2 * x[:1], (1, 0, 0)),
    "joined": lambda x: jnp.concatenate([x, 2 * x[:, :1]], axis=1),
    "split": lambda x: jnp.split(x, [1], axis=1)[1],
    "sum": lambda x: x.sum(axis=(0, 2)),
    "largest": lambda x: x.max(axis=1) + x.min(axis=1),
    "cumulated": lambda x: lax.cumsum(x, axis=1, reverse=True) + jnp.cumsum(x, axis=1),
    "window": lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 3), (1, 1, 2), "SAME"),
    "numbers": lambda x: x * lax.broadcasted_iota(jnp.float32, (2, 3, 4), 1),
    "by JAX": lambda x: jnp.sort(x, axis=1),
    "contracted": lambda x: jnp.einsum("aij,bij->iab", x, x),
    "product": lambda x: x * x[:, :1],
    "image": lambda x: convolution(x[..., None], x[:1, :, :2, None].transpose(1, 2, 0, 3)),
}


def equations(function, x):
    closed = jax.make_jaxpr(function)(x)

    def read(values, variable):
        return literal(variable)[None] if hasattr(variable, "val") else values[variable]

    def outputs(closed, given):
        values = {v: np.asarray(c)[None] for v, c in zip(closed.jaxpr.constvars, closed.consts)}  # noqa: B905
        values |= zip(closed.jaxpr.invars, given, strict=True)
        for equation in closed.jaxpr.eqns:
            operands = [read(values, variable) for variable in equation.invars]
            if "jaxpr" in equation.params or "call_jaxpr" in equation.params:
                found = outputs(initial.inner_jaxpr(equation), operands)
            else:
                found = evaluate(equation, operands)
            values |= zip(equation.outvars, found, strict=True)
        return [read(values, variable) for variable in closed.jaxpr.outvars]

    return lambda given: outputs(closed, [given])[0]


@pytest.mark.parametrize("name", [*SMOOTH, *SHAPED])
def test_values_and_derivatives_are_those_of_jax(name):
    function, shape = (SMOOTH[name], (7,)) if name in SMOOTH else (SHAPED[name], (2, 3, 4))
    points = np.random.default_rng(0).uniform(0.2, 1.8, (2, *shape)).astype(np.float32)
    along = np.random.default_rng(1).normal(size=points.shape).astype(np.float32)
    ours = equations(function, points[0])(Dual(points, along))
    values, tangents = jax.vmap(lambda x, t: jax.jvp(function, (x,), (t,)))(points, along)
    found = ours if isinstance(ours, Dual) else Dual(ours, np.zeros(values.shape))
    np.testing.assert_allclose(found.value, values, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(found.tangent, tangents, rtol=2e-4, atol=2e-5)


PRODUCTS = {
    "mul": (jnp.multiply, (3, 4), (3, 4)),
    "a scalar": (lax.mul, (3, 4), ()),
    "matrix": (jnp.matmul, (5, 3), (3, 4)),
    "stacks": (lambda a, b: jnp.einsum("qhd,khd->hqk", a, b), (4, 2, 3), (5, 2, 3)),
    "strided": (
        lambda x, w: convolution(x, w, window_strides=(2, 1), padding=((1, 0), (2, 1))),
        (1, 5, 4, 2), (3, 2, 2, 3),
    ),
    "dilated": (
        lambda x, w: convolution(
            x, w, lhs_dilation=(2, 1), rhs_dilation=(1, 2), padding=((1, 0), (2, 1))
        ),
        (2, 4, 5, 2), (2, 2, 2, 3),
    ),
    "groups": (
        lambda x, w: convolution(x, w, feature_group_count=2), (1, 4, 4, 4), (3, 3, 2, 6)
    ),
    "channels first": (
        lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "VALID"), (1, 2, 4, 5), (3, 2, 2, 2)
    ),
}  # fmt: skip


@pytest.mark.parametrize("is_uniform", [False, True])
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_their_transposes_are_those_of_jax(name, is_uniform):
    function, left, right = PRODUCTS[name]
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, *left)), random.normal(size=(1, *right))
    if is_uniform:
        b = np.broadcast_to(np.float64(0.7), (1, *right))
    (equation,) = [
        e
        for e in jax.make_jaxpr(function)(a[0], b[0]).jaxpr.eqns
        if e.primitive.name in ("mul", "dot_general", "conv_general_dilated")
    ]
    ours = bilinear(equation, left, right)
    y = ours.forward(a, b)
    expected = [
        equation.primitive.bind(x, b[0].astype(np.float32), **equation.params)
        for x in a.astype(np.float32)
    ]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    # ⟨z, f(a, b)⟩ = ⟨fᵀz, a⟩, for each factor
    z = random.normal(size=y.shape)
    inner = np.sum(z * y)
    np.testing.assert_allclose(np.sum(ours.to_left(z, b) * a), inner, rtol=1e-9)
    by_pass = sum(ours.to_right(z[i : i + 1], a[i : i + 1]) for i in range(2))
    np.testing.assert_allclose(np.sum(by_pass * b), inner, rtol=1e-9)


def test_contractions_know_what_is_the_same_along_an_axis():
    function, left, right = PRODUCTS["stacks"]
    (equation,) = jax.make_jaxpr(function)(np.zeros(left), np.zeros(right)).jaxpr.eqns
    ours, random = bilinear(equation, left, right), np.random.default_rng(0)
    shapes = left, right, equation.outvars[0].aval.shape
    for same in product((False, True), repeat=sum(map(len, shapes))):
        axes, given = iter(same), []
        for shape in shapes:
            sides = [1 if next(axes) else side for side in shape]
            given.append(np.broadcast_to(random.normal(size=sides), (1, *shape)))
        copies = [np.ascontiguousarray(x) for x in given]
        for f, i, j in ((ours.forward, 0, 1), (ours.to_left, 2, 1), (ours.to_right, 2, 0)):
            expected = f(copies[i], copies[j])
            np.testing.assert_allclose(f(given[i], given[j]), expected, rtol=1e-9, atol=1e-12)


def read(init):
    closed = jax.make_jaxpr(init)(jax.random.key(0))
    return initial.leaves(init, closed)


KNOWN = {
    "_normal": lambda key, n: jax.random.normal(key, (n,)),
    "_uniform": lambda key, n: jax.random.uniform(key, (n,), minval=-1.0, maxval=2.0),
    "_truncated_normal": lambda key, n: jax.random.truncated_normal(key, -0.5, 2.0, (n,)),
    "_rademacher": lambda key, n: jax.random.rademacher(key, (n,), float),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_distributions_have_the_moments_of_jax(name):
    assert name in DISTRIBUTIONS
    (ours,) = read(lambda key: KNOWN[name](key, 40_000))
    (mean, variance), n = ours.moments, 40_000
    for sample in (np.asarray(KNOWN[name](jax.random.key(1), n)), Draws(1, 2).of(ours)[0]):
        spread = np.std((sample - mean) ** 2)
        assert abs(sample.mean() - mean) < 4.5 * np.sqrt(variance / n)
        assert abs(np.mean((sample - mean) ** 2) - variance) < 4.5 * spread / np.sqrt(n) + 1e-5


def test_half_precision_is_read_in_single():
    draw = jax.nn.initializers.lecun_normal(dtype=jnp.bfloat16)
    (found,) = read(lambda key: draw(key, (3, 3, 3, 8)))
    assert float(found.moments[1]) == pytest.approx(1 / 27, rel=0.01)


def test_a_function_of_another_library_with_a_known_name_is_not_taken_for_it():
    @jax.jit
    def _normal(key):
        return 3 * jax.random.rademacher(key, (100,), float)

    (found,) = read(_normal)
    assert float(found.moments[1]) == 9


SCALES = np.arange(1.0, 5.0)


def test_moments_follow_what_moves_scales_and_shifts():
    def init(key):
        w = jax.random.uniform(key, (3, 4), minval=0.0, maxval=2.0)
        return ((w - 1) * SCALES).T.reshape(2, 6) / 2

    (found,) = read(init)
    mean, variance = found.moments
    assert np.all(mean == 0)
    expected = np.repeat(SCALES**2 / 12, 3).reshape(2, 6)
    np.testing.assert_allclose(variance, expected, rtol=1e-6)


def orthogonal(key):
    return jax.nn.initializers.orthogonal()(key, (8, 8))


def standardized(key):
    w = jax.random.normal(key, (64, 4))
    return (w - w.mean(axis=0)) / w.std(axis=0)


def in_a_loop(key):
    return jax.lax.fori_loop(0, 3, lambda i, w: w + jax.random.normal(key, (6,)), jnp.zeros(6))


def stacked(key):
    keys = jax.random.split(key, 5)
    return jax.lax.map(lambda k: jax.random.normal(k, (3, 2)), keys) / 2


@pytest.mark.parametrize(
    ("init", "second"), [(orthogonal, 1 / 8), (standardized, 1), (in_a_loop, 9), (stacked, 1 / 4)]
)
def test_other_initializers_are_drawn(init, second):
    (found,) = read(init)
    assert isinstance(found, Random)
    operand = weights.operand(found, Draws(8, 1), Source())
    np.testing.assert_allclose(operand.moment, second, rtol=0.02)
    assert operand.draw().shape == (8, *found.shape)


def test_a_constant_key_makes_constants():
    fixed = jax.random.normal(jax.random.key(3), (4,))
    first, other = read(lambda key: (jax.random.normal(jax.random.key(3), (4,)), jnp.ones(2)))
    np.testing.assert_allclose(first.value, fixed, rtol=1e-6)
    np.testing.assert_array_equal(other.value, [1, 1])


@pytest.mark.parametrize("name", ["plain_mlp", "linen_cnn", "nnx_resnet", "equinox_vit"])
def test_nothing_of_the_examples_is_left_to_jax(name, monkeypatch):
    pytest.importorskip({"l": "flax", "n": "flax", "e": "equinox"}.get(name[0], "jax"))
    from sim import models

    (own,) = models.network(f"examples.models:{name}", 3).body.layers
    init, apply = models.pair(own, (8, 8, 3))

    def refuse(*arguments):
        raise AssertionError("left to JAX, which compiles it")

    monkeypatch.setattr(arrays, "_by_jax", refuse)
    monkeypatch.setattr(arrays, "_by_jvp", refuse)
    monkeypatch.setattr(initial, "_drawn_by_jax", refuse)
    assert np.all(np.isfinite(trace(init, apply, (8, 8, 3)).energy))
