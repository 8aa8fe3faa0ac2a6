"""The layers of `theory.network`, run by JAX: `init` draws their weights, `apply` applies them.

Everything here is for one network and one input; batches of seeds and inputs come from `vmap`.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim.networks.convolution import convolve
from sim.networks.unformed import LazyGaussian
from sim.networks.weights import draw
from theory import initializers
from theory.fans import fan_in, weight_variance
from theory.geometry import PAD_MODE
from theory.initializers import is_gaussian
from theory.network import (
    GELU,
    AvgPool,
    BatchNorm,
    Branching,
    Concat,
    Conv,
    Dense,
    Erf,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Layer,
    LayerNorm,
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
)
from theory.tokens import (
    ClassToken,
    FirstToken,
    MixPositions,
    Patches,
    PositionEmbedding,
    SelfAttention,
)

Weights = Any  # a pytree of arrays

INPUTS = "inputs"
"""The axis of `jax.vmap` over the inputs of a seed, which batch norm takes its statistics over."""

# as one call instead of many small ones where weights are drawn outside of compiled functions
_fold_in = jax.jit(jax.random.fold_in)


@singledispatch
def init(layer: Layer, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    """Draws the weights of `layer` for an input of `shape`: () if it has none.

    The key of a layer inside a composite one is folded from its place there, never from a size.
    With `lazy`, Gaussian weights of dense layers are not formed, which is exact in law for one
    backward pass (see `sim.networks.unformed`).
    """
    return ()


@init.register
def _(layer: Dense, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    variance = float(weight_variance(layer, shape))
    if lazy and is_gaussian(layer.init) and len(shape) == 1:
        return LazyGaussian(key, variance**0.5, layer.features)
    return draw(key, layer.init, shape[-1], layer.features, variance)


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
def _(layer: MixPositions, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    return draw(key, layer.init, shape[0], shape[0], float(weight_variance(layer, shape)))


@init.register
def _(layer: PositionEmbedding, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    return _table(layer, key, shape[0], shape)


@init.register
def _(layer: ClassToken, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    return _table(layer, key, 1, shape)


def _table(
    layer: PositionEmbedding | ClassToken, key: Key[Array, ""], rows: int, shape: Shape
) -> Float[Array, "rows features"]:
    variance = initializers.variance(layer.init, fan_in(layer, shape), shape[1], shape[1])
    return draw(key, layer.init, rows, shape[1], float(variance))


@init.register
def _(layer: SelfAttention, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    c = shape[1]
    variance = float(initializers.variance(layer.init, c, c, c))
    return tuple(draw(_fold_in(key, i), layer.init, c, c, variance) for i in range(4))


@init.register
def _(layer: Branching, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> Weights:
    return (
        init(layer.branch, _fold_in(key, 0), shape, lazy),
        init(layer.shortcut, _fold_in(key, 1), shape, lazy),
    )


@singledispatch
def apply(layer: Layer, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """The output of `layer` for one input, a vector, a sequence or an image.

    Batch norm needs the inputs of a batch mapped by `jax.vmap` with `axis_name` `INPUTS`.

    Raises TypeError for a layer without a rule.
    """
    raise TypeError(f"sim.networks.layers has no rule for {type(layer).__name__}.")


@apply.register
def _(layer: Dense, weights: Weights, x: Float[Array, "*p n"]) -> Float[Array, "*p m"]:
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


def normalized(
    x: Float[Array, "..."], mean: Array, variance: Array, epsilon: float
) -> Float[Array, "..."]:
    """(x − mean) / √(variance + epsilon)."""
    return (x - mean) * jax.lax.rsqrt(variance + epsilon)


@apply.register
def _(layer: LayerNorm, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return normalized(x, mean, variance, layer.epsilon)


@apply.register
def _(layer: BatchNorm, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    def over_batch(values: Array) -> Array:
        return jax.lax.pmean(values.mean(axis=tuple(range(values.ndim - 1))), INPUTS)

    mean = over_batch(x)
    return normalized(x, mean, over_batch((x - mean) ** 2), layer.epsilon)


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
def _(layer: GlobalAvgPool, weights: Weights, x: Float[Array, "*p c"]) -> Float[Array, " c"]:
    return x.mean(axis=tuple(range(x.ndim - 1)))


@apply.register
def _(layer: GlobalMaxPool, weights: Weights, x: Float[Array, "*p c"]) -> Float[Array, " c"]:
    return x.max(axis=tuple(range(x.ndim - 1)))


@apply.register
def _(layer: Flatten, weights: Weights, x: Float[Array, "..."]) -> Float[Array, " n"]:
    return x.reshape(-1)


@apply.register(Serial)
@apply.register(Branching)
def _(layer: Serial | Branching, weights: Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    return through(layer, weights, x, apply)


@singledispatch
def join(
    layer: Branching, branch: Float[Array, "..."], shortcut: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The output of a layer with two ways, from what their ends give."""
    raise TypeError(f"sim.networks.layers has no rule for {type(layer).__name__}.")


@join.register
def _(layer: Residual, branch: Array, shortcut: Array) -> Array:
    return branch + shortcut


@join.register
def _(layer: Concat, branch: Array, shortcut: Array) -> Array:
    return jnp.concatenate([shortcut, branch], axis=-1)


def through(
    layer: Serial | Branching,
    weights: Weights,
    x: Any,
    step: Callable[[Layer, Weights, Any], Any],
    fork: Callable[[Any], tuple[Any, Any]] = lambda x: (x, x),
    join: Callable[[Branching, Any, Any], Any] = join,
) -> Any:
    """The output of a layer that is made of others: the one walk through a description.

    Args:
        layer: The layer that is made of others.
        weights: Of `layer`, as `init` gives them.
        x: Its input. What goes from layer to layer need not be an array: `step` decides.
        step: Gives the output of one layer inside, from the layer, its weights and its input. For
            one that is again made of others it may go on with `through`, as `apply` does, or not.
        fork: Gives the inputs of the branch and of the shortcut.
        join: Gives the output of a layer with two ways, from what their ends give.
    """
    if isinstance(layer, Serial):
        for i, (inner, own) in enumerate(zip(layer.layers, weights, strict=True)):
            with jax.named_scope(f"{i}:{type(inner).__name__}"):
                x = step(inner, own, x)
        return x
    of_branch, of_shortcut = fork(x)
    with jax.named_scope("branch"):
        branch = step(layer.branch, weights[0], of_branch)
    with jax.named_scope("shortcut"):
        shortcut = step(layer.shortcut, weights[1], of_shortcut)
    return join(layer, branch, shortcut)


@apply.register
def _(layer: Patches, weights: Weights, x: Float[Array, "s s c"]) -> Float[Array, "n ppc"]:
    along, channels = layer.per_side(x.shape), x.shape[2]
    size = x.shape[0] // along
    cut = x.reshape(along, size, along, size, channels).swapaxes(1, 2)
    return cut.reshape(along**2, size**2 * channels)


@apply.register
def _(layer: MixPositions, weights: Weights, x: Float[Array, "n c"]) -> Float[Array, "n c"]:
    return weights.T @ x


@apply.register
def _(layer: PositionEmbedding, weights: Weights, x: Float[Array, "n c"]) -> Float[Array, "n c"]:
    return x + weights


@apply.register
def _(layer: ClassToken, weights: Weights, x: Float[Array, "n c"]) -> Float[Array, "m c"]:
    return jnp.concatenate([weights, x])


@apply.register
def _(layer: FirstToken, weights: Weights, x: Float[Array, "n c"]) -> Float[Array, " c"]:
    return x[0]


@apply.register
def _(layer: SelfAttention, weights: Weights, x: Float[Array, "n c"]) -> Float[Array, "n c"]:
    queries, keys, values = (
        (x @ matrix).reshape(len(x), layer.heads, -1).swapaxes(0, 1) for matrix in weights[:3]
    )
    scores = queries @ keys.swapaxes(1, 2) / queries.shape[2] ** 0.5
    mixed = jax.nn.softmax(scores, axis=-1) @ values
    return mixed.swapaxes(0, 1).reshape(x.shape) @ weights[3]
