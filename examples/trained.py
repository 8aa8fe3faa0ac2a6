"""A network of Flax that learns scikit-learn's digits, and the file of its weights.

    python -m examples.trained digits.safetensors
    python -m sim.pretrained --model examples.trained:cnn --weights digits.safetensors --channels 1

It needs the extra `models`, and takes about half a minute.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.traverse_util import flatten_dict
from safetensors.flax import save_file

from sim.sampling import inputs

SIDE = 16
"""To which the digits of side 8 are enlarged in training."""

EPOCHS, BATCH, TRAINED = 15, 64, 1437


def cnn(shape: tuple[int, int, int]) -> Any:
    """Four convolutions and the mean over positions, so that images of any side can be read."""

    class Cnn(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            for features, stride in ((16, 1), (32, 2), (32, 1), (64, 2)):
                x = nn.relu(nn.Conv(features, (3, 3), strides=stride)(x))
            return nn.Dense(10)(x.mean(axis=(1, 2)))

    return Cnn()


def main(path: str) -> None:
    """Trains the network and writes its weights, which are called as Flax calls them."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    labels = digits.target
    xs, ys = inputs.images("digits", np.arange(len(labels)), SIDE, 1), jnp.asarray(labels)
    model, key = cnn((SIDE, SIDE, 1)), jax.random.key(0)
    weights = model.init(key, jnp.zeros((1, SIDE, SIDE, 1)))
    descent = optax.adam(3e-3)

    def loss(weights: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(weights, x), y).mean()

    @jax.jit
    def step(weights: Any, memory: Any, x: jax.Array, y: jax.Array) -> tuple[Any, Any]:
        updates, memory = descent.update(jax.grad(loss)(weights, x, y), memory)
        return optax.apply_updates(weights, updates), memory

    memory, draw = descent.init(weights), np.random.default_rng(0)
    for _ in range(EPOCHS):
        for some in draw.permutation(TRAINED)[: TRAINED // BATCH * BATCH].reshape(-1, BATCH):
            weights, memory = step(weights, memory, xs[some], ys[some])
    right = jnp.argmax(model.apply(weights, xs[TRAINED:]), axis=1) == ys[TRAINED:]
    save_file(flatten_dict(weights, sep="."), path)
    print(f"{path}: {float(right.mean()):.1%} of the other digits are right")


if __name__ == "__main__":
    main(sys.argv[1])
