"""The same networks in PyTorch: fresh weights and the input gradient of the loss of each seed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sim.networks import layers
from theory.fans import fan_in, weight_variance
from theory.network import (
    Conv,
    Dense,
    Flatten,
    Layer,
    Network,
    ReLU,
    Residual,
    Serial,
    Shape,
    output_shape,
    padding,
)

if TYPE_CHECKING:
    import torch

TORCH = importlib.util.find_spec("torch") is not None
PAD = {"circular": "circular", "reflect": "reflect", "zero": "constant"}


def loop(network: Network, side: int, seeds: int, threads: int | None = None) -> Callable[[], None]:
    """One seed after the other, differentiated by autograd; on all cores unless `threads` says."""
    import torch
    from torch.nn import functional

    cores = torch.get_num_threads()

    def run() -> None:
        torch.set_num_threads(threads or cores)
        for _ in range(seeds):
            weights = _draw(network.body, network.input_shape(side), ())
            x = torch.randn(1, network.channels, side, side, requires_grad=True)
            loss = functional.cross_entropy(_apply(network.body, weights, x), torch.tensor([3]))
            _norms(torch.autograd.grad(loss, x)[0])
        torch.set_num_threads(cores)

    return run


def mapped(network: Network, side: int, seeds: int, together: int = 8) -> Callable[[], None]:
    """`torch.func.vmap(grad)` over `together` seeds at once."""
    import torch
    from torch.nn import functional

    def loss(x: torch.Tensor, weights: Any) -> torch.Tensor:
        return functional.cross_entropy(_apply(network.body, weights, x), torch.tensor([3]))

    def run() -> None:
        for _ in range(seeds // together):
            weights = _draw(network.body, network.input_shape(side), (together,))
            x = torch.randn(together, 1, network.channels, side, side)
            _norms(torch.func.vmap(torch.func.grad(loss))(x, weights))

    return run


def _norms(g: torch.Tensor) -> list[torch.Tensor]:
    flat = g.flatten(1).abs()
    return [flat.sum(1), flat.square().sum(1).sqrt(), flat.amax(1)]


def _draw(layer: Layer, shape: Shape, seeds: tuple[int, ...]) -> Any:
    import torch

    if isinstance(layer, Serial):
        found = []
        for inner in layer.layers:
            found.append(_draw(inner, shape, seeds))
            shape = output_shape(inner, shape)
        return found
    if isinstance(layer, Residual):
        return [_draw(part, shape, seeds) for part in (layer.branch, layer.shortcut)]
    if isinstance(layer, Conv):
        size = (layer.channels, shape[2], layer.kernel, layer.kernel)
    elif isinstance(layer, Dense):
        size = (fan_in(layer, shape), layer.features)
    else:
        return []
    return torch.randn(*seeds, *size) * float(weight_variance(layer, shape)) ** 0.5


def _apply(layer: Layer, weights: Any, x: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    if isinstance(layer, Serial | Residual):
        return layers.through(layer, weights, x, _apply)
    if isinstance(layer, Conv):
        if layer.kernel > 1:
            x = functional.pad(x, padding(layer) * 2, mode=PAD[layer.border])
        return functional.conv2d(x, weights, stride=layer.stride, dilation=layer.dilation)
    if isinstance(layer, Dense):
        return x @ weights
    if isinstance(layer, Flatten):
        return x.flatten(1)
    if isinstance(layer, ReLU):
        return functional.relu(x)
    raise TypeError(f"no PyTorch counterpart of {layer}.")
