"""Pairs (init, apply), and what modules of all libraries have in common."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

Pair = tuple[Callable[..., Any], Callable[..., Any]]
"""`init(key)` draws the weights; `apply(weights, x)` gives the logits (classes,) for one input."""

MODES = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "inference": True,
    "use_running_average": True,
}
"""Arguments of modules, and what they are at test time."""


class ModelError(ValueError):
    """A model that cannot be loaded or run; the message is one sentence."""


def modes(call: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that a module's call takes besides its input, as they are at test time.

    A key, or random number generators, that it needs are constant: there is no dropout.
    """
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(call).parameters.items():
        if name in MODES:
            found[name] = MODES[name]
        elif name in ("key", "rng") and parameter.default is parameter.empty:
            found[name] = jax.random.key(0)
    return found


def alone(out: Any) -> Any:
    """The outputs for the one input of a batch."""
    return jax.tree.map(lambda y: y[0] if y.ndim else y, out)


def fitting(
    init: Callable[..., Any],
    apply: Callable[[Any, Any, Any], Any],
    layouts: Sequence[Callable[[Any], Any]],
    shape: tuple[int, ...],
) -> Pair:
    """The pair with the first layout of the input that the module takes.

    Args:
        init: As of a pair.
        apply: Of weights, an input and a layout, which is a function of the input.
        layouts: In the order in which they are tried.
        shape: Of the input.

    Raises:
        Exception: The module takes none; what it says of the first.
    """
    weights = jax.eval_shape(init, jax.random.key(0))
    first: Exception | None = None
    for layout in layouts:
        chosen = lambda weights, x, layout=layout: apply(weights, x, layout)  # noqa: E731
        try:
            jax.eval_shape(chosen, weights, jnp.zeros(shape))
        except Exception as error:
            first = first or error
        else:
            return init, chosen
    assert first is not None
    raise first
