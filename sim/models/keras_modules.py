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

    def is_weight(variable: Any) -> bool:
        return "seed_generator" not in variable.path

    def named(model: Any) -> dict[str, Any]:
        """All weights; the names of two models differ in numbers that Keras counts on."""
        parts = filter(is_weight, [*model.trainable_variables, *model.non_trainable_variables])
        return {f"{i:04} {part.name}": part.value for i, part in enumerate(parts)}

    def draw(seed: int) -> host.Arrays:
        with DRAWING:
            return {name: np.asarray(value) for name, value in named(built(seed)).items()}

    model = built(0)
    names, is_drawn = list(named(model)), [is_weight(x) for x in model.non_trainable_variables]
    counters = [x.value for x in model.non_trainable_variables if not is_weight(x)]

    def apply(weights: dict[str, Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        values = iter([weights[name] for name in names])
        trained = [next(values) for _ in model.trainable_variables]
        others = iter(counters)
        fixed = [next(values if drawn else others) for drawn in is_drawn]
        out, _ = model.stateless_call(trained, fixed, layout(x), training=False)
        return alone(out)

    layouts: list[Callable[[Any], Any]] = [lambda x: x[None], lambda x: jnp.ravel(x)[None]]
    return fitting(host.initializer(draw), apply, layouts, shape)
