"""The layers of `theory.network`, run by JAX: `init` draws their weights, `apply` applies them.

Everything here is for one network and one input; batches of seeds and inputs come from `vmap`.
"""

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim.convolution import convolve
from sim.lazy import LazyGaussian
from sim.weights import draw
from theory.geometry import PAD_MODE
from theory.initializers import is_gaussian
from theory.network import (
    GELU,
    AvgPool,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool,
    ReLU,
    Residual,
    Serial,
    Shape,
    SiLU,
    Tanh,
    output_shape,
    padding,
    weight_variance,
)

Weights = Any  # a pytree of arrays

# as one call instead of many small ones where weights are drawn outside of compiled functions
_fold_in = jax.jit(jax.random.fold_in)


@singledispatch
def init(layer: Layer, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    """Random weights of `layer` for an input of `shape`; () for layers without weights.

    The key of a layer inside a composite one is folded from its place there, never from a size.
    With `lazy`, Gaussian weights of dense layers are not formed, which is exact in law for one
    backward pass (see `sim.lazy`).
    """
    return ()


@init.register
def _(layer: Dense, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    variance = float(weight_variance(layer, shape))
    if lazy and is_gaussian(layer.init):
        return LazyGaussian(key, variance**0.5, layer.features)
    return draw(key, layer.init, shape[0], layer.features, variance)


@init.register
def _(layer: Conv, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    rows = layer.kernel**2 * shape[2]
    return draw(key, layer.init, rows, layer.channels, float(weight_variance(layer, shape)))


@init.register
def _(layer: Serial, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    weights = []
    for i, inner in enumerate(layer.layers):
        weights.append(init(inner, _fold_in(key, i), shape, lazy))
        shape = output_shape(inner, shape)
    return tuple(weights)


@init.register
def _(layer: Residual, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    return (
        init(layer.branch, _fold_in(key, 0), shape, lazy),
        init(layer.shortcut, _fold_in(key, 1), shape, lazy),
    )


@singledispatch
def apply(layer: Layer, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The output of `layer` for one input: a vector (n,) or an image (side, side, channels).

    Raises TypeError for a layer without a rule.
    """
    raise TypeError(f"sim.layers has no rule for {type(layer).__name__}.")


@apply.register
def _(layer: Dense, weights: Weights, x: Float[Array, " n"]) -> Float[Array, " m"]:
    return x @ weights


@apply.register
def _(layer: Conv, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, "r r m"]:
    if layer.kernel > 1:
        mode = "constant" if layer.border == "zero" else PAD_MODE[layer.border]
        x = jnp.pad(x, (padding(layer), padding(layer), (0, 0)), mode=mode)
    return convolve(x, weights, layer.stride, layer.dilation)


@apply.register
def _(layer: ReLU, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jax.nn.relu(x)


@apply.register
def _(layer: LeakyReLU, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.where(x > 0, x, float(layer.slope) * x)


@apply.register
def _(layer: Tanh, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.tanh(x)


@apply.register
def _(layer: Erf, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jax.lax.erf(x)


@apply.register
def _(layer: GELU, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jax.nn.gelu(x, approximate=False)


@apply.register
def _(layer: SiLU, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return jax.nn.silu(x)


@apply.register
def _(layer: Identity, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return x


def _windows(layer: AvgPool | MaxPool, x: Float[Array, "s s c"]) -> Float[Array, "r w r w c"]:
    side, channels, window = x.shape[0], x.shape[2], layer.window
    return x.reshape(side // window, window, side // window, window, channels)


@apply.register
def _(layer: AvgPool, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, "r r c"]:
    return _windows(layer, x).mean(axis=(1, 3))


@apply.register
def _(layer: MaxPool, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, "r r c"]:
    return _windows(layer, x).max(axis=(1, 3))


@apply.register
def _(layer: GlobalAvgPool, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, " c"]:
    return x.mean(axis=(0, 1))


@apply.register
def _(layer: GlobalMaxPool, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, " c"]:
    return x.max(axis=(0, 1))


@apply.register
def _(layer: Flatten, weights: Weights, x: Float[Array, "..."]) -> Float[Array, " n"]:
    return x.reshape(-1)


@apply.register
def _(layer: Serial, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    for inner, inner_weights in zip(layer.layers, weights, strict=True):
        x = apply(inner, inner_weights, x)
    return x


@apply.register
def _(layer: Residual, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return apply(layer.branch, weights[0], x) + apply(layer.shortcut, weights[1], x)
