"""Networks that read their weights in every way, for plain products and for an oracle's.

An oracle has the rule in every product: w · h̄ + w′ · (h − h̄), where h̄ is h without derivative. It
has the value w · h and the derivative w′ · h′. The models under test have plain products.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

WIDTH = 8
SIDE = 4


def plain(operation, weight, h):
    return operation(weight, h)


def both(operation, pair, h):
    weight, copy = pair
    return (
        operation(weight, stop_gradient(h)) + operation(copy, h) - operation(copy, stop_gradient(h))
    )


def matmul(w, h):
    return h @ w


def conv(w, h, **options):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(h, w, (1, 1), "SAME", dimension_numbers=numbers, **options)


def flat(x):
    return x.reshape(len(x), -1)


def dense(use, w, x):
    return use(matmul, w["out"], jax.nn.relu(use(matmul, w["in"], flat(x))))


def compiled(use, w, x):
    inner = jax.jit(lambda w, h: jax.nn.silu(use(matmul, w, h)))
    return use(matmul, w["out"], inner(w["in"], flat(x)))


def remat(use, w, x):
    block = jax.checkpoint(lambda w, h: jnp.tanh(use(matmul, w, h)))
    h = use(matmul, w["in"], flat(x))
    return use(matmul, w["out"], block(w["square"], h))


def scan_of_constants(use, w, x):
    def step(h, row):
        h = jnp.tanh(use(matmul, w["square"], h) + use(matmul, w["row"], row))
        return h, h.sum()

    h, sums = jax.lax.scan(step, jnp.zeros((len(x), WIDTH)), jnp.moveaxis(x.sum(-1), 1, 0))
    return use(matmul, w["out"], h) + sums.sum()


def scan_over_layers(use, w, x):
    def step(h, layer):
        return h + jax.nn.relu(use(matmul, layer, h)), None

    h, _ = jax.lax.scan(step, use(matmul, w["in"], flat(x)), w["stack"], unroll=2)
    return use(matmul, w["out"], h)


def learned_start(use, w, x):
    """The carry depends on weights alone at first, and on the input after one step."""

    def step(h, row):
        return jnp.tanh(use(matmul, w["square"], h) + use(matmul, w["row"], row)), None

    start = w["start"][0] if isinstance(w["start"], tuple) else w["start"]
    start = jnp.broadcast_to(start, (len(x), WIDTH))
    h, _ = jax.lax.scan(step, start, jnp.moveaxis(x.sum(-1), 1, 0), reverse=True)
    return use(matmul, w["out"], h)


def branches(use, w, x):
    def one(w, h):
        return use(matmul, w["square"], h)

    def other(w, h):
        return jnp.sin(h)

    h = use(matmul, w["in"], flat(x))
    return use(matmul, w["out"], jax.lax.cond(x.sum() > 0, one, other, w, h))


def power_iteration(use, w, x):
    """A loop over weights alone."""

    def norm(matrix):
        def step(_, v):
            return matrix @ (matrix.T @ v) / 2

        return jnp.linalg.norm(
            jax.lax.while_loop(
                lambda s: s[0] < 3, lambda s: (s[0] + 1, step(*s)), (0, jnp.ones(WIDTH))
            )[1]
        )

    scaled = jax.tree.map(lambda m: m / norm(m), w["square"])
    return use(matmul, w["out"], use(matmul, scaled, use(matmul, w["in"], flat(x))))


def grouped(use, w, x):
    h = use(conv, w["first"], x)
    h = use(partial(conv, feature_group_count=WIDTH), w["depthwise"], jax.nn.relu(h))
    h = use(partial(conv, rhs_dilation=(2, 2)), w["kernel"], jax.nn.relu(h))
    return use(matmul, w["head"], flat(h))


def transposed(use, w, x):
    h = jax.nn.relu(use(conv, w["first"], x))
    up = use(lambda k, h: jax.lax.conv_transpose(h, k, (2, 2), "SAME"), w["kernel"], h)
    return use(matmul, w["head"], up.mean(axis=(1, 2)).repeat(SIDE**2, axis=1))


def standardized(use, w, x):
    def standard(kernel):
        axes = (0, 1, 2)
        return (kernel - kernel.mean(axes)) / kernel.std(axes)

    kernel = jax.tree.map(standard, w["kernel"])
    h = jax.nn.relu(use(conv, kernel, jax.nn.relu(use(conv, w["first"], x))))
    return use(matmul, w["head"], flat(h))


def tied(use, w, x):
    h = jax.nn.relu(use(matmul, w["in"], flat(x)))
    back = use(matmul, jax.tree.map(jnp.transpose, w["in"]), h)
    return use(matmul, w["out"], jax.nn.relu(use(matmul, w["in"], back)))


def scales(use, w, x):
    h = jax.nn.relu(use(matmul, w["in"], flat(x)))
    h = use(lambda s, h: s * h, w["scale"], h)
    h = use(lambda s, h: h / (2 + jnp.abs(s)), w["scale"], h)
    return use(matmul, w["out"], jnp.tanh(h))


def experts(use, w, x):
    """The largest entry of the input chooses a matrix of a stack."""
    h = use(matmul, w["in"], flat(x))
    number = jnp.argmax(h[0, :3])
    chosen = jax.tree.map(lambda stack: stack[number], w["stack"])
    return use(matmul, w["out"], use(matmul, chosen, h))


def frequencies(use, w, x):
    h = jnp.fft.fft(use(matmul, w["in"], flat(x)))
    h = use(lambda s, h: s * h, w["scale"], h)
    return use(matmul, w["out"], jnp.fft.ifft(h).real)


def own_linear_backward(use, w, x):
    """A product whose user wrote its backward pass."""

    @jax.custom_vjp
    def product(w, h):
        return h @ w

    product.defvjp(lambda w, h: (h @ w, (w, h)), lambda saved, g: (saved[1].T @ g, g @ saved[0].T))
    h = use(product, w["in"], flat(x))
    return use(matmul, w["out"], jax.nn.relu(h))


MODELS = {
    model.__name__: model
    for model in (
        dense, compiled, remat, scan_of_constants, scan_over_layers, learned_start, branches,
        power_iteration, grouped, transposed, standardized, tied, scales, experts, frequencies,
        own_linear_backward,
    )
}  # fmt: skip


def init(key, dtype=jnp.float32):
    shapes = {
        "in": (SIDE**2 * 3, WIDTH), "out": (WIDTH, 5), "square": (WIDTH, WIDTH),
        "row": (SIDE, WIDTH),
        "stack": (3, WIDTH, WIDTH), "start": (WIDTH,), "scale": (WIDTH,),
        "first": (3, 3, 3, WIDTH), "depthwise": (3, 3, 1, WIDTH), "kernel": (3, 3, WIDTH, WIDTH),
        "head": (SIDE**2 * WIDTH, 5),
    }  # fmt: skip
    keys = jax.random.split(key, len(shapes))
    return {
        name: jax.random.normal(key, shape, dtype) / shape[-1] ** 0.5
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
