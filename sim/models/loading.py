"""A user's own JAX model as a network: the factory that `--model package.module:factory` names.

The factory takes an input shape (side, side, channels) and returns one of

- a pair `(init, apply)` of pure functions: `init(key)` draws the weights, `apply(weights, x)` gives
  the logits (classes,) for one input x of that shape;
- a Flax Linen module.

A factory with a second argument, a key, draws weights itself and returns

- a Flax NNX module: `def factory(shape, key): return Net(rngs=nnx.Rngs(key))`;
- an Equinox module: `def factory(shape, key): return Net(key=key)`.

Flax modules see a batch of one image (1, side, side, channels); Equinox modules one image
(channels, side, side), or a vector if they take nothing else. Dropout is off and batch
normalization uses its running averages, as at test time.
"""

import hashlib
import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim.models import digest as digests
from sim.networks import layers
from sim.running import memory
from theory.network import Layer, Network, Shape, output_shape, serial

Pair = tuple[Callable[..., Any], Callable[..., Any]]
"""(init, apply) as above."""


class ModelError(ValueError):
    """A model that cannot be loaded or run; the message is one sentence."""


@dataclass(frozen=True, repr=False)
class Own(Layer):
    """A whole network as one layer, of which nothing is known but its factory."""

    name: str
    factory: Callable[..., Any] = field(repr=False)


def network(name: str, channels: int) -> Network:
    """The network that `package.module:factory` names, for images with so many channels.

    Modules are found in the current directory too. Raises ModelError if there is no such factory.
    """
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise ModelError(f"--model needs package.module:factory, not {name}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ModelError(f"cannot import {module_name}: {words(error)}.") from error
    factory = getattr(module, function_name, None)
    if not callable(factory):
        raise ModelError(f"{module_name} has no function {function_name}.")
    return Network(name, serial(Own(name, factory)), channels)


def words(error: Exception) -> str:
    """What went wrong, and where in the user's files if it is in one of them."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{_place(error)}{type(error).__name__}: {lines[0].rstrip('.')}"


def _place(error: Exception) -> str:
    """The innermost line of the traceback that is neither Python's, a library's nor our own."""
    found = [
        f"{Path(frame.filename).name}:{frame.lineno}: "
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not any(Path(frame.filename).is_relative_to(folder) for folder in _foreign())
    ]
    return found[-1] if found else ""


def _foreign() -> list[Path]:
    """Folders of what no user wrote for this program."""
    paths = sysconfig.get_paths()
    installed = [Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    loaded = [sys.modules.get(name) for name in ("jax", "flax", "equinox", "sim", "theory")]
    return installed + [Path(str(x.__file__)).parent for x in loaded if x is not None]


@lru_cache(maxsize=64)
def pair(model: Own, shape: tuple[int, ...]) -> Pair:
    """(init, apply) of a model at one input shape.

    Raises ModelError if the factory fails there, or returns what is no model.
    """
    try:
        if _takes_a_key(model.factory):
            return _drawing(model.factory, shape)
        # asked for first while something is being traced, arrays of the factory are no part of that
        with jax.ensure_compile_time_eval():
            return _adapted(model.factory(shape), shape)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{model.name} fails at the input shape {shape}: {words(error)}.") from (
            error
        )


def digest(model: Own, shape: tuple[int, ...]) -> str:
    """Of what a model computes at one input shape: its initializer, logits and input gradients."""
    init, apply = pair(model, shape)

    def gradient(key: Any, x: Any, cotangent: Any) -> Any:
        logits, back = jax.vjp(partial(apply, init(key)), x)
        return logits, back(cotangent)

    x = jnp.zeros(shape)
    logits = jax.eval_shape(lambda key: apply(init(key), x), jax.random.key(0))
    found = digests.of(gradient, jax.random.key(0), x, logits)
    # sizes of earlier runs shared weights of equal shape, whatever computed them
    return hashlib.sha256(f"shared by computation {found}".encode()).hexdigest()


def _takes_a_key(factory: Callable[..., Any]) -> bool:
    needed = [
        parameter
        for parameter in inspect.signature(factory).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) > 1


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value has a type of a library, which is loaded if it has."""
    library = sys.modules.get(module)
    return library is not None and isinstance(value, getattr(library, name))


def _adapted(model: Any, shape: tuple[int, ...]) -> Pair:
    if isinstance(model, tuple):
        if len(model) == 2 and all(map(callable, model)):
            return model[0], model[1]
    elif _is(model, "flax.linen", "Module"):
        image = jnp.zeros((1, *shape))
        return (
            lambda key: model.init(key, image),
            lambda variables, x: model.apply(variables, x[None])[0],
        )
    elif _is(model, "flax.nnx", "Module") or _is(model, "equinox", "Module"):
        raise ModelError(
            "the factory returns a module whose weights are drawn already: give it a second "
            "argument, a key, and draw them from that."
        )
    raise ModelError(
        f"the factory returns a {type(model).__name__}, which is neither a pair (init, apply) nor "
        "a module of Flax or Equinox."
    )


def _drawing(factory: Callable[..., Any], shape: tuple[int, ...]) -> Pair:
    """(init, apply) of a factory that takes a key."""
    kinds: list[Any] = []

    def make(key: Any) -> Any:
        model = factory(shape, key)
        kinds.append(model)
        return model

    jax.eval_shape(lambda key: [make(key), 0][1], jax.random.key(0))
    (model,) = kinds
    if _is(model, "flax.nnx", "Module"):
        return _nnx(lambda key: factory(shape, key))
    if _is(model, "equinox", "Module"):
        return _equinox(lambda key: factory(shape, key), shape)
    raise ModelError(
        f"the factory returns a {type(model).__name__} for a key, which is no module of Flax NNX "
        "or Equinox."
    )


def _nnx(make: Callable[[Any], Any]) -> Pair:
    nnx = importlib.import_module("flax.nnx")

    def tested(key: Any) -> Any:
        model = make(key)
        model.eval()
        return model

    structure = nnx.graphdef(nnx.eval_shape(lambda: tested(jax.random.key(0))))
    return (
        lambda key: nnx.state(tested(key)),
        # a copy may count its random numbers wherever jax maps or differentiates the function
        lambda state, x: nnx.merge(structure, state, copy=True)(x[None])[0],
    )


def _equinox(make: Callable[[Any], Any], shape: tuple[int, ...]) -> Pair:
    eqx = importlib.import_module("equinox")

    def is_array(leaf: Any) -> bool:
        return eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)

    def init(key: Any) -> list[Any]:
        return jax.tree.leaves(eqx.filter(make(key), eqx.is_array))

    # weights are leaves of this one skeleton: the factory may define its classes anew in each call
    skeleton = eqx.filter_eval_shape(make, jax.random.key(0))
    structure = jax.tree.structure(eqx.filter(skeleton, is_array))
    rest = eqx.nn.inference_mode(eqx.filter(skeleton, is_array, inverse=True))

    def apply(weights: list[Any], x: Any, layout: Callable[[Any], Any]) -> Any:
        return eqx.combine(jax.tree.unflatten(structure, weights), rest)(layout(x))

    layouts: list[Callable[[Any], Any]] = [lambda x: jnp.moveaxis(x, -1, 0), jnp.ravel]
    first: Exception | None = None
    for layout in layouts:
        chosen = lambda weights, x, layout=layout: apply(weights, x, layout)  # noqa: E731
        try:
            jax.eval_shape(chosen, jax.eval_shape(init, jax.random.key(0)), jnp.zeros(shape))
        except Exception as error:
            first = first or error
        else:
            return init, chosen
    assert first is not None
    raise first


@layers.init.register
def _(layer: Own, key: Key[Array, ""], shape: Shape, lazy: bool = False) -> layers.Weights:
    return pair(layer, shape)[0](key)


@layers.apply.register
def _(layer: Own, weights: layers.Weights, x: Float[Array, "..."]) -> Float[Array, "..."]:
    # losses and cotangents have the precision of the input, whatever the model computes with
    return pair(layer, x.shape)[1](weights, x).astype(x.dtype)


@output_shape.register
def _(layer: Own, shape: Shape) -> Shape:
    # a model computes with other types where jax has 64 bits
    return _logits(layer, shape, jax.dtypes.canonicalize_dtype(float))


@lru_cache(maxsize=64)
def _logits(layer: Own, shape: tuple[int, ...], real: Any) -> Shape:
    """The shape of the logits, which can be differentiated in the input."""
    init, apply = pair(layer, shape)
    x = jax.ShapeDtypeStruct(shape, real)
    try:
        weights = jax.eval_shape(init, jax.random.key(0))
        logits = jax.eval_shape(apply, weights, x)
    except Exception as error:
        raise ModelError(
            f"{layer.name} fails at the input shape {shape}: {words(error)}."
        ) from error
    found = getattr(logits, "shape", None)
    if found is None or len(found) != 1:
        what = "no array" if found is None else f"an array of shape {found}"
        raise ModelError(f"{layer.name} gives {what} for one input, not a vector of logits.")
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ModelError(f"{layer.name} gives logits of type {logits.dtype}, not real numbers.")
    try:
        jax.eval_shape(lambda w, x, v: jax.vjp(partial(apply, w), x)[1](v), weights, x, logits)
    except Exception as error:
        raise ModelError(
            f"{layer.name} has no input gradient at the input shape {shape}: {words(error)}."
        ) from error
    return found


@memory.numbers.register
def _(layer: Own, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    """Weights twice, and everything that one input's forward pass computes."""
    init, apply = pair(layer, shape)
    weights = jax.eval_shape(init, jax.random.key(0))
    computed = jax.make_jaxpr(apply)(weights, jnp.zeros(shape))
    outputs = sum(v.aval.size for e in computed.jaxpr.eqns for v in e.outvars)
    return 2 * sum(leaf.size for leaf in jax.tree.leaves(weights)) + outputs * inputs_per_seed
