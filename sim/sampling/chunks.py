"""How the seeds of a run are cut into pieces that fit caches and memory. Without jax."""

from collections.abc import Sequence

from theory.network import Conv, Network, walk

MEMORY = {"cpu": 32 * 2**20, "gpu": 2 * 2**30}
"""Bytes that seeds computed side by side may take, as `sim.running.memory` estimates them: what
stays near a processor's caches, and what keeps an accelerator busy."""

CHUNK = {"cpu": 16, "gpu": 64}
"""Seeds between two reports of progress, unless more are computed side by side."""

SHARED = 2**28
"""Bytes of weights that may wait for their use at the next size."""


def side_by_side(network: Network, seed: int, platform: str) -> int:
    """How many seeds are computed side by side: a power of two up to 64 that fits `MEMORY`.

    On a processor it is 1 if there are convolutions (`sim.networks.convolution` says why).

    Args:
        network: Of the seeds.
        seed: Bytes that one of them needs.
        platform: "cpu" or "gpu".
    """
    if platform == "cpu" and any(isinstance(layer, Conv) for layer in walk(network.body)):
        return 1
    fit = MEMORY[platform] // seed
    return min(64, 2 ** max(0, fit.bit_length() - 1))


def length(batches: Sequence[int], seeds: int, workers: int, waiting: int, platform: str) -> int:
    """How many seeds a worker takes at once.

    Args:
        batches: Seeds side by side at every size.
        seeds: How many seeds there are about in all.
        workers: How many compute at the same time.
        waiting: Bytes of one seed's weights that all sizes share.
        platform: "cpu" or "gpu".
    """
    many = min(CHUNK[platform], -(-seeds // workers), SHARED // max(1, waiting * workers))
    return -(-max(1, many) // max(batches)) * max(batches)
