"""The measurement of a trained network: norms of its input gradients at every image and side."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from sim.models import loading, stored
from sim.models.pairs import ModelError
from sim.networks.gradients import norm
from sim.pretrained.configuration import Config, check
from sim.sampling import inputs
from sim.storage import attributes
from theory.network import output_shape

QUANTITIES = ("logit", "margin", "loss")
"""Gradients of the logit f_y of the class y that the network itself chooses, of its margin
m = f_y − log Σ_{k≠y} e^{f_k}, and of its cross-entropy L, for which ∂L = −(1 − p_y) ∂m."""

PICTURES = (".png", ".jpg", ".jpeg")


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> xr.Dataset:
    """Measure a trained network, and networks of the same architecture at initialization.

    Args:
        config: Which network, and at which images.
        advance: Called with 1 for each network that is measured at one side.

    Returns:
        A dataset with ‖∂_x‖_q of the trained network, `norm` by (image, size, quantity, q), and of
        the others, `initial` by (network, image, size, quantity, q); `residual`, 1 − p_y, and
        `label`, the class y, of the trained network by (image, size). `d` is a coordinate along
        size.

    Raises:
        ValueError: With one sentence: the configuration makes no sense, the model fails, or the
            weights are not its own.
    """
    check(config)
    found = stored.read(config.weights or "")
    network = loading.network(config.model or "", config.channels, config.model_args or ())
    (own,) = network.body.layers
    assert isinstance(own, loading.Own)
    sizes, ready = sorted(config.sizes), []
    for side in sizes:
        shape = network.input_shape(side)
        if output_shape(network.body, shape)[0] < 2:
            raise ModelError("one logit has no margin: the model needs two classes or more.")
        init, apply = loading.pair(own, shape)
        try:
            ready.append((apply, init, stored.weights(found, own, shape)))
        except ModelError as error:
            raise ModelError(f"at side {side}, {error}") from error
    trained, initial = [], []
    keys = [jax.random.fold_in(jax.random.key(config.seed), i) for i in range(config.networks)]
    for side, (apply, init, weights) in zip(sizes, ready, strict=True):
        xs = jnp.asarray(images(config, side))
        measure = jax.jit(partial(_measured, apply, tuple(map(float, config.norms))))
        trained.append(jax.tree.map(np.asarray, measure(weights, xs)))
        advance(1)
        others = []
        for key in keys:
            others.append(np.asarray(measure(init(key), xs)[0], float))
            advance(1)
        initial.append(np.stack(others))
    norms, residuals, labels = zip(*trained, strict=True)
    per_image = ("image", "size")
    variables = {
        "norm": ((*per_image, "quantity", "q"), np.stack(norms, axis=1).astype(float)),
        "initial": (("network", *per_image, "quantity", "q"), np.stack(initial, axis=2)),
        "residual": (per_image, np.stack(residuals, axis=1).astype(float)),
        "label": (per_image, np.stack(labels, axis=1)),
    }
    coords = {
        "size": ("size", sizes, {"long_name": "side of the image"}),
        "d": ("size", [config.channels * side**2 for side in sizes]),
        "quantity": list(QUANTITIES),
        "q": [str(q) for q in config.norms],
    }
    return xr.Dataset(variables, coords, attributes.encoded(asdict(config)))


def images(config: Config, side: int) -> Float[np.ndarray, "count side side channels"]:
    """The images at a side, each with mean 0 and mean square 1.

    Args:
        config: Which images.
        side: Of the square to which they are brought, by averages where they shrink and by copies
            where they grow.

    Raises:
        ValueError: The user's folder has too few pictures, or one that cannot be read.
    """
    if config.images is None:
        return inputs.images(config.input, np.arange(config.count), side, config.channels)
    names = sorted(
        path for path in Path(config.images).iterdir() if path.suffix.lower() in PICTURES
    )
    if len(names) < config.count:
        raise ValueError(
            f"{config.images} has {len(names)} pictures ({', '.join(PICTURES)}), fewer than "
            f"--count {config.count}."
        )
    squares = (_square(path, config.channels) for path in names[: config.count])
    return np.stack([inputs.prepared(square, side) for square in squares])


def _square(path: Path, channels: int) -> Float[np.ndarray, "s s channels"]:
    """The middle square of a picture."""
    from PIL import Image

    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, not {channels}.")
    try:
        with Image.open(path) as picture:
            whole = np.asarray(picture.convert("L" if channels == 1 else "RGB"), np.float32)
    except (OSError, SyntaxError) as error:  # what Pillow says of a file that is cut off
        raise ValueError(f"cannot read the picture {path}.") from error
    height, width = whole.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return whole[top : top + side, left : left + side].reshape(side, side, channels)


def _measured(
    apply: Callable[..., Any], norms: tuple[float, ...], weights: Any, xs: Float[Array, "n ..."]
) -> tuple[Array, Array, Array]:
    """Norms by (image, quantity, q), 1 − p_y and the class y, of one network."""

    def of_image(x: Array) -> tuple[Array, Array, Array]:
        logits, back = jax.vjp(lambda x: apply(weights, x).astype(x.dtype), x)
        label = jnp.argmax(logits)
        chosen = jax.nn.one_hot(label, len(logits))
        others = jax.nn.softmax(jnp.where(chosen > 0, -jnp.inf, logits))
        of_logit, of_margin = (
            jnp.stack([norm(back(v)[0], q) for q in norms]) for v in (chosen, chosen - others)
        )
        margin = logits[label] - jax.nn.logsumexp(jnp.where(chosen > 0, -jnp.inf, logits))
        residual = jax.nn.sigmoid(-margin)
        return jnp.stack([of_logit, of_margin, residual * of_margin]), residual, label

    return jax.lax.map(of_image, xs)
