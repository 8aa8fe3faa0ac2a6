"""A run on disk: an xarray dataset in Zarr that grows as samples are finished.

`xarray.open_zarr(path)` reads it: the samples by (seed, width, size, …), such as `norm`, `finished`
by (seed, width, size), the predictions, and attributes with the configuration and the provenance of
every process that sampled. A sample that is not finished is NaN; one that is finished and not
finite is what the network gave. Chunks carry CRC-32C checksums, and `checksum` has one of every
sample and what it is (`sim.storage.checksums`). Each chunk is replaced as a whole, that of
`finished` after the others, so a process may be killed at any moment.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sim.storage import (
    attributes,
    checksums,
    damage,
    descriptions,
    layout,
    leftovers,
    provenance,
    refusals,
)
from sim.storage.attributes import ADDED, GROWS
from sim.storage.folder import Folder
from sim.storage.folder import folder as open_folder
from sim.storage.refusals import RunError

Draw = Callable[..., Any]
Describe = Callable[[dict[str, Any]], xr.Dataset]


@dataclass(frozen=True)
class Where:
    """What computes the samples."""

    backend: str
    """cpu, gpu or tpu."""
    processes: int = 1
    devices: int = 1
    """Of all processes."""


@contextmanager
def opened(
    path: str,
    config: dict[str, Any],
    describe: Describe,
    where: Where,
    tell: Callable[[str], None] = lambda line: None,
    experiment: str = "scaling",
    computations: dict[str, str] | None = None,
) -> Generator["Run", None, None]:
    """The run in the folder or at the URL `path`, created or extended to have room for `config`.

    No other process can open a folder of this machine meanwhile; nothing can be locked at a URL,
    where one process at a time must write.

    Args:
        path: Where the run is kept.
        config: The configuration as JSON, with explicit `widths` and `sizes`.
        describe: Gives the dataset of a run of such a configuration, its samples NaN.
        where: What computes the samples.
        tell: Hears a sentence for each damaged chunk, which is then computed again.
        experiment: The package of `sim` whose run it is.
        computations: Digests by size, or by width, of what a user's own model computes, which must
            not change.

    Raises:
        RunError: The place cannot be used, or holds a run of another configuration.
    """
    with refusals.sentences(path):
        folder = open_folder(path)
        leftovers.refuse_other_folders(folder)
        folder.make()
        with folder.locked():
            run = Run(folder)
            run.clear()
            run.grow(config, describe, where.backend, experiment, computations or {})
            run.mend(tell)
            now = provenance.session(where.backend, where.processes, where.devices)
            with descriptions.session(folder, now):
                yield run


def sessions(out: str | None, where: Where, started: str) -> list[dict[str, Any]]:
    """The provenance of a run that has just ended; of all its sessions if it is kept in `out`."""
    if out is not None:
        return descriptions.described(open_folder(out))["sessions"]
    now = provenance.session(where.backend, where.processes, where.devices)
    return [now | {"started": started, "ended": provenance.now()}]


@contextmanager
def shared(path: str) -> Generator["Run", None, None]:
    """The run at `path`, which another process of the same run has `opened`.

    The two may write samples at the same time, if of different chunks.

    Raises:
        RunError: The place cannot be written.
    """
    with refusals.sentences(path):
        run = Run(open_folder(path))
        run.find()
        yield run


class Run:
    """A run on disk that this process may write."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.writing = threading.Lock()

    def clear(self) -> None:
        """Finish or remove what a killed process was writing."""
        layout.finish(self.folder)
        leftovers.clear(self.folder)

    def grow(
        self,
        config: dict[str, Any],
        describe: Describe,
        backend: str,
        experiment: str,
        computations: dict[str, str],
    ) -> None:
        """Make room for `config`.

        Args:
            config: The configuration, which need not repeat what is stored already.
            describe: Gives the dataset of a run of such a configuration, its samples NaN.
            backend: What computes: cpu, gpu or tpu.
            experiment: The package of `sim` whose run it is.
            computations: Digests by size of what a user's own model computes.

        Raises:
            RunError: What cannot change differs from what is stored; the message names it.
        """
        config = attributes.as_read(config)
        kept = descriptions.begun(experiment)
        if self.folder.exists(descriptions.FILE):
            kept = descriptions.continued(self.folder, experiment)
            stored = attributes.configuration(kept)
            what = f"{self.folder} holds a run"
            refusals.refuse_differences(what, stored, config, GROWS, ADDED)
            _refuse_other_computations(self.folder, kept, computations)
            _refuse_other_rounding(self.folder, kept["sessions"], backend)
            if config["seeds"] > stored["seeds"]:
                before = attributes.extended_from(kept)
                kept[attributes.EXTENDED_FROM] = [*before, stored["seeds"]]
            config["seeds"] = max(stored["seeds"], config["seeds"])
            for name in ("widths", "sizes"):  # in order of arrival: chunks stay where they are
                new = [value for value in config[name] if value not in stored[name]]
                config[name] = stored[name] + new
            known = attributes.computations(kept)
            is_there = config == stored and computations.items() <= known.items()
            if is_there and layout.is_whole(self.folder, descriptions.document(self.folder)):
                self.find()
                return
            computations = known | computations
        dataset = describe(config).sel(size=config["sizes"])
        shape = [dataset.sizes[axis] for axis in layout.AXES]
        about = {"long_name": "whether the sample has been computed"}
        dataset["finished"] = layout.AXES, np.zeros(shape, bool), about
        about = {"long_name": "CRC-32 of the sample and what it is"}
        dataset["checksum"] = layout.AXES, np.zeros(shape, np.uint32), about
        dataset.attrs |= kept | attributes.encoded(config)
        if computations:
            dataset.attrs["computations"] = computations
        layout.lay_out(self.folder, dataset)
        self.find()

    def find(self) -> None:
        """Read where samples lie in what has been laid out."""
        labels = layout.open_zarr(self.folder)
        self.samples = layout.open_arrays(self.folder, "r+")
        self.finished, self.checksum = map(self.samples.pop, layout.BESIDES)
        self.widths = labels["width"].values.tolist()
        self.sizes = labels["size"].values.tolist()
        kept = descriptions.described(self.folder)
        self.about = damage.about(kept)
        looks = attributes.extended_from(kept)
        self.looks = {attributes.EXTENDED_FROM: looks} if looks else {}

    def mend(self, tell: Callable[[str], None]) -> None:
        """Forget chunks that are not what was written there, so that they are computed again."""
        kept = descriptions.described(self.folder)
        besides = dict(zip(layout.BESIDES, (self.finished, self.checksum), strict=True))
        for place in damage.damaged(self.folder, kept):
            for name, array in (*self.samples.items(), *besides.items()):
                self.folder.remove(layout.chunk(name, place, array.ndim))
            chunk = damage.named(place, self.widths, self.sizes)
            tell(f"{self.folder}: {chunk} is damaged and computed again.")

    def completing(
        self, width: int, sizes: Sequence[int], make: Callable[[tuple[int, ...]], Draw]
    ) -> Draw:
        """A sampler at `sizes` that computes only what is not there, and keeps it.

        `make(sizes)` is the sampler that computes (see `sim.sampling.engine.sampler`); its results
        are samples by their names. Those of every size are returned, in this order.
        """

        def keep(size: int, seeds: np.ndarray, samples: dict[str, np.ndarray]) -> None:
            self.write(width, size, seeds, samples)

        def draw(
            seeds: Sequence[int], advance: Callable[[int], None]
        ) -> list[dict[str, np.ndarray]]:
            missing: dict[tuple[int, ...], list[int]] = {}
            for size in sizes:
                lacking = self.missing(width, size, seeds)
                advance(len(seeds) - len(lacking))
                if lacking:
                    missing.setdefault(tuple(lacking), []).append(size)
            for lacking, sides in missing.items():
                make(tuple(sides))(lacking, advance, keep)
            return [self.read(width, size, seeds) for size in sizes]

        return draw

    def missing(self, width: int, size: int, seeds: Sequence[int]) -> list[int]:
        """Those of the seeds that are not finished."""
        wanted = np.asarray(seeds, int)
        there = self.finished[:, *self._place(width, size)][wanted]
        return wanted[~there].tolist()

    def read(self, width: int, size: int, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """The samples (seeds, …) by their names."""
        place, wanted = self._place(width, size), np.asarray(seeds, int)
        return {name: array[:, *place][wanted] for name, array in self.samples.items()}

    def write(
        self, width: int, size: int, seeds: np.ndarray, samples: dict[str, np.ndarray]
    ) -> None:
        """Keep samples (seeds, …) by their names; may be called from several threads."""
        import zarr

        place = self._place(width, size)
        # a chunk without any number is written too: only then a missing one is a damaged one
        with self.writing, zarr.config.set({"array.write_empty_chunks": True}):
            stored = [
                np.asarray(samples[name], array.dtype)
                for name, array in sorted(self.samples.items())
            ]
            sums = checksums.of_samples(self.about(width, size), seeds, stored)
            for (_, array), values in zip(sorted(self.samples.items()), stored, strict=True):
                array.set_orthogonal_selection((seeds, *place), values)
            self.checksum.set_orthogonal_selection((seeds, *place), sums)
            self.finished.set_orthogonal_selection((seeds, *place), np.ones(len(seeds), bool))

    def _place(self, width: int, size: int) -> tuple[int, int]:
        return self.widths.index(width), self.sizes.index(size)


def _refuse_other_computations(
    folder: Folder, kept: dict[str, Any], computations: dict[str, str]
) -> None:
    known = attributes.computations(kept)
    for size, digest in computations.items():
        if known.get(size, digest) != digest:
            config = attributes.configuration(kept)
            what = f"size {size}" if size.isdigit() else size
            raise RunError(
                f"{folder} holds samples of another {config.get('model') or config['arch']}: what "
                f"it computes at {what} has changed since; choose another --out."
            )


def _refuse_other_rounding(folder: Folder, sessions: list[dict[str, Any]], backend: str) -> None:
    for session in sessions:
        before = provenance.other_versions(session)
        if session["backend"] != backend:
            before.append(f"a {session['backend']}")
        if before:
            raise RunError(
                f"{folder} was sampled with {' and '.join(before)}, which rounds in another way; "
                "choose another --out and --seed, and merge the runs with python -m sim.report."
            )
