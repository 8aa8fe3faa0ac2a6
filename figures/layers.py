"""A coordinate check: the gradient at every layer against d, measured and predicted."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.networks import layers
from sim.statistics import estimates
from theory.architectures import cnn, mlp
from theory.initializers import Scheme
from theory.laws import energy
from theory.network import Network, Weighted, output_shape, serial

NETWORKS = {
    "mlp, He": mlp(width=64, depth=3),
    "mlp, std 0.02": mlp(width=64, depth=3, init=Scheme("constant")),
    "cnn, He": cnn(width=16, depth=3),
}


def draw(runs: Runs) -> Any:
    """√(E‖∂f_k/∂h‖₂² / n) of the n inputs h of every layer with weights, a panel a network."""
    sides = (8, 16) if runs.quick else (8, 16, 32, 64)
    seeds = 32 if runs.quick else 256
    runs.used["layers"] = {
        "networks": list(NETWORKS), "sizes": sides, "seeds": seeds, "input": "gaussian",
    }  # fmt: skip
    figure, (panels,) = style.panels(1, len(NETWORKS), style.PAGE + 0.6, 3.1)
    ds = [3 * side**2 for side in sides]
    ends: dict[Any, list[style.End]] = {}
    for panel, (title, network) in zip(panels, NETWORKS.items(), strict=True):
        measured = [_measured(network, side, seeds) for side in sides]
        predicted = np.array([_predicted(network, side) for side in sides])
        names = ["input", *(f"layer {i + 2}" for i in range(predicted.shape[1] - 1))]
        for i, name in enumerate(names):
            found = [_root(at[i]) for at in measured]
            beside = np.array(ds) * 1.04 ** (i - 1)
            style.points(panel, i, beside, [x[0] for x in found], [x[1] for x in found])
            style.line(panel, i, ds, predicted[:, i])
            ends.setdefault(panel, []).append(style.End(i, 1.12 * ds[-1], found[-1][0], name))
        style.logarithmic(panel, ds)
        style.plain_y(panel)
        panel.set_title(title)
        panel.set_xlabel(r"input dimension $d$")
    panels[0].set_ylabel(r"$\sqrt{\mathbb{E}\,\|\partial f_k/\partial h\|_2^2\,/\,n}$")
    figure.suptitle(
        "size of one coordinate of the gradient, in front of every layer with weights; points: "
        f"measured\nover {seeds} networks with 95 % intervals; lines: predicted by energy gains",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, labels in ends.items():
        style.label_ends(panel, labels)
    return figure


def _places(network: Network) -> list[int]:
    """The numbers of the layers in front of which the gradient is taken."""
    return [i for i, layer in enumerate(network.body.layers) if isinstance(layer, Weighted)]


def _predicted(network: Network, side: int) -> list[float]:
    """The product of the energy gains behind every place, over its number of coordinates."""
    shape, gains, numbers = network.input_shape(side), [], []
    for layer in network.body.layers:
        gains.append(float(energy.gain(layer, shape)))
        numbers.append(float(np.prod([int(n) for n in shape])))
        shape = output_shape(layer, shape)
    return [float(np.prod(gains[i:]) / numbers[i]) ** 0.5 for i in _places(network)]


def _measured(network: Network, side: int, seeds: int) -> list[np.ndarray]:
    """‖∂f_k/∂h‖₂² / n of every place, by seed."""
    body, shape, places = network.body, network.input_shape(side), _places(network)

    def one(key: Any) -> list[Any]:
        weights: Any = layers.init(body, key, shape)
        h, found = jax.random.normal(jax.random.fold_in(key, 1), shape), []
        for i, layer in enumerate(body.layers):
            if i in places:
                rest, own = serial(*body.layers[i:]), weights[i:]
                gradient = jax.grad(lambda h, rest=rest, own=own: layers.apply(rest, own, h)[0])(h)
                found.append(jnp.mean(gradient**2))
            h = layers.apply(layer, weights[i], h)
        return found

    keys = jax.random.split(jax.random.key(0), seeds)
    return [np.asarray(values, float) for values in jax.lax.map(one, keys)]


def _root(values: np.ndarray) -> tuple[float, Sequence[float]]:
    found = estimates.mean(values)
    return found.value**0.5, [max(end, 0.0) ** 0.5 for end in found.interval]
