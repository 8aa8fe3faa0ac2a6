"""A study: its trainings, several at once, computed or read from its folder."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict

import jax
import xarray as xr

from sim.plan import configuration
from sim.running import background
from sim.sampling import datasets
from sim.storage import studies
from sim.storage.studies import Arrays
from sim.training.checkpointed import Course, trained
from sim.training.configuration import GROWS, Cell, Completed, Config, check, completed, design
from sim.training.dataset import labelled


def run(
    config: Config,
    out: str | None = None,
    advance: Callable[[int], None] = lambda done: None,
    tell: Callable[[str], None] = lambda line: None,
) -> xr.Dataset:
    """Train and measure; what is in the place `out` already is not computed again.

    Args:
        config: What to train.
        out: The folder or URL of the study; None keeps nothing.
        advance: Called with the number of epochs that are done.
        tell: Hears a sentence about what goes wrong.

    Returns:
        A dataset with `accuracy` and `loss` by (seed, training, size, set), `norm`, mean ‖∂_x L‖_q
        over the images of a set, by (…, q), `parts`, the same of its parts on the data's subspace
        and off it, by (…, part, q), `margin` and `margin_parts`, the same of ∂_x m, m the margin,
        `residual`, the mean of 1 − p_y in ∂_x L = −(1 − p_y) ∂_x m, `damage` and `fooled` of
        attacks by (…, attack, p, eps), `linear_damage` by (…, p, eps), the damage if the
        margin is linear, and the learning curve: `curve_loss` by (seed, training, size, epoch),
        `curve_accuracy`, `curve_norm` (q = 1) and `curve_parts` by (…, set, epoch). The training
        named "initialization" is the network before training, batch normalization with mean 0 and
        variance 1. `failed` is the first epoch whose loss was not finite, −1 if all were; what
        follows it is NaN, as is what the design does not have. `d` is a coordinate along size.

    Raises:
        ValueError: The configuration or the data make no sense.
        RunError: The folder cannot be used, or holds another study.
    """
    check(config)
    full = completed(config)
    data = datasets.load(full.data, full.data_dir)
    data = datasets.Data(data.training.standardized(), data.test.standardized())
    found: dict[Cell, Arrays] = {}
    with studies.opened(out, asdict(full), GROWS, jax.default_backend(), tell) as study:
        stopping = threading.Event()
        course = Course(full, study, data, advance, tell, stopping)

        def work(cell: Cell) -> None:
            found[cell] = trained(course, cell)

        try:
            _in_parallel(work, design(full), full.workers)
        finally:
            stopping.set()
    return labelled(full, found)


def stored(path: str) -> xr.Dataset:
    """What is finished of the study in a folder or at a URL, as `run` returns it.

    Raises:
        RunError: The place holds no study, or something in it is damaged.
    """
    study, kept = studies.stored(path, GROWS)
    config = configuration.restored(Completed, kept)
    read = {cell: study.finished(cell.name) for cell in design(config)}
    return labelled(config, {cell: arrays for cell, arrays in read.items() if arrays is not None})


def _in_parallel(work: Callable[[Cell], None], cells: Sequence[Cell], workers: int) -> None:
    """`work` on every cell, by so many threads that never keep the process from ending."""
    left: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    for cell in cells:
        left.put(cell)

    def loop() -> None:
        while True:
            try:
                cell = left.get_nowait()
            except queue.Empty:
                return
            work(cell)

    if workers == 1:
        loop()
        return
    for wait in [background.started(loop) for _ in range(min(workers, len(cells)))]:
        wait()
