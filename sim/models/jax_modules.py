"""Modules of libraries that draw weights and compute with JAX: Flax, Equinox, Haiku, stax."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sim.models.pairs import Pair, alone, fitting, modes

Make = Callable[[Any], Any]
"""From a key to a module; what needs no key ignores it."""


def plain(functions: tuple[Any, Any], shape: tuple[int, ...]) -> Pair:
    """A pair as it is; one of stax, whose `init(key, shape)` returns (shape, weights), adapted."""
    init, apply = functions
    needed = [x for x in inspect.signature(init).parameters.values() if x.default is x.empty]
    if len(needed) < 2 or needed[1].kind is needed[1].VAR_KEYWORD:
        return init, apply
    return lambda key: init(key, (1, *shape))[1], lambda weights, x: alone(apply(weights, x[None]))


def linen(make: Make, shape: tuple[int, ...]) -> Pair:
    """A module of Flax Linen, of a batch (1, side, side, channels)."""
    module = make(None)
    image, given = jnp.zeros((1, *shape)), modes(module.__call__)
    return (
        lambda key: module.init(key, image, **given),
        lambda variables, x: alone(module.apply(variables, x[None], **given)),
    )


def haiku(make: Make, shape: tuple[int, ...]) -> Pair:
    """A transformed function of Haiku, of a batch (1, side, side, channels)."""
    functions = make(None)
    image = jnp.zeros((1, *shape))
    if "state" not in inspect.signature(functions.apply).parameters:
        return (
            lambda key: functions.init(key, image),
            lambda weights, x: alone(functions.apply(weights, jax.random.key(0), x[None])),
        )
    return (
        lambda key: functions.init(key, image),
        lambda both, x: alone(functions.apply(*both, jax.random.key(0), x[None])[0]),
    )


def nnx(make: Make, shape: tuple[int, ...]) -> Pair:
    """A module of Flax NNX, of a batch (1, side, side, channels)."""
    library = importlib.import_module("flax.nnx")

    def tested(key: Any) -> Any:
        model = make(key)
        model.eval()
        return model

    skeleton = library.eval_shape(lambda: tested(jax.random.key(0)))
    structure, given = library.graphdef(skeleton), modes(skeleton.__call__)
    return (
        lambda key: library.state(tested(key)),
        # a copy may count its random numbers wherever jax maps or differentiates the function
        lambda state, x: alone(library.merge(structure, state, copy=True)(x[None], **given)),
    )


def equinox(make: Make, shape: tuple[int, ...]) -> Pair:
    """A module of Equinox, or one with its state (`make_with_state`).

    It sees one image (channels, side, side), or a vector if it takes nothing else.
    """
    library = importlib.import_module("equinox")

    def is_array(leaf: Any) -> bool:
        return library.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)

    def init(key: Any) -> list[Any]:
        return jax.tree.leaves(library.filter(make(key), library.is_array))

    # weights are leaves of this one skeleton: the factory may define its classes anew in each call
    skeleton = library.filter_eval_shape(make, jax.random.key(0))
    structure = jax.tree.structure(library.filter(skeleton, is_array))
    rest = library.nn.inference_mode(library.filter(skeleton, is_array, inverse=True))
    module = skeleton[0] if isinstance(skeleton, tuple) else skeleton
    given = modes(type(module).__call__)

    def apply(weights: list[Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        whole = library.combine(jax.tree.unflatten(structure, weights), rest)
        if isinstance(whole, tuple):
            return whole[0](layout(x), whole[1], **given)[0]
        return whole(layout(x), **given)

    return fitting(init, apply, [lambda x: jnp.moveaxis(x, -1, 0), jnp.ravel], shape)
