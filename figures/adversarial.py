"""One photograph at growing input dimension, and the change that exchanges two classes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.networks import layers
from sim.sampling import inputs
from sim.vulnerability import flips
from theory.architectures import mlp
from theory.network import Network

PHOTOGRAPH = 3
WIDTH, DEPTH = 64, 2


def draw(runs: Runs) -> Any:
    """Above the photograph, what is added, and both together; below its size against d."""
    sides = (8, 16) if runs.quick else (8, 16, 32, 64)
    seeds = 16 if runs.quick else 128
    network = mlp(width=WIDTH, depth=DEPTH)
    runs.used["adversarial"] = {
        "arch": "mlp", "width": WIDTH, "depth": DEPTH, "sizes": sides, "seeds": seeds,
        "input": "photo", "photograph": PHOTOGRAPH, "attack": "linf, one step, to the boundary",
    }  # fmt: skip
    figure = style.Picture(figsize=(style.PAGE, 6.6))
    rows: Any = figure.subfigures(2, 1, height_ratios=(2.3, 1))
    above, below = rows
    panels = above.subplots(3, len(sides))
    ds = [3 * side**2 for side in sides]
    medians: list[flips.Median] = []
    for column, side, d in zip(panels.T, sides, ds, strict=True):
        x = np.asarray(inputs.images("photo", np.array(PHOTOGRAPH), side, 3), np.float32)
        sizes, direction = _attacked(network, x, seeds)
        medians.append(flips.median(sizes))
        _column(column, x, medians[-1].value, direction)
        column[0].set_title(f"$d$ = {d}")
        column[1].set_title(rf"± $\epsilon$ = {medians[-1].value:.3f}", fontsize=8)
    for panel, name in zip(panels[:, 0], ("image", "change × 1/ε", "image + change"), strict=True):
        panel.set_ylabel(name)
    panel = below.subplots()
    law = [flips.law(d, "inf").median * d**0.5 for d in ds]
    values, ends = [m.value for m in medians], [m.interval for m in medians]
    style.points(panel, 0, ds, values, ends, label=f"measured, {seeds} networks")
    style.line(panel, 1, ds, law, label="law")
    style.logarithmic(panel, ds)
    style.plain_y(panel)
    panel.set_xlabel(r"input dimension $d$")
    panel.set_ylabel(r"$\epsilon$ that half of" "\nthe networks need")
    panel.legend(loc="lower left")
    figure.suptitle(
        f"every pixel ± ε along the gradient of a random mlp (width {WIDTH}, {DEPTH} hidden "
        "layers): ε exchanges classes 0 and 1\nof half of the networks, to first order; points: "
        "measured medians with 95 % intervals; line: predicted",
        fontsize="small",
    )
    return figure


def _attacked(network: Network, x: np.ndarray, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """First-order sizes of the attack on every network, and the signs of that on the first one."""

    def one(key: Any) -> tuple[Any, Any]:
        weights = layers.init(network.body, key, x.shape)

        def gap(image: Any) -> Any:
            logits = layers.apply(network.body, weights, image)
            return logits[0] - logits[1]

        value, gradient = jax.value_and_grad(gap)(jnp.asarray(x))
        return jnp.abs(value) / jnp.abs(gradient).sum(), -jnp.sign(value) * jnp.sign(gradient)

    keys = jax.random.split(jax.random.key(0), seeds)
    sizes = jax.lax.map(lambda key: one(key)[0], keys)
    return np.asarray(sizes, float), np.asarray(jax.jit(one)(keys[0])[1])


def _column(panels: Any, x: np.ndarray, size: float, direction: np.ndarray) -> None:
    low, high = float(x.min()), float(x.max())
    for panel, image in zip(panels, (x, None, x + size * direction), strict=True):
        shown = direction / 2 + 0.5 if image is None else (image - low) / (high - low)
        panel.imshow(np.clip(shown, 0, 1), interpolation="nearest")
        panel.set_xticks([])
        panel.set_yticks([])
