"""Networks in plain jax, pairs of functions (init, apply), as papers' and tutorials' code has them.

    python -m sim.scaling --model examples.plain:siren

`siren`, `tied`, `weight_normed`, `radial_basis` and `cosine_head` are dense networks of the
flattened image; `weight_standardized`, `scanned_resnet` and `neural_ode` are convolutional.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp

from examples.models import CLASSES, Shape

Pair = tuple[Callable[..., Any], Callable[..., Any]]
Weights = dict[str, Any]

he_normal = jax.nn.initializers.he_normal()
lecun_normal = jax.nn.initializers.lecun_normal()


def siren(shape: Shape) -> Pair:
    """Sines of dense layers with the SIREN paper's uniform weights: ω = 30 in every hidden layer.

    Biases have PyTorch's default, as in the paper's code.
    """
    frequency = 30.0
    widths = (_size(shape), 64, 64, CLASSES)

    def init(key: jax.Array) -> list[Weights]:
        layers = []
        for i, (n, m) in enumerate(pairwise(widths)):
            key1, key2 = jax.random.split(jax.random.fold_in(key, i))
            bound = 1 / n if i == 0 else jnp.sqrt(6 / n) / frequency
            kernel = jax.random.uniform(key1, (n, m), minval=-bound, maxval=bound)
            bias = jax.random.uniform(key2, (m,), minval=-(n**-0.5), maxval=n**-0.5)
            layers.append({"kernel": kernel, "bias": bias})
        return layers

    def apply(layers: list[Weights], x: jax.Array) -> jax.Array:
        x = x.ravel()
        for layer in layers[:-1]:
            x = jnp.sin(frequency * (x @ layer["kernel"] + layer["bias"]))
        return x @ layers[-1]["kernel"] + layers[-1]["bias"]

    return init, apply


def tied(shape: Shape) -> Pair:
    """An autoencoder whose decoder is its encoder transposed, and a head on its reconstruction."""
    widths = (_size(shape), 64, 32)

    def init(key: jax.Array) -> Weights:
        key1, key2 = jax.random.split(key)
        head = lecun_normal(key2, (widths[0], CLASSES))
        return {"kernels": _he_kernels(key1, widths), "head": head}

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        x = x.ravel()
        for kernel in weights["kernels"]:
            x = jax.nn.relu(x @ kernel)
        for kernel in reversed(weights["kernels"]):
            x = jax.nn.relu(x @ kernel.T)
        return x @ weights["head"]

    return init, apply


def weight_normed(shape: Shape) -> Pair:
    """Dense layers with weight normalization, g·v/‖v‖ for each output; g is 1 at first.

    Directions v are normal of standard deviation 0.05, as in the paper.
    """
    widths = (_size(shape), 64, 64, CLASSES)

    def init(key: jax.Array) -> list[Weights]:
        keys = jax.random.split(key, len(widths) - 1)
        return [
            {"v": 0.05 * jax.random.normal(k, (n, m)), "g": jnp.ones(m), "bias": jnp.zeros(m)}
            for k, (n, m) in zip(keys, pairwise(widths), strict=True)
        ]

    def dense(layer: Weights, x: jax.Array) -> jax.Array:
        kernel = layer["g"] * layer["v"] / jnp.linalg.norm(layer["v"], axis=0)
        return x @ kernel + layer["bias"]

    def apply(layers: list[Weights], x: jax.Array) -> jax.Array:
        x = x.ravel()
        for layer in layers[:-1]:
            x = jax.nn.relu(dense(layer, x))
        return dense(layers[-1], x)

    return init, apply


def radial_basis(shape: Shape) -> Pair:
    """Dense features h and the head exp(-γ‖h - c‖²) of one normal center c for each class.

    γ is 1/width, so that the exponent does not grow with it.
    """

    def head(h: jax.Array, centers: jax.Array) -> jax.Array:
        return jnp.exp(-jnp.sum((h - centers) ** 2, axis=-1) / h.size)

    return _prototypes(shape, jax.nn.initializers.normal(1.0), head)


def cosine_head(shape: Shape) -> Pair:
    """Dense features and the head of face recognition: cosines with class vectors, times 30."""

    def head(h: jax.Array, classes: jax.Array) -> jax.Array:
        h = h / jnp.linalg.norm(h)
        return 30 * (classes / jnp.linalg.norm(classes, axis=-1, keepdims=True)) @ h

    return _prototypes(shape, jax.nn.initializers.glorot_uniform(), head)


def _prototypes(
    shape: Shape,
    prototype_init: Callable[..., jax.Array],
    head: Callable[[jax.Array, jax.Array], jax.Array],
) -> Pair:
    """Two He-initialized ReLU layers and a dense one, compared with one vector for each class."""
    widths = (_size(shape), 64, 64, 32)

    def init(key: jax.Array) -> Weights:
        key1, key2 = jax.random.split(key)
        prototypes = prototype_init(key2, (CLASSES, widths[-1]))
        return {"kernels": _he_kernels(key1, widths), "prototypes": prototypes}

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        x = x.ravel()
        for kernel in weights["kernels"][:-1]:
            x = jax.nn.relu(x @ kernel)
        return head(x @ weights["kernels"][-1], weights["prototypes"])

    return init, apply


def weight_standardized(shape: Shape) -> Pair:
    """Convolutions with kernels of mean 0 and variance 1/fan-in, as in normalizer-free networks.

    Kernels are standardized in each forward pass, and a gain keeps the variance behind a ReLU.
    """
    widths = (shape[-1], 16, 32, 64)
    gain = jnp.sqrt(2 / (1 - 1 / jnp.pi))

    def init(key: jax.Array) -> Weights:
        key1, key2 = jax.random.split(key)
        head = lecun_normal(key2, (widths[-1], CLASSES))
        return {"kernels": _he_kernels(key1, widths, (3, 3)), "head": head}

    def standardized(kernel: jax.Array) -> jax.Array:
        axes, fan_in = (0, 1, 2), kernel[..., 0].size
        mean = kernel.mean(axes, keepdims=True)
        variance = kernel.var(axes, keepdims=True)
        return (kernel - mean) * jax.lax.rsqrt(jnp.maximum(fan_in * variance, 1e-4))

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        for i, kernel in enumerate(weights["kernels"]):
            x = gain * jax.nn.relu(_conv(x, standardized(kernel), stride=1 if i == 0 else 2))
        return x.mean(axis=(0, 1)) @ weights["head"]

    return init, apply


def scanned_resnet(shape: Shape) -> Pair:
    """Four residual blocks as one `jax.lax.scan` over their kernels, under `jax.checkpoint`."""
    blocks, width = 4, 16

    def init(key: jax.Array) -> Weights:
        def kernels(key: jax.Array) -> Weights:
            key1, key2 = jax.random.split(key)
            size = (3, 3, width, width)
            return {"first": he_normal(key1, size), "second": he_normal(key2, size)}

        key1, key2, key3 = jax.random.split(key, 3)
        return {
            "stem": he_normal(key1, (3, 3, shape[-1], width)),
            "blocks": jax.vmap(kernels)(jax.random.split(key2, blocks)),
            "head": lecun_normal(key3, (width, CLASSES)),
        }

    @jax.checkpoint
    def block(x: jax.Array, kernels: Weights) -> tuple[jax.Array, None]:
        y = _conv(jax.nn.relu(x), kernels["first"])
        return x + _conv(jax.nn.relu(y), kernels["second"]), None

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        x = _conv(x, weights["stem"], stride=2)
        x, _ = jax.lax.scan(block, x, weights["blocks"])
        return jax.nn.relu(x).mean(axis=(0, 1)) @ weights["head"]

    return init, apply


def neural_ode(shape: Shape) -> Pair:
    """Four Runge-Kutta steps of fourth order from time 0 to 1 along two convolutions with a tanh.

    The head is dense on all positions.
    """
    side, _, channels = shape
    steps, width = 4, 8

    def init(key: jax.Array) -> Weights:
        key1, key2, key3, key4 = jax.random.split(key, 4)
        return {
            "stem": lecun_normal(key1, (3, 3, channels, width)),
            "first": lecun_normal(key2, (3, 3, width, width)),
            "second": lecun_normal(key3, (3, 3, width, width)),
            "head": lecun_normal(key4, (((side + 1) // 2) ** 2 * width, CLASSES)),
        }

    def apply(weights: Weights, x: jax.Array) -> jax.Array:
        def field(x: jax.Array) -> jax.Array:
            return _conv(jnp.tanh(_conv(x, weights["first"])), weights["second"])

        x = _conv(x, weights["stem"], stride=2)
        h = 1 / steps
        for _ in range(steps):
            k1 = field(x)
            k2 = field(x + h / 2 * k1)
            k3 = field(x + h / 2 * k2)
            k4 = field(x + h * k3)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return x.ravel() @ weights["head"]

    return init, apply


def _size(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]


def _he_kernels(
    key: jax.Array, widths: tuple[int, ...], window: tuple[int, ...] = ()
) -> list[jax.Array]:
    keys = jax.random.split(key, len(widths) - 1)
    return [
        he_normal(k, (*window, *between)) for k, between in zip(keys, pairwise(widths), strict=True)
    ]


def _conv(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Of one image (side, side, channels) with a kernel (height, width, in, out), zero-padded."""
    return jax.lax.conv_general_dilated(
        x[None], kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]
