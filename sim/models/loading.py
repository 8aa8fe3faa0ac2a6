"""A user's own model as a network: the factory that `--model package.module:factory` names.

The factory takes an input shape (side, side, channels), or nothing, and returns one of

- a pair `(init, apply)` of pure functions: `init(key)` draws the weights, `apply(weights, x)` gives
  the logits (classes,) for one input x of that shape; or a pair of stax;
- a module of PyTorch, of Keras 3 or of Flax Linen, or a transformed function of Haiku.

A factory with a second argument, a key, draws weights itself and returns

- a Flax NNX module: `def factory(shape, key): return Net(rngs=nnx.Rngs(key))`;
- an Equinox module, or one with its state: `def factory(shape, key): return Net(key=key)`.

Modules see a batch of one image (1, side, side, channels), those of PyTorch (1, channels, side,
side); Equinox modules one image (channels, side, side). Those of PyTorch, Keras and Equinox see a
vector if they take no image. Dropout is off and batch normalization uses its running averages, as
at test time. `KINDS` says how each kind becomes a pair.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from sim.models import digest as digests
from sim.models import factories, jax_modules, keras_modules, names, torch_modules
from sim.models.pairs import ModelError, Pair
from sim.networks import layers
from sim.running import memory
from theory import own
from theory.network import Layer, Network, Shape, output_shape, serial


@dataclass(frozen=True)
class Kind:
    """Modules of one library."""

    library: str
    name: str
    """Of their class."""
    is_drawn: bool
    """Whether its weights are drawn where it is built, by JAX: then a factory needs a key."""
    adapted: Callable[[Callable[[Any], Any], tuple[int, ...]], Pair]
    """From what builds a module to (init, apply), for an input shape."""


KINDS = (
    Kind("torch.nn", "Module", False, torch_modules.adapted),
    Kind("keras", "Layer", False, keras_modules.adapted),
    Kind("flax.linen", "Module", False, jax_modules.linen),
    Kind("haiku", "Transformed", False, jax_modules.haiku),
    Kind("haiku", "TransformedWithState", False, jax_modules.haiku),
    Kind("flax.nnx", "Module", True, jax_modules.nnx),
    Kind("equinox", "Module", True, jax_modules.equinox),
)


@dataclass(frozen=True, repr=False)
class Own(Layer):
    """A whole network as one layer, of which nothing is known but its factory."""

    name: str
    factory: Callable[..., Any] = field(repr=False)
    batch_statistics: bool = False
    """Whether batch normalization uses those of the inputs of a seed, as in training."""


def network(
    name: str, channels: int, arguments: Sequence[str] = (), batch_statistics: bool = False
) -> Network:
    """The network that `package.module:factory` names, for images with so many channels.

    Modules are found in the current directory too. Names of `sim.models.names.LIBRARIES` stand for
    their models.

    Args:
        name: As `--model` takes it.
        channels: Of the images.
        arguments: Of the factory, as `--model-args` takes them.
        batch_statistics: As `Own` has it.

    Raises:
        ValueError: There is no such factory, or it takes no such arguments.
    """
    given = factories.arguments(arguments)
    os.environ.setdefault("KERAS_BACKEND", "jax")  # as Keras asks when it is imported
    library, _, of_library = name.partition(":")
    if library in names.LIBRARIES and of_library:
        own.imported(library)
        factory = names.factory(library, of_library, given)
    else:
        factory = own.loaded("--model", name, "factory")
        if not callable(factory):
            raise ModelError(f"--model needs a function, and {name} is none.")
        factory = partial(factory, **given) if given else factory
    return Network(name, serial(Own(name, factory, batch_statistics)), channels)


@lru_cache(maxsize=64)
def pair(model: Own, shape: tuple[int, ...]) -> Pair:
    """(init, apply) of a model at one input shape.

    Raises ModelError if the factory fails there, or returns what is no model.
    """
    try:
        # asked for first while something is being traced, arrays of the factory are no part of that
        with jax.ensure_compile_time_eval():
            return _pair(model, shape)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{model.name} fails at the input shape {shape}: {own.words(error)}."
        ) from (error)


def _of_one(model: Own, shape: tuple[int, ...]) -> Pair:
    """(init, apply) of a model whose one input is all that there is."""
    init, apply = pair(model, shape)
    if not model.batch_statistics:
        return init, apply
    batch = jax.vmap(apply, (None, 0), axis_name=layers.INPUTS)
    return init, lambda weights, x: jax.tree.map(lambda y: y[0], batch(weights, x[None]))


def digest(model: Own, shape: tuple[int, ...]) -> str:
    """Of what a model computes at one input shape: its initializer, logits and input gradients."""
    init, apply = _of_one(model, shape)

    def gradient(key: Any, x: Any, cotangent: Any) -> Any:
        logits, back = jax.vjp(partial(apply, init(key)), x)
        return logits, back(cotangent)

    x = jnp.zeros(shape)
    logits = jax.eval_shape(lambda key: apply(init(key), x), jax.random.key(0))
    found = digests.of(gradient, jax.random.key(0), x, logits)
    # sizes of earlier runs shared weights of equal shape, whatever computed them
    return hashlib.sha256(f"shared by computation {found}".encode()).hexdigest()


def _pair(model: Own, shape: tuple[int, ...]) -> Pair:
    make, takes_key = factories.bound(model.factory, shape)
    found: list[Any] = []

    def once(key: Any) -> int:
        found.append(make(key))
        return 0

    if takes_key:
        jax.eval_shape(once, jax.random.key(0))
    else:
        once(None)
    (returned,) = found
    is_pair = isinstance(returned, tuple) and len(returned) == 2
    for kind in KINDS:
        # with its state, in Equinox
        module = returned[0] if is_pair and kind.is_drawn else returned
        if not _is(module, kind.library, kind.name):
            continue
        if kind.is_drawn and not takes_key:
            raise ModelError(
                "the factory returns a module whose weights are drawn already: give it a second "
                "argument, a key, and draw them from that."
            )
        if takes_key and not kind.is_drawn:
            raise ModelError(
                "the factory takes a key, which its module does not need: leave it out."
            )
        if not model.batch_statistics:
            return kind.adapted(make, shape)
        if kind.library == "torch.nn":
            return torch_modules.adapted(make, shape, batch_statistics=True)
    if model.batch_statistics:
        raise ModelError("--batch-statistics are for modules of PyTorch.")
    if is_pair and not takes_key and all(map(callable, returned)):
        return jax_modules.plain(returned, shape)
    what = " for a key" if takes_key else ""
    raise ModelError(
        f"the factory returns a {type(returned).__name__}{what}, which is neither a pair "
        "(init, apply) nor a module of PyTorch, Keras, Flax, Equinox or Haiku."
    )


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value has a type of a library, which is loaded if it has."""
    library = sys.modules.get(module)
    return library is not None and isinstance(value, getattr(library, name))


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
    init, apply = _of_one(layer, shape)
    x = jax.ShapeDtypeStruct(shape, real)
    try:
        weights = jax.eval_shape(init, jax.random.key(0))
        logits = jax.eval_shape(apply, weights, x)
    except Exception as error:
        raise ModelError(
            f"{layer.name} fails at the input shape {shape}: {own.words(error)}."
        ) from error
    found = getattr(logits, "shape", None)
    if found is None:
        what = f"a {type(logits).__name__} of {len(jax.tree.leaves(logits))} arrays"
        raise ModelError(
            f"{layer.name} gives {what} for one input, not a vector of logits: let it return the "
            "logits alone."
        )
    if len(found) != 1:
        what = f"an array of shape {found}" if found else "one number"
        raise ModelError(
            f"{layer.name} gives {what} for one input, not a vector of logits: let it return one "
            "axis of classes, if only of one class."
        )
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ModelError(f"{layer.name} gives logits of type {logits.dtype}, not real numbers.")
    try:
        jax.eval_shape(lambda w, x, v: jax.vjp(partial(apply, w), x)[1](v), weights, x, logits)
    except Exception as error:
        raise ModelError(
            f"{layer.name} has no input gradient at the input shape {shape}: {own.words(error)}."
        ) from error
    return found


@memory.numbers.register
def _(layer: Own, shape: Shape, inputs_per_seed: int, lazy: bool = False) -> int:
    """Weights twice, and everything that one input's forward pass computes."""
    init, apply = _of_one(layer, shape)
    weights = jax.eval_shape(init, jax.random.key(0))
    computed = jax.make_jaxpr(apply)(weights, jnp.zeros(shape))
    outputs = sum(v.aval.size for e in computed.jaxpr.eqns for v in e.outvars)
    return 2 * sum(leaf.size for leaf in jax.tree.leaves(weights)) + outputs * inputs_per_seed
