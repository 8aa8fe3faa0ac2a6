"""How a factory is called: with the shape of the input, with a key, with both, or with nothing."""

import importlib
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

from sim.models.pairs import ModelError

ROLES = {"shape": "shape", "input_shape": "shape", "key": "key", "rng": "key", "rngs": "rngs"}
"""What arguments of these names are given; "rngs" are the random number generators of Flax NNX."""


def arguments(words: Sequence[str]) -> dict[str, Any]:
    """Arguments from `name=value` words, or from one object of JSON.

    Values are JSON, and what is none is text.

    Raises:
        ModelError: Words that are neither.
    """
    if len(words) == 1 and words[0].startswith("{"):
        try:
            return json.loads(words[0])
        except ValueError as error:
            raise ModelError(f"--model-args is no JSON: {error}.") from error
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name.isidentifier()):
            raise ModelError(f"--model-args needs name=value, not {word}.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def bound(factory: Callable[..., Any], shape: tuple[int, ...]) -> tuple[Callable[[Any], Any], bool]:
    """A factory as a function of a key, and whether it needs the key.

    Of arguments without a default and with another name than those of `ROLES` the first is given
    the input shape, unless one is named for it, and the next one a key.
    """
    try:
        signature = inspect.signature(factory)
    except ValueError:  # of what is not written in Python nothing is known
        return lambda key: factory(shape), False
    roles: dict[str, str] = {}
    wanted = ["key"] if "shape" in map(ROLES.get, signature.parameters) else ["shape", "key"]
    for name, parameter in signature.parameters.items():
        is_needed = parameter.default is parameter.empty
        if parameter.kind is parameter.VAR_POSITIONAL:
            roles |= {} if roles else {name: "shapes"}
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif name in ROLES and (is_needed or ROLES[name] == "shape"):
            roles[name] = ROLES[name]
        elif is_needed:
            roles[name] = wanted.pop(0) if wanted else "key"

    def value(role: str, key: Any) -> Any:
        if role == "rngs":
            return importlib.import_module("flax.nnx").Rngs(key)
        return {"shape": shape, "shapes": (shape,), "key": key}[role]

    def make(key: Any) -> Any:
        given: Any = {name: value(role, key) for name, role in roles.items()}
        call = inspect.BoundArguments(signature, given)
        return factory(*call.args, **call.kwargs)

    return make, not {"key", "rngs"}.isdisjoint(roles.values())
