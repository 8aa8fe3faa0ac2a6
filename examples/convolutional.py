"""Convolutional networks as public code writes them, in Flax Linen, with few channels.

    python -m sim.scaling --model examples.convolutional:resnet18

`resnet18`, `squeeze_excite`, `mobilenet_v2`, `vgg`, `densenet_bc`, `convnext`, `group_norm` and
`unet_encoder` are families of the literature; `softmax_last` and `standardized_input` are the CNN
of tutorials, which ends in probabilities or begins with standardizing the image. Initializers are
those of the code that each resembles, batch normalization is that of evaluation.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from examples.models import CLASSES, Shape


def resnet18(shape: Shape) -> Any:
    """As in Flax's ImageNet example: basic blocks whose last batch norm has scale zero at first.

    Kernels have Linen's default, lecun_normal; 16 filters instead of 64.
    """
    from flax import linen as nn

    conv = partial(nn.Conv, use_bias=False)
    norm = partial(nn.BatchNorm, use_running_average=True, epsilon=1e-5)

    class Block(nn.Module):
        features: int
        stride: int

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            y = nn.relu(norm()(conv(self.features, (3, 3), strides=self.stride)(x)))
            y = conv(self.features, (3, 3))(y)
            y = norm(scale_init=nn.initializers.zeros)(y)
            if x.shape != y.shape:
                x = norm()(conv(self.features, (1, 1), strides=self.stride)(x))
            return nn.relu(x + y)

    class ResNet(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = conv(16, (7, 7), strides=2, padding=3)(x)
            x = nn.relu(norm()(x))
            x = nn.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
            for stage in range(4):
                x = Block(16 * 2**stage, stride=1 if stage == 0 else 2)(x)
                x = Block(16 * 2**stage, stride=1)(x)
            return nn.Dense(CLASSES)(x.mean(axis=(1, 2)))

    return ResNet()


def squeeze_excite(shape: Shape) -> Any:
    """Convolutions whose channels are scaled by a sigmoid of the channels' means, as in SENet."""
    from flax import linen as nn

    class SqueezeExcite(nn.Module):
        reduction: int = 4

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            features = x.shape[-1]
            scale = x.mean(axis=(1, 2))
            scale = nn.relu(nn.Dense(features // self.reduction)(scale))
            scale = nn.sigmoid(nn.Dense(features)(scale))
            return x * scale[:, None, None, :]

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            for features in (16, 32, 64):
                x = nn.relu(nn.Conv(features, (3, 3))(x))
                x = SqueezeExcite()(x)
                x = nn.avg_pool(x, (2, 2), strides=(2, 2))
            x = x.reshape(x.shape[0], -1)
            return nn.Dense(CLASSES)(nn.relu(nn.Dense(64)(x)))

    return CNN()


def mobilenet_v2(shape: Shape) -> Any:
    """Inverted residuals with depthwise convolutions and ReLU6, initialized as torchvision does.

    That is, He initialization by fan-out, and a head of standard deviation 0.01.
    """
    from flax import linen as nn

    he = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
    conv = partial(nn.Conv, use_bias=False, kernel_init=he)
    norm = partial(nn.BatchNorm, use_running_average=True, epsilon=1e-5)

    class InvertedResidual(nn.Module):
        features: int
        stride: int
        expansion: int

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            y, hidden = x, self.expansion * x.shape[-1]
            if self.expansion > 1:
                y = nn.relu6(norm()(conv(hidden, (1, 1))(y)))
            y = conv(hidden, (3, 3), strides=self.stride, feature_group_count=hidden)(y)
            y = nn.relu6(norm()(y))
            y = norm()(conv(self.features, (1, 1))(y))
            return x + y if x.shape == y.shape else y

    class MobileNetV2(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.relu6(norm()(conv(16, (3, 3), strides=2)(x)))
            for expansion, features, blocks, stride in (
                (1, 8, 1, 1),
                (6, 12, 2, 2),
                (6, 16, 2, 2),
                (6, 24, 1, 1),
            ):
                for i in range(blocks):
                    x = InvertedResidual(features, stride if i == 0 else 1, expansion)(x)
            x = nn.relu6(norm()(conv(64, (1, 1))(x)))
            return nn.Dense(CLASSES, kernel_init=nn.initializers.normal(0.01))(x.mean(axis=(1, 2)))

    return MobileNetV2()


def vgg(shape: Shape) -> Any:
    """3×3 convolutions with max pooling, then two hidden dense layers, all He-initialized."""
    from flax import linen as nn

    he = nn.initializers.he_normal()

    class VGG(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            for features, convolutions in ((16, 1), (32, 1), (64, 2)):
                for _ in range(convolutions):
                    x = nn.relu(nn.Conv(features, (3, 3), kernel_init=he)(x))
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = x.reshape(x.shape[0], -1)
            for _ in range(2):
                x = nn.relu(nn.Dense(64, kernel_init=he)(x))
            return nn.Dense(CLASSES, kernel_init=he)(x)

    return VGG()


def densenet_bc(shape: Shape) -> Any:
    """Concatenated layers with bottlenecks, and transitions that halve the channels: DenseNet-BC.

    He initialization of the convolutions, as in torchvision; growth rate 8.
    """
    from flax import linen as nn

    growth = 8
    conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.he_normal())

    class NormReluConv(nn.Module):
        features: int
        size: int

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.BatchNorm(use_running_average=True, epsilon=1e-5)(x)
            return conv(self.features, (self.size, self.size))(nn.relu(x))

    class DenseNet(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = conv(2 * growth, (3, 3))(x)
            for stage in range(3):
                if stage > 0:
                    x = NormReluConv(x.shape[-1] // 2, size=1)(x)
                    x = nn.avg_pool(x, (2, 2), strides=(2, 2))
                for _ in range(3):
                    y = NormReluConv(4 * growth, size=1)(x)
                    x = jnp.concatenate([x, NormReluConv(growth, size=3)(y)], axis=-1)
            x = nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-5)(x))
            return nn.Dense(CLASSES)(x.mean(axis=(1, 2)))

    return DenseNet()


def convnext(shape: Shape) -> Any:
    """Patches, then depthwise 7×7 convolutions and GELU MLPs whose outputs are scaled by 1e-6.

    Normal kernels of standard deviation 0.02 as in the paper's code; stages of 16, 32, 64 channels.
    """
    from flax import linen as nn

    init = nn.initializers.truncated_normal(0.02)
    conv = partial(nn.Conv, kernel_init=init)
    dense = partial(nn.Dense, kernel_init=init)
    norm = partial(nn.LayerNorm, epsilon=1e-6)

    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            features = x.shape[-1]
            y = norm()(conv(features, (7, 7), feature_group_count=features)(x))
            y = nn.gelu(dense(4 * features)(y), approximate=False)
            y = dense(features)(y)
            return x + self.param("scale", nn.initializers.constant(1e-6), (features,)) * y

    class ConvNeXt(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = norm()(conv(16, (4, 4), strides=4)(x))
            for stage, blocks in enumerate((1, 2, 1)):
                if stage > 0:
                    x = conv(16 * 2**stage, (2, 2), strides=2)(norm()(x))
                for _ in range(blocks):
                    x = Block()(x)
            return dense(CLASSES)(norm()(x.mean(axis=(1, 2))))

    return ConvNeXt()


def group_norm(shape: Shape) -> Any:
    """A residual network with group norms of 8 groups instead of batch norms, He-initialized."""
    from flax import linen as nn

    conv = partial(nn.Conv, use_bias=False, kernel_init=nn.initializers.he_normal())
    norm = partial(nn.GroupNorm, num_groups=8)

    class Block(nn.Module):
        features: int
        stride: int

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            y = nn.relu(norm()(conv(self.features, (3, 3), strides=self.stride)(x)))
            y = norm()(conv(self.features, (3, 3))(y))
            if x.shape != y.shape:
                x = norm()(conv(self.features, (1, 1), strides=self.stride)(x))
            return nn.relu(x + y)

    class ResNet(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = nn.relu(norm()(conv(16, (3, 3))(x)))
            for features, stride in ((16, 1), (32, 2), (64, 2)):
                x = Block(features, stride)(x)
            return nn.Dense(CLASSES)(x.mean(axis=(1, 2)))

    return ResNet()


def unet_encoder(shape: Shape) -> Any:
    """A U-Net as feature extractor: strided down, transposed convolutions up, skips concatenated.

    Linen's default initializers; the head reads the mean over positions.
    """
    from flax import linen as nn

    class UNet(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            skips = []
            for features in (8, 16):
                x = nn.relu(nn.Conv(features, (3, 3))(x))
                skips.append(x)
                x = nn.relu(nn.Conv(2 * features, (3, 3), strides=2)(x))
            x = nn.relu(nn.Conv(32, (3, 3))(x))
            for skip in reversed(skips):
                features = skip.shape[-1]
                x = nn.ConvTranspose(features, (2, 2), strides=(2, 2))(x)
                x = jnp.concatenate([skip, x], axis=-1)
                x = nn.relu(nn.Conv(features, (3, 3))(x))
            return nn.Dense(CLASSES)(x.mean(axis=(1, 2)))

    return UNet()


def softmax_last(shape: Shape) -> Any:
    """The CNN of Keras tutorials, Glorot-initialized, whose last layer gives probabilities."""
    from flax import linen as nn

    return _tutorial_cnn(after=nn.softmax)


def standardized_input(shape: Shape) -> Any:
    """The same CNN without softmax, of an image with mean 0 and standard deviation 1."""

    def standardized(x: jax.Array) -> jax.Array:
        every = (1, 2, 3)
        return (x - x.mean(every, keepdims=True)) / x.std(every, keepdims=True)

    return _tutorial_cnn(before=standardized)


def _same(x: jax.Array) -> jax.Array:
    return x


def _tutorial_cnn(
    before: Callable[[jax.Array], jax.Array] = _same,
    after: Callable[[jax.Array], jax.Array] = _same,
) -> Any:
    from flax import linen as nn

    glorot = nn.initializers.glorot_uniform()

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            x = before(x)
            for features in (16, 32):
                x = nn.relu(nn.Conv(features, (3, 3), kernel_init=glorot)(x))
                x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = x.reshape(x.shape[0], -1)
            return after(nn.Dense(CLASSES, kernel_init=glorot)(x))

    return CNN()
