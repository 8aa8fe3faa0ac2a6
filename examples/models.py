"""Models written as their libraries' own examples write them, for `python -m sim.scaling --model`.

    python -m sim.scaling --model examples.models:linen_cnn

`linen_cnn` is the CNN of Flax's MNIST example, `nnx_resnet` a residual network of Flax NNX,
`equinox_mlp` Equinox' own multilayer perceptron with its default initializer, `equinox_vit` the
vision transformer of Equinox' example, smaller. They need the extra `models`; `plain_mlp` needs
nothing but jax.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Shape = tuple[int, int, int]

CLASSES = 10


def plain_mlp(shape: Shape) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A pair of pure functions: two hidden layers of 128 ReLUs, He initialization."""
    side, _, channels = shape
    widths = (side * side * channels, 128, 128, CLASSES)

    def init(key: jax.Array) -> list[jax.Array]:
        keys = jax.random.split(key, len(widths) - 1)
        he = jax.nn.initializers.he_normal()
        return [he(k, (n, m)) for k, n, m in zip(keys, widths, widths[1:], strict=False)]

    def apply(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        x = x.ravel()
        for w in weights[:-1]:
            x = jax.nn.relu(x @ w)
        return x @ weights[-1]

    return init, apply


def linen_cnn(shape: Shape) -> Any:
    """Flax Linen: two convolutions with average pooling, then two dense layers."""
    from flax import linen as nn

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.Conv(features=32, kernel_size=(3, 3))(x)
            x = nn.relu(x)
            x = nn.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
            x = nn.Conv(features=64, kernel_size=(3, 3))(x)
            x = nn.relu(x)
            x = nn.avg_pool(x, window_shape=(2, 2), strides=(2, 2))
            x = x.reshape((x.shape[0], -1))
            x = nn.Dense(features=256)(x)
            x = nn.relu(x)
            return nn.Dense(features=CLASSES)(x)

    return CNN()


def nnx_resnet(shape: Shape, key: jax.Array) -> Any:
    """Flax NNX: a post-activation residual network with batch normalization."""
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, features_in: int, features: int, stride: int, rngs: nnx.Rngs) -> None:
            strides = (stride, stride)
            self.conv1 = nnx.Conv(
                features_in, features, (3, 3), strides=strides, use_bias=False, rngs=rngs
            )
            self.norm1 = nnx.BatchNorm(features, rngs=rngs)
            self.conv2 = nnx.Conv(features, features, (3, 3), use_bias=False, rngs=rngs)
            self.norm2 = nnx.BatchNorm(features, rngs=rngs)
            self.projection = (
                nnx.Conv(features_in, features, (1, 1), strides=strides, use_bias=False, rngs=rngs)
                if stride > 1 or features_in != features
                else None
            )

        def __call__(self, x: jax.Array) -> jax.Array:
            y = nnx.relu(self.norm1(self.conv1(x)))
            y = self.norm2(self.conv2(y))
            shortcut = x if self.projection is None else self.projection(x)
            return nnx.relu(y + shortcut)

    class ResNet(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            side, _, channels = shape
            self.stem = nnx.Conv(channels, 16, (3, 3), use_bias=False, rngs=rngs)
            self.norm = nnx.BatchNorm(16, rngs=rngs)
            self.block1 = Block(16, 16, 1, rngs)
            self.block2 = Block(16, 32, 2, rngs)
            self.block3 = Block(32, 32, 1, rngs)
            self.head = nnx.Linear((side // 2) ** 2 * 32, CLASSES, rngs=rngs)

        def __call__(self, x: jax.Array) -> jax.Array:
            x = nnx.relu(self.norm(self.stem(x)))
            x = self.block3(self.block2(self.block1(x)))
            return self.head(x.reshape(x.shape[0], -1))

    return ResNet(nnx.Rngs(key))


def equinox_mlp(shape: Shape, key: jax.Array) -> Any:
    """Equinox: its multilayer perceptron, uniform weights and biases by default."""
    import equinox as eqx

    side, _, channels = shape
    return eqx.nn.MLP(side * side * channels, CLASSES, width_size=128, depth=2, key=key)


def equinox_vit(shape: Shape, key: jax.Array) -> Any:
    """Equinox: a small vision transformer, 4×4 patches, a class token, two layers."""
    import equinox as eqx

    side, _, channels = shape
    patch, width, hidden, heads, depth = 4, 64, 128, 4, 2

    class Block(eqx.Module):
        norm1: eqx.nn.LayerNorm
        norm2: eqx.nn.LayerNorm
        attention: eqx.nn.MultiheadAttention
        linear1: eqx.nn.Linear
        linear2: eqx.nn.Linear

        def __init__(self, key: jax.Array) -> None:
            key1, key2, key3 = jax.random.split(key, 3)
            self.norm1 = eqx.nn.LayerNorm(width)
            self.norm2 = eqx.nn.LayerNorm(width)
            self.attention = eqx.nn.MultiheadAttention(heads, width, key=key1)
            self.linear1 = eqx.nn.Linear(width, hidden, key=key2)
            self.linear2 = eqx.nn.Linear(hidden, width, key=key3)

        def __call__(self, x: jax.Array) -> jax.Array:
            y = jax.vmap(self.norm1)(x)
            x = x + self.attention(y, y, y)
            y = jax.vmap(self.norm2)(x)
            y = jax.nn.gelu(jax.vmap(self.linear1)(y))
            return x + jax.vmap(self.linear2)(y)

    class ViT(eqx.Module):
        patches: eqx.nn.Linear
        positions: jax.Array
        token: jax.Array
        blocks: list[Block]
        norm: eqx.nn.LayerNorm
        head: eqx.nn.Linear

        def __init__(self, key: jax.Array) -> None:
            keys = jax.random.split(key, depth + 4)
            self.patches = eqx.nn.Linear(channels * patch**2, width, key=keys[0])
            self.positions = jax.random.normal(keys[1], ((side // patch) ** 2 + 1, width))
            self.token = jax.random.normal(keys[2], (1, width))
            self.blocks = [Block(k) for k in keys[4:]]
            self.norm = eqx.nn.LayerNorm(width)
            self.head = eqx.nn.Linear(width, CLASSES, key=keys[3])

        def __call__(self, x: jax.Array) -> jax.Array:
            x = x.reshape(channels, side // patch, patch, side // patch, patch)
            x = x.transpose(1, 3, 0, 2, 4).reshape(-1, channels * patch**2)
            x = jax.vmap(self.patches)(x)
            x = jnp.concatenate([self.token, x]) + self.positions
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x[0]))

    return ViT(key)
