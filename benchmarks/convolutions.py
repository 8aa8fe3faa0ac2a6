"""Networks of convolutions: seconds per seed, against other ways and against the machine."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks.timing import in_turns
from sim.networks import gradients, layers, random_bits
from sim.sampling import norms
from sim.sampling.draws import Draws
from theory import architectures
from theory.fans import fan_in
from theory.geometry import PAD_MODE
from theory.network import (
    Conv,
    Dense,
    Layer,
    Network,
    Residual,
    Serial,
    Shape,
    number_of,
    output_shape,
    padding,
)

NORMS = (1.0, 2.0, float("inf"))
DRAWS = Draws(("loss",), NORMS, input="gaussian")
NETWORKS = {
    "ConvNet": architectures.convnet_avdim(width=64),
    "ResNet": architectures.resnet(width=64),
}


def flop(layer: Layer, shape: Shape) -> int:
    """Operations of one direct forward pass and one input gradient: 2 + 2 for each weight used."""
    if isinstance(layer, Serial):
        total = 0
        for inner in layer.layers:
            total += flop(inner, shape)
            shape = output_shape(inner, shape)
        return total
    if isinstance(layer, Residual):
        return flop(layer.branch, shape) + flop(layer.shortcut, shape)
    if isinstance(layer, Conv | Dense):
        return 4 * int(fan_in(layer, shape) * number_of(output_shape(layer, shape)))
    return 0


def ours(network: Network, sides: tuple[int, ...], seeds: int) -> Callable[[], object]:
    """`sim.sampling.engine`, compiled beforehand."""
    draw = norms.sampler(network, sides, DRAWS, seeds)
    return lambda: draw(range(seeds), lambda done: None)


def plain(network: Network, side: int, seeds: int) -> Callable[[], object]:
    """`jax.vmap` over seeds of dense matrices and `lax.conv_general_dilated`, 8 at once."""
    shape = network.input_shape(side)

    def one(key: jax.Array) -> jax.Array:
        weights = layers.init(network.body, key, shape)
        x = jax.random.normal(key, shape)
        logits, pull_back = jax.vjp(lambda x: _apply(network.body, weights, x), x)
        (g,) = pull_back(gradients.loss_residual(logits, jnp.array(3)))
        return jnp.stack([gradients.norm(g, q) for q in NORMS])

    keys = jax.random.split(jax.random.key(0), (seeds // 8, 8))
    mapped = jax.jit(partial(jax.lax.map, jax.vmap(one)))
    return lambda: mapped(keys).block_until_ready()


def _apply(layer: Layer, weights: layers.Weights, x: jax.Array) -> jax.Array:
    if isinstance(layer, Serial | Residual):
        return layers.through(layer, weights, x, _apply)
    if not isinstance(layer, Conv):
        return layers.apply(layer, weights, x)
    if layer.kernel > 1:
        mode = "constant" if layer.border == "zero" else PAD_MODE[layer.border]
        x = jnp.pad(x, (padding(layer), padding(layer), (0, 0)), mode=mode)
    kernels = weights.reshape(layer.kernel, layer.kernel, x.shape[2], -1)
    return jax.lax.conv_general_dilated(
        x[None], kernels, (layer.stride,) * 2, "VALID",
        rhs_dilation=(layer.dilation,) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )[0]  # fmt: skip


def machine(repeats: int) -> dict[str, float]:
    """Peak of a square single-precision product in FLOP/s, and normal variates per second.

    The variates are those of `jax.random.normal`, and the same ones by `sim.networks.random_bits`.
    """
    n, count = 2048, 2**22
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(n, n)), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    normal = jax.jit(lambda key: jax.random.normal(key, (count,)))
    blocks = jax.jit(lambda key: random_bits.draw(jax.random.normal, key, (count,)))
    key = jax.random.key(0)
    seconds, _ = in_turns(
        {
            "matmul": lambda: product(matrix).block_until_ready(),
            "normal": lambda: normal(key).block_until_ready(),
            "blocks": lambda: blocks(key).block_until_ready(),
        },
        repeats,
    )
    return {
        "matmul": 2 * n**3 / seconds["matmul"],
        "jax_normals": count / seconds["normal"],
        "normals": count / seconds["blocks"],
    }


def compare(
    network: Network, sides: tuple[int, ...], seeds: int, repeats: int
) -> list[dict[str, Any]]:
    """Wall and processor seconds per seed of every way at each side and over all sides.

    `of_peak` is the rate of our operations over that of a matrix product, drawing the weights
    included; `of_peak_again` without: what a sweep takes longer for the weights' use at that side.
    """
    ways: dict[str, Callable[[], object]] = {"ours sweep": ours(network, sides, seeds)}
    for side in sides:
        ways[f"ours {side}"] = ours(network, (side,), seeds)
        ways[f"others than {side}"] = ours(network, tuple(s for s in sides if s != side), seeds)
        ways[f"jax vmap {side}"] = plain(network, side, 8)
        if peers.TORCH:
            ways[f"torch loop {side}"] = peers.loop(network, side, 8)
            ways[f"torch 1 thread {side}"] = peers.loop(network, side, 8, threads=1)
            ways[f"torch vmap {side}"] = peers.mapped(network, side, 8)
    product = jnp.ones((2048, 2048))
    multiply = jax.jit(lambda a: a @ a)
    ways["matmul"] = lambda: multiply(product).block_until_ready()
    wall, processor = in_turns(ways, repeats)
    peak = 2 * 2048**3 / wall["matmul"]

    def per_seed(times: dict[str, float], sides: str) -> dict[str, float]:
        return {
            name.removesuffix(f" {sides}"): time / (seeds if name.startswith("ours") else 8)
            for name, time in times.items()
            if name.endswith(f" {sides}") and not name.startswith("others")
        }

    rows = []
    for side in sides:
        row: dict[str, Any] = {
            "network": network.name,
            "sides": str(side),
            "seconds": per_seed(wall, str(side)),
        }
        row["processor"] = per_seed(processor, str(side))
        work = flop(network.body, network.input_shape(side))
        again = (wall["ours sweep"] - wall[f"others than {side}"]) / seeds
        rows.append(
            row
            | {"of_peak": work / row["seconds"]["ours"] / peak}
            | {"of_peak_again": work / again / peak}
        )
    sweep: dict[str, Any] = {"network": network.name, "sides": "+".join(map(str, sides))}
    for clock, times in (("seconds", wall), ("processor", processor)):
        sweep[clock] = {way: sum(row[clock][way] for row in rows) for way in rows[0][clock]}
        sweep[clock]["ours"] = times["ours sweep"] / seeds
    work = sum(flop(network.body, network.input_shape(side)) for side in sides)
    of_peak = work / sweep["seconds"]["ours"] / peak
    return [*rows, sweep | {"of_peak": of_peak, "of_peak_again": None}]
