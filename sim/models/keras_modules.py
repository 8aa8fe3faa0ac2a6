"""Models of Keras 3 on its JAX backend, with weights that their own initializers draw.

Keras' initializers compute with JAX from integers, which Keras takes from Python's random numbers.
Here each of these integers is folded into the seed's key while the factory builds a model, so that
the same initializers are functions of the key. The input is a batch of one image (1, side, side,
channels), or of one vector where that fails; dropout is off and normalization uses its running
averages.
"""

import importlib
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

from sim.models.pairs import ModelError, Pair, alone, fitting

DRAWING = threading.RLock()
"""Keras' random numbers are those of a process."""


def adapted(make: Callable[[Any], Any], shape: tuple[int, ...]) -> Pair:
    """(init, apply) of the models that `make` builds for one input shape."""
    keras = importlib.import_module("keras")
    if keras.backend.backend() != "jax":
        raise ModelError(
            f"Keras computes with {keras.backend.backend()}: set KERAS_BACKEND=jax to measure it."
        )

    def built() -> Any:
        keras.utils.set_random_seed(0)
        model = make(None)
        if not model.built:
            model.build((None, *shape))
        return model

    model = built()
    is_drawn = [_is_weight(x) for x in model.non_trainable_variables]
    counters = [x.value for x in model.non_trainable_variables if not _is_weight(x)]
    names = list(_weights(model))

    def init(key: Any) -> dict[str, Any]:
        with DRAWING, _drawn_from(key):
            return _weights(built())

    def apply(weights: dict[str, Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        values = iter([weights[name].astype(_type(weights[name], x)) for name in names])
        trained = [next(values) for _ in model.trainable_variables]
        others = iter(counters)
        fixed = [next(values if drawn else others) for drawn in is_drawn]
        out, _ = model.stateless_call(trained, fixed, layout(x), training=False)
        return alone(out)

    layouts: list[Callable[[Any], Any]] = [lambda x: x[None], lambda x: jnp.ravel(x)[None]]
    return fitting(init, apply, layouts, shape)


def _is_weight(variable: Any) -> bool:
    return "seed_generator" not in variable.path


def _weights(model: Any) -> dict[str, Any]:
    """All weights, numbered: the paths of two models differ in numbers that Keras counts on."""
    parts = filter(_is_weight, [*model.trainable_variables, *model.non_trainable_variables])
    return {f"{i:04} {part.name}": jnp.asarray(part.value) for i, part in enumerate(parts)}


def _type(w: Any, x: Any) -> Any:
    """Weights of single precision are computed with in the input's."""
    return x.dtype if w.dtype == jnp.float32 else w.dtype


@contextmanager
def _drawn_from(key: Any) -> Generator[None]:
    """Lets Keras' random numbers follow from a key, which may be traced."""
    backend: Any = importlib.import_module("keras.src.backend.jax.random")
    plain = backend.jax_draw_seed

    def drawn(seed: Any) -> Any:
        if not isinstance(seed, int):
            return plain(seed)
        return jax.random.key_data(jax.random.fold_in(key, seed % 2**32))

    backend.jax_draw_seed = drawn
    try:
        yield
    finally:
        backend.jax_draw_seed = plain
