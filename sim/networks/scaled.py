"""Networks whose activations or gradients leave the range of floating-point numbers on their way.

Two hundred layers that each halve their input bring it below the smallest float32, though the norm
of the gradient is a perfectly good number. Here the values of a layer come with an exponent, the
pair (x, e) standing for x · 2^e. After every layer of weights a power of two moves from x to e,
forwards and backwards: the cotangent of a pair is a pair as well, the derivative with respect to
the number that the pair stands for. Multiplying by powers of two rounds nothing, so where plain
arithmetic stays in its range the result is the same to the last bit.

Dense layers, convolutions, pools and (leaky) ReLUs commute with a positive factor. A residual sum
takes both ways at the larger exponent. Smooth activations read the number itself, up to `FAR`.
Networks with normalizations keep their values in range by themselves, and are run plainly.
"""

from functools import lru_cache, partial, singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import sympy as sp
from jaxtyping import Array, Float

from sim.networks.layers import Weights, apply, through
from sim.running.memory import leaves
from theory.activations import reference_gain, saturates
from theory.fans import fan_in, weight_variance
from theory.network import (
    Activation,
    Branching,
    Concat,
    Conv,
    Dense,
    Layer,
    Normalization,
    Residual,
    Serial,
    Shape,
    SmoothActivation,
    Weighted,
    output_shape,
    walk,
)

Pair = tuple[Float[Array, "..."], Float[Array, ""]]
"""Values x and a whole exponent e, which is a floating-point number because cotangents are."""

SPREAD = 2
"""Powers of two that a layer is expected to stay within, around its factor √(fan-in · Var(w))."""

LARGE_LOGITS = 4
"""Logits around 2^4 are as far as e^{−logits} is a good number for most networks."""

FAR = 60
"""Beyond 2^±60 a smooth activation is linear or constant to all digits of float64."""


@lru_cache(maxsize=1024)
def needed(body: Layer, shape: Shape, dtype: Any) -> bool:
    """Whether plain arithmetic might not do: numbers or their squares leave the range of `dtype`.

    That is so if |log2 √(fan-in · Var(w))| + `SPREAD`, added up over the layers of weights, comes
    near to the range of exponents, or if logits are expected to be so large that the softmax
    saturates. Networks with normalizations keep themselves in range.
    """
    if any(isinstance(layer, Normalization) for layer in walk(body)):
        return False
    bits = logits = 0.0
    for layer, at in leaves(body, shape):
        if isinstance(layer, Weighted):
            factor = fan_in(layer, at) * weight_variance(layer, at)
            growth = float(sp.log(factor)) / float(2 * sp.log(2))
            bits, logits = bits + abs(growth) + SPREAD, logits + growth
        elif isinstance(layer, Activation):
            logits = (
                min(logits, 0)
                if saturates(layer)
                else logits - float(sp.log(1 / reference_gain(layer), 4))
            )
    return bits > jnp.finfo(dtype).maxexp / 2 - 4 or logits > LARGE_LOGITS


def plain(layer: Layer, weights: Weights, pair: Pair) -> Pair:
    """What `forward` gives as long as no powers of two are moved."""
    return apply(layer, weights, pair[0]), pair[1]


@singledispatch
def forward(layer: Layer, weights: Weights, pair: Pair) -> Pair:
    """The output of `layer` for the input that `pair` stands for, as a pair."""
    return plain(layer, weights, pair)


@forward.register(Dense)
@forward.register(Conv)
def _(layer: Dense | Conv, weights: Weights, pair: Pair) -> Pair:
    return normalized(*plain(layer, weights, pair))


@forward.register
def _(layer: SmoothActivation, weights: Weights, pair: Pair) -> Pair:
    return _activated(layer, pair)


@forward.register
def _(layer: Serial, weights: Weights, pair: Pair) -> Pair:
    start = 0
    for count, block in _repetitions(layer.layers, pair[0].shape):
        end = start + count * len(block.layers)
        run = _repeated if count > 1 else _once
        pair = run(block, weights[start:end], pair)
        start = end
    return pair


@forward.register
def _(layer: Residual, weights: Weights, pair: Pair) -> Pair:
    return through(layer, weights, pair, forward, _fork, lambda _, *ends: _add(*ends))


@forward.register
def _(layer: Concat, weights: Weights, pair: Pair) -> Pair:
    def join(_: Branching, branch: Pair, shortcut: Pair) -> Pair:
        return _beside(shortcut[0].shape[-1], shortcut, branch)

    return through(layer, weights, pair, forward, _fork, join)


def _repetitions(layers: tuple[Layer, ...], shape: Shape) -> list[tuple[int, Serial]]:
    """The layers as blocks, with the number of times that each is there, one behind the other.

    A layer that is not part of a repetition of two layers that keep their shape is a block.
    """
    found, i = [], 0
    while i < len(layers):
        block, count = layers[i : i + 2], 1
        while layers[i + 2 * count : i + 2 * count + 2] == block:
            count += 1
        if count == 1 or output_shape(Serial(block), shape) != shape:
            block, count = block[:1], 1
        found.append((count, Serial(block)))
        shape = output_shape(Serial(block), shape)
        i += count * len(block)
    return found


def _once(block: Serial, weights: tuple[Weights, ...], pair: Pair) -> Pair:
    return through(block, weights, pair, forward)


def _repeated(block: Serial, weights: tuple[Weights, ...], pair: Pair) -> Pair:
    """The output of many equal blocks, which are compiled once."""
    by_place = [weights[i :: len(block.layers)] for i in range(len(block.layers))]
    stacked = tuple(jax.tree.map(lambda *parts: jnp.stack(parts), *same) for same in by_place)
    return jax.lax.scan(lambda pair, own: (_once(block, own, pair), None), pair, stacked)[0]


def power(e: Float[Array, "..."]) -> Float[Array, "..."]:
    """2^e, exact, for whole numbers e, cut off where its power leaves the range."""
    reach = jnp.finfo(e.dtype).maxexp - 2
    return jnp.ldexp(jnp.ones_like(e), jnp.clip(e, -reach, reach).astype(int))


@jax.custom_vjp
def normalized(x: Float[Array, "..."], e: Float[Array, ""]) -> Pair:
    """The same numbers, with max|x| in [1/2, 1) unless all are zero or some are not finite."""
    largest = jnp.max(jnp.abs(x))
    _, k = jnp.frexp(largest)
    k = jnp.where(jnp.isfinite(largest), k, 0).astype(e.dtype)
    return x * power(-k), e + k


def _aligned(one: Pair, other: Pair) -> tuple[Array, Array, Array]:
    """The values of two normalized pairs at the larger exponent of those that are not zero."""
    (x, e), (y, f) = one, other
    top = jnp.maximum(jnp.where(jnp.any(x != 0), e, f), jnp.where(jnp.any(y != 0), f, e))
    return x * power(e - top), y * power(f - top), top


def _sum(one: Pair, other: Pair) -> Pair:
    """The sum of two normalized pairs."""
    x, y, top = _aligned(one, other)
    return x + y, top


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _beside(count: int, one: Pair, other: Pair) -> Pair:
    """Two normalized pairs next to each other along the channels; the first has `count` of them."""
    x, y, top = _aligned(one, other)
    return jnp.concatenate([x, y], axis=-1), top


def _divided(count: int, _: None, pair: Pair) -> tuple[Pair, Pair]:
    g, e = pair
    return (g[..., :count], e), (g[..., count:], e)


@jax.custom_vjp
def _add(one: Pair, other: Pair) -> Pair:
    return _sum(one, other)


@jax.custom_vjp
def _fork(pair: Pair) -> tuple[Pair, Pair]:
    return pair, pair


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _activated(layer: SmoothActivation, pair: Pair) -> Pair:
    return _activate(layer, pair)[0]


def _activate(layer: SmoothActivation, pair: Pair) -> tuple[Pair, Array]:
    """The activation of a pair, and the numbers z at which it was taken."""
    x, e = pair
    near = jnp.clip(e, -FAR, FAR)
    z = x * power(near)
    far = jnp.minimum(e - near, 0) if saturates(layer) else e - near
    return (apply(layer, (), z), far), z


def _slopes(layer: SmoothActivation, z: Array, cotangent: Pair) -> tuple[Pair]:
    g, c = cotangent
    (before,) = jax.vjp(partial(apply, layer, ()), z)[1](g)
    return ((before, c),)


# the cotangent of a pair belongs to the number that it stands for: its exponent is its own
normalized.defvjp(lambda x, e: (normalized(x, e), None), lambda _, pair: normalized(*pair))
_add.defvjp(lambda one, other: (_sum(one, other), None), lambda _, pair: (pair, pair))
_fork.defvjp(lambda pair: ((pair, pair), None), lambda _, pairs: (_sum(*pairs),))
_beside.defvjp(lambda count, one, other: (_beside(count, one, other), None), _divided)
_activated.defvjp(_activate, _slopes)
