"""Simulations of training on data in a subspace, by gradient descent on dense networks."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from sim.networks import layers
from sim.statements.networks import compiled
from sim.statements.outcome import Outcome, Settings, of_exponent, of_mean
from theory import architectures
from theory.fans import weight_variance
from theory.network import Dense, Network, Serial, output_shape

PIXELS = 16
"""Of the images before their pixels are copied."""
IMAGES = 8
"""In the training set."""


@dataclass(frozen=True)
class Course:
    """A short training by gradient descent on the square loss, with labels ±1."""

    copies: int = 1
    """Of each pixel."""
    padding: int = 0
    """Further inputs, that are 0 in all images; without it the variance of weights is 2/d, with it
    2/(d − padding)."""
    widths: tuple[int, ...] = (32,)
    steps: int = 50
    rate: float = 0.2
    """Of each layer, in units of the variance of its weights."""
    activation: str = "relu"
    antisymmetric: bool = False
    """Whether the units of a single hidden layer come in pairs that cancel: f = 0 at first."""

    @property
    def d(self) -> int:
        """Inputs in all."""
        return PIXELS * self.copies + self.padding

    @property
    def network(self) -> Network:
        """Of one logit."""
        return architectures.mlp(
            self.widths, classes=1, channels=self.d, activation=self.activation
        )

    def enlarged(self, pixels: Float[Array, "*n pixels"]) -> Float[Array, "*n d"]:
        """Images with every pixel copied, and zeros behind."""
        copied = jnp.repeat(pixels, self.copies, axis=-1)
        return jnp.pad(copied, [(0, 0)] * (pixels.ndim - 1) + [(0, self.padding)])


@dataclass(frozen=True)
class Parts:
    """Norms of ∂f at a point of the data's subspace, by seed."""

    on: Any
    """‖P∂f‖_1, on the subspace."""
    off: Any
    """‖Q∂f‖_1, off it."""
    behind: Any
    """‖v‖_2, the gradient in the first pre-activations."""


def variances(network: Network) -> list[float]:
    """Of the weights of every layer; 0 of those that have none."""
    shape, found = network.input_shape(1), []
    for layer in network.body.layers:
        found.append(float(weight_variance(layer, shape)) if isinstance(layer, Dense) else 0.0)
        shape = output_shape(layer, shape)
    return found


def trained(course: Course, settings: Settings) -> tuple[Parts, Parts]:
    """Both parts of the gradient before and after training, at an image that is not trained on.

    Args:
        course: What is trained, and for how long.
        settings: How many networks, each on images and labels of its own, and their key.
    """
    net = course.network
    own = variances(net)
    own[1] *= course.d / (course.d - course.padding)

    def of_weights(weights: Any, x: Array) -> tuple[Array, Array, Array]:
        hidden = x @ weights[1]
        behind = Serial(net.body.layers[2:])
        v = jax.grad(lambda z: layers.apply(behind, weights[2:], z)[0])(hidden)
        slope = weights[1] @ v
        copies = slope[: course.d - course.padding].reshape(PIXELS, course.copies)
        on = course.enlarged(copies.mean(axis=1))
        return jnp.sum(jnp.abs(on)), jnp.sum(jnp.abs(slope - on)), jnp.linalg.norm(v)

    def one(key: Key[Array, ""]) -> Any:
        weights_key, image_key, label_key = jax.random.split(key, 3)
        weights = layers.init(net.body, weights_key, net.input_shape(1))
        if course.antisymmetric:
            half = weights[1].shape[1] // 2
            first = jnp.tile(weights[1][:, :half], 2)
            last = jnp.concatenate([weights[3][:half], -weights[3][:half]])
            weights = (weights[0], first, weights[2], last)
        if course.padding:
            scale = np.sqrt(course.d / (course.d - course.padding))
            weights = (weights[0], scale * weights[1], *weights[2:])
        images = course.enlarged(jax.random.normal(image_key, (IMAGES + 1, PIXELS)))
        labels = jax.random.rademacher(label_key, (IMAGES,), float)

        def loss(weights: Any) -> Array:
            f = jax.vmap(lambda x: layers.apply(net.body, weights, x)[0])(images[1:])
            return jnp.sum((f - labels) ** 2) / 2

        def step(weights: Any, _: None) -> tuple[Any, None]:
            slopes = jax.grad(loss)(weights)
            moved = [
                w - course.rate * variance * slope if variance else w
                for w, variance, slope in zip(weights, own, slopes, strict=True)
            ]
            return tuple(moved), None

        after, _ = jax.lax.scan(step, weights, length=course.steps)
        return of_weights(weights, images[0]), of_weights(after, images[0])

    keys = jax.random.split(jax.random.key(settings.seed), settings.seeds)
    found = compiled(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys)
    before, after = (Parts(*(np.asarray(x, float) for x in part)) for part in found)
    return before, after


def copied_pixels(settings: Settings) -> Outcome:
    """The part of the gradient off the data's subspace, over ‖v‖, after training."""
    course = Course(copies=4, widths=(32, 16))
    _, after = trained(course, settings)
    what = "E‖Q∂f‖₁/‖v‖₂ after training, d = 64, 16 pixels copied, mlp of widths 32, 16"
    alive = after.behind > 0
    ratio = after.off[alive] / after.behind[alive]
    return of_mean(what, 2 / np.sqrt(np.pi) * np.sqrt(course.d - PIXELS), ratio)


def dimension_gap(settings: Settings) -> Outcome:
    """The exponent of the gap in ‖Q∂f‖_1, by which an ℓ_∞ attack off the data is shorter."""
    gaps = [16, 64]
    norms = [trained(Course(padding=gap), settings)[1].off for gap in gaps]
    what = "exponent of the gap k in E‖Q∂f‖₁ after training, 16 of 16 + k inputs, k = 16 and 64"
    return of_exponent(what, 1, np.stack(norms, axis=1), gaps)


def a_tenth(settings: Settings) -> Settings:
    """Fewer seeds, of wide networks."""
    return replace(settings, seeds=max(2, settings.seeds // 10))


def lazy_training(settings: Settings) -> Outcome:
    """The exponent of the width in what antisymmetric networks learn off the data's subspace.

    A tenth of the seeds: these networks are wide.
    """
    widths, few = [128, 512], a_tenth(settings)
    courses = [Course(copies=4, widths=(n,), activation="tanh", antisymmetric=True) for n in widths]
    norms = [trained(course, few)[1].off for course in courses]
    what = "exponent of the width in E‖Q∂f‖₁ after training, tanh, f = 0 at first, 128 and 512"
    return of_exponent(what, -0.5, np.stack(norms, axis=1), widths)
