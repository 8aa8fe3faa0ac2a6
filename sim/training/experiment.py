"""A study: its trainings, several at once, computed or read from its folder."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.plan import configuration
from sim.training.design import GROWS, Config, check, design, filled, name_of

if TYPE_CHECKING:
    import xarray as xr

    from sim.storage.studies import Arrays


def run(
    config: Config,
    out: str | None = None,
    advance: Callable[[int], None] = lambda done: None,
    tell: Callable[[str], None] = lambda line: None,
) -> xr.Dataset:
    """Train and measure; what is in the folder `out` already is not computed again.

    Returns a dataset with `accuracy` and `loss` by (seed, training, size, set), `norm`, mean
    ‖∂_x L‖_q over the images of a set, by (…, q), `damage` and `fooled` of attacks by
    (…, attack, p, eps), and the learning curve: `curve_loss` by (seed, training, size, epoch),
    `curve_accuracy` and `curve_norm` (q = 1) by (…, set, epoch). The training named
    "initialization" is the network before training, batch normalization with mean 0 and variance
    1. `failed` is the first epoch whose loss was not finite, −1 if all were; what follows it is
    NaN, as is what the design does not have. `d` is a coordinate along size. `advance` is called
    with 1 for every epoch, `tell` with a sentence about what goes wrong.

    Raises ValueError for a configuration or data that make no sense, RunError for the folder.
    """
    check(config)
    import jax

    from sim.sampling import datasets
    from sim.storage import studies as study
    from sim.training.cell import of_cell
    from sim.training.labels import labelled

    config = filled(config)
    data = datasets.load(config.data, config.data_dir)
    data = datasets.Data(data.training.standardized(), data.test.standardized())
    wanted = design(config)
    found: dict[tuple[str, int], Arrays] = {}
    with study.opened(out, asdict(config), GROWS, jax.default_backend(), tell) as cells:
        stopping = threading.Event()

        def work(cell: tuple[str, int]) -> None:
            found[cell] = of_cell(config, cells, data, *cell, advance, tell, stopping)

        try:
            _in_parallel(work, wanted, config.workers or 1)
        finally:
            stopping.set()
    return labelled(config, found)


def stored(path: str) -> xr.Dataset:
    """What is finished of the study in a folder, as `run` returns it. Raises RunError."""
    from sim.storage import studies as study
    from sim.training.labels import labelled

    config = configuration.restored(Config, study.described(path))
    there = study.Study(Path(path), lambda line: None)
    read = {cell: there.finished(name_of(*cell)) for cell in design(config)}
    return labelled(config, {cell: arrays for cell, arrays in read.items() if arrays is not None})


def _in_parallel(work: Callable[[Any], None], items: list[Any], workers: int) -> None:
    """`work` on every item, by so many threads that never keep the process from ending."""
    from sim.running import background

    left: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for item in items:
        left.put(item)

    def loop() -> None:
        while True:
            try:
                item = left.get_nowait()
            except queue.Empty:
                return
            work(item)

    if workers == 1:
        loop()
        return
    for wait in [background.started(loop) for _ in range(workers)]:
        wait()
