"""Models of Keras 3 on its JAX backend, with weights that their own initializers draw.

Their seeds come from Python's random numbers, so weights are drawn on the host, by a model that is
built anew for each seed. The input is a batch of one image (1, side, side, channels), or of one
vector where that fails; dropout is off and normalization uses its running averages.
"""

import importlib
import threading
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from sim.models import host
from sim.models.pairs import ModelError, Pair, alone, fitting

DRAWING = threading.Lock()
"""Keras' random numbers are those of a process."""

Variables = list[Any]


def adapted(make: Callable[[Any], Any], shape: tuple[int, ...]) -> Pair:
    """(init, apply) of the models that `make` builds for one input shape."""
    keras = importlib.import_module("keras")
    if keras.backend.backend() != "jax":
        raise ModelError(
            f"Keras computes with {keras.backend.backend()}: set KERAS_BACKEND=jax to measure it."
        )

    def built(seed: int) -> Any:
        keras.utils.set_random_seed(seed % 2**32)
        model = make(None)
        if not model.built:
            model.build((None, *shape))
        return model

    def draw(seed: int) -> host.Arrays:
        with DRAWING:
            return {f"{i:04} {v.path}": np.asarray(v.value) for i, v in numbered(built(seed))}

    def numbered(model: Any) -> Any:
        fixed = [v for v in model.non_trainable_variables if "seed_generator" not in v.path]
        return enumerate([*model.trainable_variables, *fixed])

    model = built(0)
    names = [f"{i:04} {v.path}" for i, v in numbered(model)]
    others = [v.value for v in model.non_trainable_variables if "seed_generator" in v.path]
    count = len(model.trainable_variables)

    def apply(weights: dict[str, Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        values = [weights[name] for name in names]
        out, _ = model.stateless_call(
            values[:count], values[count:] + others, layout(x), training=False
        )
        return alone(out)

    layouts: list[Callable[[Any], Any]] = [lambda x: x[None], lambda x: jnp.ravel(x)[None]]
    return fitting(host.initializer(draw), apply, layouts, shape)
