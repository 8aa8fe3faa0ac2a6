"""Networks that read an image as a sequence, of patches or of rows, as public code writes them.

    python -m sim.scaling --model examples.sequences:vit_linen

Of 4×4 patches, in Flax Linen: `mlp_mixer`, `vit_linen`, `vit_he`, `fnet`, `linear_attention`. Of
rows: `row_rnn`, a recurrent network in plain jax, and `row_lstm`, Flax's long short-term memory.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from examples.models import CLASSES, Shape

PATCH, WIDTH, HIDDEN, HEADS, DEPTH = 4, 32, 64, 4, 2
"""Of the networks of patches: their side, channels, channels within MLPs, heads, blocks."""


def mlp_mixer(shape: Shape) -> Any:
    """The Linen code of the MLP-Mixer paper: MLPs over patches alternate with MLPs over channels.

    The head has Linen's default initializer; in the paper's code it is zero at first.
    """
    from flax import linen as nn

    class MLP(nn.Module):
        hidden: int

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            return nn.Dense(x.shape[-1])(nn.gelu(nn.Dense(self.hidden)(x)))

    class Mixer(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = _patches(x)
            for _ in range(DEPTH):
                y = nn.LayerNorm()(x).swapaxes(1, 2)
                x = x + MLP(WIDTH)(y).swapaxes(1, 2)
                x = x + MLP(HIDDEN)(nn.LayerNorm()(x))
            return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(axis=1))

    return Mixer()


def vit_linen(shape: Shape) -> Any:
    """A vision transformer like Google's in Linen: Glorot attention, a class token that is zero.

    The head has Linen's default initializer; in Google's code it is zero at first.
    """
    return _vit()


def vit_he(shape: Shape) -> Any:
    """The same with He initialization of queries, keys and values, and the mean over tokens."""
    return _vit(attention_init=jax.nn.initializers.he_normal(), class_token=False)


def _vit(
    attention_init: Callable[..., jax.Array] | None = None,
    class_token: bool = True,
) -> Any:
    from flax import linen as nn

    glorot = nn.initializers.xavier_uniform()
    dense = partial(nn.Dense, kernel_init=glorot, bias_init=nn.initializers.normal(1e-6))

    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            y = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(
                HEADS, kernel_init=attention_init or glorot, out_kernel_init=glorot
            )(y, y)
            y = nn.gelu(dense(HIDDEN)(nn.LayerNorm()(x)))
            return x + dense(WIDTH)(y)

    class ViT(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = _patches(x)
            if class_token:
                token = self.param("token", nn.initializers.zeros, (1, 1, WIDTH))
                x = jnp.concatenate([jnp.tile(token, (x.shape[0], 1, 1)), x], axis=1)
            x = x + _positions(self, x)
            for _ in range(DEPTH):
                x = Block()(x)
            x = nn.LayerNorm()(x)
            return nn.Dense(CLASSES)(x[:, 0] if class_token else x.mean(axis=1))

    return ViT()


def fnet(shape: Shape) -> Any:
    """FNet: the real part of a Fourier transform over tokens and channels instead of attention.

    Layer norms after the sums and kernels of standard deviation 0.02, as in Google's Linen code.
    """
    from flax import linen as nn

    dense = partial(nn.Dense, kernel_init=nn.initializers.normal(0.02))
    norm = partial(nn.LayerNorm, epsilon=1e-12)

    class FNet(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = _patches(x)
            x = norm()(x + _positions(self, x))
            for _ in range(DEPTH):
                x = norm()(x + jnp.fft.fft2(x, axes=(1, 2)).real)
                x = norm()(x + dense(WIDTH)(nn.gelu(dense(HIDDEN)(x))))
            return dense(CLASSES)(x.mean(axis=1))

    return FNet()


def linear_attention(shape: Shape) -> Any:
    """A transformer whose attention is linear, with squared ReLUs as features of queries and keys.

    Keys times values are summed over tokens before queries read them; no position embedding.
    """
    from flax import linen as nn

    class Attention(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            project = partial(nn.DenseGeneral, (HEADS, WIDTH // HEADS), use_bias=False)
            query, key = (jnp.square(nn.relu(project(name=name)(x))) for name in ("query", "key"))
            memory = jnp.einsum("bthk,bthv->bhkv", key, project(name="value")(x))
            total = jnp.einsum("bthk,bhk->bth", query, key.sum(axis=1))
            y = jnp.einsum("bthk,bhkv->bthv", query, memory) / (total[..., None] + 1e-6)
            return nn.DenseGeneral(WIDTH, axis=(-2, -1), name="out")(y)

    class Transformer(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = _patches(x)
            for _ in range(DEPTH):
                x = x + Attention()(nn.LayerNorm()(x))
                x = x + nn.Dense(WIDTH)(nn.gelu(nn.Dense(HIDDEN)(nn.LayerNorm()(x))))
            return nn.Dense(CLASSES)(nn.LayerNorm()(x).mean(axis=1))

    return Transformer()


def row_rnn(shape: Shape) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A pair: a tanh recurrent network over the rows of the image, written with `jax.lax.scan`.

    Normal weights of variance 1/fan-in, as in recurrent networks from scratch.
    """
    side, _, channels = shape
    width = 64

    def init(key: jax.Array) -> dict[str, jax.Array]:
        def normal(key: jax.Array, n: int, m: int) -> jax.Array:
            return jax.random.normal(key, (n, m)) / jnp.sqrt(n)

        key1, key2, key3 = jax.random.split(key, 3)
        return {
            "input": normal(key1, side * channels, width),
            "recurrent": normal(key2, width, width),
            "bias": jnp.zeros(width),
            "head": normal(key3, width, CLASSES),
        }

    def apply(weights: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        def step(state: jax.Array, row: jax.Array) -> tuple[jax.Array, None]:
            read = row @ weights["input"] + state @ weights["recurrent"]
            return jnp.tanh(read + weights["bias"]), None

        state, _ = jax.lax.scan(step, jnp.zeros(width), x.reshape(side, side * channels))
        return state @ weights["head"]

    return init, apply


def row_lstm(shape: Shape) -> Any:
    """Linen's `RNN` of an `OptimizedLSTMCell` over the rows of the image, a head on the last state.

    Linen's defaults: lecun_normal for what is read, orthogonal matrices for what recurs.
    """
    from flax import linen as nn

    class LSTM(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = x.reshape(*x.shape[:2], -1)
            x = nn.RNN(nn.OptimizedLSTMCell(64))(x)
            return nn.Dense(CLASSES)(x[:, -1])

    return LSTM()


def _patches(x: jax.Array) -> jax.Array:
    """Within a Linen module: (batch, side, side, channels) to (batch, tokens, WIDTH)."""
    from flax import linen as nn

    x = nn.Conv(WIDTH, (PATCH, PATCH), strides=PATCH, padding="VALID", name="patches")(x)
    return x.reshape(x.shape[0], -1, WIDTH)


def _positions(module: Any, x: jax.Array) -> jax.Array:
    """A learned position embedding of a Linen module, of standard deviation 0.02 at first."""
    return module.param("positions", jax.nn.initializers.normal(0.02), (1, *x.shape[1:]))
