"""How functions are compiled, and where they run: threads, devices, cores."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from queue import SimpleQueue
from threading import Lock
from typing import Any

import jax

from sim.models import loading
from sim.networks import rewriting
from sim.running import memory
from sim.sampling.draws import Draws
from theory.network import Network, walk

Place = Any
"""Where a thread computes: a jax.Device (which has no type stub), or None for JAX's default one."""


OPTIONS = {"xla_backend_optimization_level": 1}
"""Of XLA on a processor. Samples depend on the level, in their last bits."""

FASTER = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
"""Options that some versions of XLA do not have."""


class Once:
    """A compiled function that its first user compiles, while others wait for it."""

    def __init__(self) -> None:
        self._lock, self._found = Lock(), None

    def get(self, compile: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The function, compiled unless it has been."""
        with self._lock:
            self._found = self._found or compile()
            return self._found


@lru_cache(maxsize=4)
def once(*made_of: Any) -> Once:
    """The same for the same plain data: what a measurement and its prediction both draw."""
    return Once()


def in_threads(
    work: Callable[[Any, Place], Any],
    tasks: Iterable[Any],
    places: Sequence[Place],
    finish: bool = False,
) -> list[Any]:
    """The results of `work(task, place)`, one thread for each place.

    With `finish`, an interruption waits for what is being computed.
    """
    x64 = jax.dtypes.canonicalize_dtype(float).itemsize == 8
    free: SimpleQueue[Place] = SimpleQueue()
    for place in places:
        free.put(place)

    def there(task: Any) -> Any:
        place = free.get()
        try:
            with jax.enable_x64(x64), on(place):  # settings of one thread
                return work(task, place)
        finally:
            free.put(place)

    pool = ThreadPoolExecutor(len(places))
    try:
        return list(pool.map(there, tasks))
    finally:
        pool.shutdown(wait=finish, cancel_futures=True)


def platform() -> str:
    """What kind of machine computes: "cpu", or "gpu" for everything else."""
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def on(place: Place) -> AbstractContextManager[Any]:
    """While it is open, JAX computes at this place."""
    return nullcontext() if place is None else jax.default_device(place)


def places(
    network: Network, side: int, draws: Draws, devices: Sequence[Place] | None
) -> list[Place]:
    """Where seeds are computed at the same time: on the devices, or the cores of a processor.

    Of the cores there are no more than have room in memory.
    """
    if platform() != "cpu":
        return list(devices or [None])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fit = memory.physical() // bytes_per_seed(network, side, draws)
    return list(devices or [None] * (cores or 1))[: max(1, fit)]


def bytes_per_seed(network: Network, side: int, draws: Draws) -> int:
    """The memory that one seed of these draws needs (`sim.running.memory`)."""
    itemsize = jax.dtypes.canonicalize_dtype(float).itemsize
    shape = network.input_shape(side)
    points = draws.inputs_per_seed * draws.labels_per_seed
    return memory.bytes_per_seed(network.body, shape, points, draws.lazy, itemsize)


def is_own(network: Network) -> bool:
    """Whether it is a user's own model, of which nothing is known but what it computes."""
    return any(isinstance(layer, loading.Own) for layer in walk(network.body))


def jitted(network: Network, function: Callable[..., Any]) -> Any:
    """The function under `jax.jit`, with a user's program rewritten for the processor."""
    return jax.jit(rewriting.rewritten(function) if is_own(network) else function)


def compiled(lowered: Any, alone: bool) -> Callable[..., Any]:
    """On a processor the work is in library calls: optimizing the rest less, with the older of
    XLA's two code generators and without dividing the code, compiles in less than half the time
    and runs no slower (measured). A call is divided over cores only where the memory has room for
    one seed `alone`: divided sums round in another way, so this cannot depend on the other work.
    What the environment asks of XLA comes first.
    """
    if platform() != "cpu":
        return lowered.compile()
    asked = os.environ.get("XLA_FLAGS", "")
    options, faster = (
        {name: value for name, value in some.items() if name not in asked}
        for some in (OPTIONS | {"xla_cpu_multi_thread_eigen": alone}, FASTER)
    )
    try:
        return lowered.compile(options | faster)
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return lowered.compile(options)
