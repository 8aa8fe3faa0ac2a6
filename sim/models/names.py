"""Models that libraries have by name: `torchvision:resnet18`, `keras:ResNet50`.

They are built with their library's own initialization. Weights are never downloaded. A model that
is made for one size of images is built for each side.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from sim.models.pairs import ModelError

Build = Callable[..., Any]

DOWNLOADS = ("pretrained", "weights", "weights_backbone", "checkpoint_path")
"""Arguments that ask for weights."""

SIDES = ("image_size", "img_size", "input_size")
"""Arguments that say the side of the images, or both."""


def factory(library: str, name: str, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of the input shape (side, side, channels) that builds a model.

    Args:
        library: One of `LIBRARIES`.
        name: Of the model there.
        arguments: What the model takes besides.

    Raises:
        ModelError: The library has no such model, or the arguments ask for weights.
    """
    for argument in DOWNLOADS:
        if arguments.get(argument):
            raise ModelError(f"weights are never downloaded: leave {argument} out.")
    built = LIBRARIES[library]

    def of_shape(shape: tuple[int, ...]) -> Any:
        return built(name, shape, {x: y for x, y in arguments.items() if x not in DOWNLOADS})

    return of_shape


def _sized(build: Build, side: int, arguments: dict[str, Any]) -> Any:
    """What `build` gives for images of that side, if it takes one."""
    for argument, value in zip(SIDES, (side, side, (side, side)), strict=True):
        try:
            return build(**{argument: value} | arguments)
        except TypeError as error:
            if f"'{argument}'" not in str(error):
                raise
    return build(**arguments)


def _torchvision(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> Any:
    models = importlib.import_module("torchvision.models")
    builder = models.get_model_builder(name)
    return _sized(lambda **given: builder(weights=None, **given), shape[0], arguments)


def _timm(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> Any:
    create, given = importlib.import_module("timm").create_model, {"in_chans": shape[2]} | arguments
    return _sized(lambda **more: create(name, pretrained=False, **more), shape[0], given)


def _transformers(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> Any:
    model: Any = getattr(importlib.import_module("transformers"), name, None)
    if getattr(model, "config_class", None) is None:
        raise ModelError(f"transformers has no model {name} with a configuration.")
    plain = model.config_class()
    unknown = [x for x in arguments if not hasattr(plain, x)]
    if unknown:
        raise ModelError(f"{type(plain).__name__} takes no {unknown[0]}.")
    given = {"image_size": shape[0], "num_channels": shape[2]}
    known = {x: y for x, y in given.items() if hasattr(plain, x)}
    return model(model.config_class(**known | arguments))


def _keras(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> Any:
    build = getattr(importlib.import_module("keras.applications"), name, None)
    if not callable(build):
        raise ModelError(f"keras.applications has no model {name}.")
    return build(**{"classifier_activation": None} | arguments, weights=None, input_shape=shape)


LIBRARIES: dict[str, Callable[[str, tuple[int, ...], dict[str, Any]], Any]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
    "keras": _keras,
}
"""What builds the models of each library."""
