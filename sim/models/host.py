"""Weights that code on the host draws, which JAX cannot trace: those of modules of PyTorch.

The library's own initialization runs inside of the traced function (`jax.pure_callback`), seeded
from the key. So `init` is an initializer like any other: seeds are mapped over it, a second key
draws the copies W′ of gradient independence, and sides share what they draw alike. Nothing is
assumed of how weights are distributed. Arrays that two draws have in common, such as biases of zero
and buffers, are constants.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sim.models.pairs import ModelError

Arrays = dict[str, np.ndarray]
"""Of one network, by name."""

Draw = Callable[[int], Arrays]
"""The arrays of a network from an integer below 2^63, the same for the same one."""

REFERENCES = (0, 1)
"""Integers whose networks tell what is random, and what networks at other sides have in common."""

KEPT = 2**28
"""Bytes of the networks that were drawn last, which are not drawn again."""


class Host:
    """The random arrays of a network, in the order of their names, from the data of a key."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        first, second, again = (draw(seed) for seed in (*REFERENCES, REFERENCES[0]))
        if any(not np.array_equal(first[name], again[name], equal_nan=True) for name in first):
            raise ModelError(
                "the factory gives other weights each time, from random numbers that no seed "
                "decides."
            )
        self.constant = {
            name: array
            for name, array in first.items()
            if np.array_equal(array, second[name], equal_nan=True)
        }
        self.names = [name for name in first if name not in self.constant]
        self.digests = tuple(
            hashlib.sha256(first[name].tobytes() + second[name].tobytes()).hexdigest()
            for name in self.names
        )
        self.shapes = [
            jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (first[name] for name in self.names)
        ]
        self.kept: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self.lock = threading.Lock()

    def __call__(self, data: Any) -> list[np.ndarray]:
        seed = seed_of(data)
        with self.lock:
            if seed not in self.kept:
                drawn = self.draw(seed)
                self.kept[seed] = [drawn[name] for name in self.names]
                each = sum(x.nbytes for x in self.kept[seed])
                while len(self.kept) > max(1, KEPT // max(1, each)):
                    self.kept.popitem(last=False)
            return self.kept[seed]


def seed_of(data: Any) -> int:
    """An integer below 2^63 from the data of a key (`jax.random.key_data`)."""
    digest = hashlib.sha256(np.asarray(data, np.uint32).tobytes()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def initializer(draw: Draw) -> Callable[[Any], dict[str, Any]]:
    """`init(key)`: the arrays of a network by name, drawn on the host.

    Args:
        draw: How. Called a few times here, and once for each key later, by one thread at a time.

    Raises:
        ModelError: It draws other arrays from the same integer.
    """
    host = Host(draw)

    def init(key: Any) -> dict[str, Any]:
        found = {name: jnp.asarray(x) for name, x in host.constant.items()}
        if not host.names:
            return found
        drawn = jax.pure_callback(
            host, host.shapes, jax.random.key_data(key), vmap_method="sequential"
        )
        return found | dict(zip(host.names, drawn, strict=True))

    return init
