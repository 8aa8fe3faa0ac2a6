"""The same ways under pytest-benchmark: `python -m pytest benchmarks -o addopts=`."""

import pytest

from benchmarks import convolutions, peers
from theory import architectures

NETWORKS = {**convolutions.NETWORKS, "MLP": architectures.mlp(width=512, depth=4)}
SEEDS = 16

WAYS = {"ours": lambda network, side: convolutions.ours(network, (side,), SEEDS)}
WAYS["jax vmap"] = lambda network, side: convolutions.plain(network, side, SEEDS)
if peers.TORCH:
    WAYS["torch loop"] = lambda network, side: peers.loop(network, side, SEEDS)
    WAYS["torch vmap"] = lambda network, side: peers.mapped(network, side, SEEDS)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("name", NETWORKS)
def test_sixteen_seeds(benchmark, name, side, way):
    benchmark.group = f"{SEEDS} seeds of {name}, side {side}"
    benchmark.pedantic(WAYS[way](NETWORKS[name], side), rounds=3, warmup_rounds=1)
