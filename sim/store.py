"""A run on disk: an xarray dataset in Zarr that grows as samples are finished.

`xarray.open_zarr(path)` reads it: `norm` by (seed, width, size, quantity, q), `finished` by (seed,
width, size), the predictions, and attributes with the configuration and the provenance of every
process that sampled. A sample that is not finished is NaN; one that is finished and not finite is
what the network gave. Chunks carry CRC-32C checksums. Each is replaced as a whole, `norm` before
`finished`, so a process may be killed at any moment.
"""

import fcntl
import json
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sim import provenance
from sim.cli import replacing

FORMAT = 1
"""Version of the layout on disk."""

BLOCK = 64
"""Seeds in one chunk of a file; a chunk holds one width and one size."""

GROWS = ("seeds", "widths", "sizes")
"""What a run may have more of when it is continued; all else must stay."""

BITWISE = ("jax", "jaxlib")
"""Packages whose versions must stay: another one rounds in another way."""

Draw = Callable[..., np.ndarray]
Describe = Callable[[dict[str, Any]], xr.Dataset]


class RunError(ValueError):
    """A run on disk that cannot be opened, read or written; the message is one sentence."""


@contextmanager
def opened(
    path: str,
    config: dict[str, Any],
    describe: Describe,
    backend: str,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator["Run"]:
    """The run in the folder `path`, created or extended so that it has room for `config`.

    `config` is JSON with explicit `widths` and `sizes`; `describe(config)` is the dataset of such
    a run, its samples NaN; `backend` is what computes (cpu, gpu); `tell` hears a sentence for each damaged chunk. No other process can
    open the run meanwhile. Raises RunError.
    """
    folder = Path(path)
    _refuse_other_folders(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
            except BlockingIOError:
                raise RunError(f"another process is working on {path}.") from None
            run = Run(folder, describe, backend)
            run.grow(config)
            run.mend(tell)
            with run.session():
                yield run
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}.") from None


class Run:
    """A run on disk that this process may write."""

    def __init__(self, folder: Path, describe: Describe, backend: str) -> None:
        self.folder, self.describe, self.backend = folder, describe, backend
        self.writing = threading.Lock()
        _finish_layout(folder)
        for left in folder.glob("**/*.partial"):  # a killed process was writing these
            left.unlink()

    def grow(self, config: dict[str, Any]) -> None:
        """Make room for `config`. Raises RunError, naming it, for what cannot change."""
        config = json.loads(json.dumps(config))
        attributes = {"format": FORMAT, "sessions": []}
        if (self.folder / "zarr.json").exists():
            attributes = described(self.folder)
            stored = json.loads(attributes["config"])
            _refuse_differences(self.folder, stored, config)
            _refuse_other_rounding(self.folder, attributes["sessions"], self.backend)
            config["seeds"] = max(stored["seeds"], config["seeds"])
            for name in ("widths", "sizes"):  # in order of arrival: chunks stay where they are
                new = [value for value in config[name] if value not in stored[name]]
                config[name] = stored[name] + new
            if config == stored and self._is_whole():
                self._open()
                return
        dataset = self.describe(config).sel(size=config["sizes"])
        dataset["finished"] = xr.zeros_like(dataset["norm"].isel(quantity=0, q=0, drop=True), bool)
        dataset["finished"].attrs = {"long_name": "whether the sample has been computed"}
        dataset.attrs |= attributes | {"config": json.dumps(config)}
        _lay_out(self.folder, dataset)
        self._open()

    def _is_whole(self) -> bool:
        """Whether everything but the samples can be read."""
        try:
            open_zarr(self.folder).drop_vars(("norm", "finished")).load()
        except Exception:  # whatever a library makes of damaged files
            return False
        return True

    def _open(self) -> None:
        import zarr

        group: Any = zarr.open_group(str(self.folder), mode="r+")
        self.norm, self.finished = group["norm"], group["finished"]
        labels = open_zarr(self.folder)
        self.widths = labels["width"].values.tolist()
        self.sizes = labels["size"].values.tolist()

    def mend(self, tell: Callable[[str], None]) -> None:
        """Forget chunks that cannot be read, so that they are computed again."""
        for place in damaged(self.folder):
            for name, tail in (("norm", (0, 0)), ("finished", ())):
                _chunk(self.folder, name, (*place, *tail)).unlink(missing_ok=True)
            block, width, size = place
            tell(
                f"{self.folder}: the chunk of seeds {block * BLOCK} to {(block + 1) * BLOCK - 1}, "
                f"width {self.widths[width]}, size {self.sizes[size]} is damaged and computed "
                "again."
            )

    @contextmanager
    def session(self) -> Iterator[None]:
        """Record this process in the attributes, when it starts and when it ends."""
        sessions = [*described(self.folder)["sessions"], provenance.session(self.backend)]
        self._record(sessions)
        try:
            yield
        finally:
            sessions[-1]["ended"] = provenance.now()
            with suppress(OSError):  # a full disk must not hide what went wrong before
                self._record(sessions)

    def _record(self, sessions: list[dict[str, Any]]) -> None:
        path = self.folder / "zarr.json"
        content = json.loads(path.read_text())
        content["attributes"]["sessions"] = sessions
        with replacing(str(path)) as part:
            part.write_text(json.dumps(content, indent=1))

    def completing(
        self, width: int, sizes: Sequence[int], make: Callable[[tuple[int, ...]], Draw]
    ) -> Draw:
        """A sampler at `sizes` that computes only what is not there, and keeps it.

        `make(sizes)` is the sampler that computes (see `sim.montecarlo.sampler`).
        """

        def draw(seeds: Sequence[int], advance: Callable[[int], None]) -> np.ndarray:
            wanted = np.asarray(seeds)
            column = self.widths.index(width)
            missing: dict[tuple[int, ...], list[int]] = {}
            for size in sizes:
                there = self.finished[:, column, self.sizes.index(size)][wanted]
                advance(int(there.sum()))
                if not there.all():
                    missing.setdefault(tuple(wanted[~there].tolist()), []).append(size)
            for lacking, sides in missing.items():
                make(tuple(sides))(lacking, advance, partial(self.write, width))
            stored = self.norm[:, column]
            return np.stack([stored[wanted, self.sizes.index(size)] for size in sizes])

        return draw

    def write(self, width: int, size: int, seeds: np.ndarray, norms: np.ndarray) -> None:
        """Keep norms (seeds, quantities, norms); may be called from several threads."""
        import zarr

        place = self.widths.index(width), self.sizes.index(size)
        # a chunk without any number is written too: only then a missing one is a damaged one
        with self.writing, zarr.config.set({"array.write_empty_chunks": True}):
            self.norm.set_orthogonal_selection((seeds, *place), norms)
            self.finished.set_orthogonal_selection((seeds, *place), np.ones(len(seeds), bool))


def open_zarr(folder: Path) -> xr.Dataset:
    """The dataset in a folder, its arrays not yet read."""
    return xr.open_zarr(folder, chunks=None, decode_times=False)


def described(folder: Path) -> dict[str, Any]:
    """The attributes of a run. Raises RunError for a folder that is none."""
    try:
        attributes = json.loads((folder / "zarr.json").read_text())["attributes"]
        version = attributes["format"]
    except FileNotFoundError:
        there = folder.exists()
        message = "is not a run." if there else "does not exist."
        raise RunError(f"{folder} {message}") from None
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(
            f"{folder} is not a run, or its zarr.json, which describes it, is damaged."
        ) from None
    if version != FORMAT:
        raise RunError(f"{folder} was written by another version of this program.")
    return attributes


def damaged(folder: Path) -> list[tuple[int, int, int]]:
    """Places (block of seeds, width, size) whose chunks are unreadable, or gone though finished."""
    import zarr

    group: Any = zarr.open_group(str(folder), mode="r")
    norm, finished = group["norm"], group["finished"]

    def readable(array: Any, selection: Any) -> np.ndarray | None:
        try:
            return array[selection]
        except Exception:  # whatever a codec makes of damaged bytes
            return None

    whole = readable(norm, ...) is not None and readable(finished, ...) is not None
    everything = finished[...] if whole else None
    found = []
    for place in np.ndindex(-(-norm.shape[0] // BLOCK), *norm.shape[1:3]):
        block = (slice(place[0] * BLOCK, (place[0] + 1) * BLOCK), *place[1:])
        flags = readable(finished, block) if everything is None else everything[block]
        if flags is None or (
            flags.any()
            and not (
                _chunk(folder, "norm", (*place, 0, 0)).exists()
                and (whole or readable(norm, block) is not None)
            )
        ):
            found.append(place)
    return found


def _chunk(folder: Path, name: str, place: tuple[int, ...]) -> Path:
    return folder.joinpath(name, "c", *map(str, place))


def _refuse_other_folders(folder: Path) -> None:
    try:
        ours = (folder / ".lock").exists() or not folder.exists() or not any(folder.iterdir())
    except NotADirectoryError:
        raise RunError(f"{folder} is not a folder.") from None
    except OSError as error:
        raise RunError(f"cannot read {folder}: {error.strerror}.") from None
    if not ours:
        described(folder)


def _refuse_differences(folder: Path, stored: dict[str, Any], config: dict[str, Any]) -> None:
    there, asked = [], []
    for name in {**stored, **config}:
        if name not in GROWS and stored.get(name) != config.get(name):
            there.append(flag(name, stored.get(name)))
            asked.append(flag(name, config.get(name)))
    if there:
        raise RunError(
            f"{folder} holds a run with {', '.join(there)}, not {', '.join(asked)}; choose another "
            "--out."
        )


def flag(name: str, value: Any) -> str:
    """A field of a configuration as it stands on the command line."""
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return f"no {flag}"
    return f"{flag} {' '.join(map(str, value)) if isinstance(value, list) else value}"


def _refuse_other_rounding(folder: Path, sessions: list[dict[str, Any]], backend: str) -> None:
    now = provenance.versions()
    for session in sessions:
        then = session["versions"]
        before = [f"{name} {then[name]}" for name in BITWISE if then[name] != now[name]]
        if session["backend"] != backend:
            before.append(f"a {session['backend']}")
        if before:
            raise RunError(
                f"{folder} was sampled with {' and '.join(before)}, which rounds in another way; "
                "choose another --out and --seed, and merge the runs with python -m sim.report."
            )


def _lay_out(folder: Path, dataset: xr.Dataset) -> None:
    """Write all but the chunks of samples, beside what is there, and put it in place."""
    from zarr.codecs import Crc32cCodec
    from zarr.errors import ZarrUserWarning

    part = folder / ".new"
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "U":  # the format's own strings have no fixed length
            dataset[name] = dataset[name].astype(object)
    encoding: dict[str, Any] = {
        str(name): {"compressors": (Crc32cCodec(),)} for name in dataset.variables
    }
    encoding["norm"] |= {"chunks": (BLOCK, 1, 1, *dataset["norm"].shape[3:]), "fill_value": np.nan}
    encoding["finished"] |= {"chunks": (BLOCK, 1, 1)}
    with warnings.catch_warnings():
        # Zarr 3 reads consolidated metadata everywhere, and says that no standard has it yet
        warnings.simplefilter("ignore", ZarrUserWarning)
        dataset.to_zarr(part, zarr_format=3, encoding=encoding, consolidated=True)
    (part / "complete").touch()
    _finish_layout(folder)


def _finish_layout(folder: Path) -> None:
    """Put a layout that was written to its end in place, and remove one that was not."""
    part = folder / ".new"
    if (part / "complete").exists():
        for array in (path for path in part.iterdir() if path.is_dir()):
            target = folder / array.name
            if array.name in ("norm", "finished"):  # their chunks stay
                target.mkdir(exist_ok=True)
                if (array / "zarr.json").exists():
                    (array / "zarr.json").replace(target / "zarr.json")
            else:
                shutil.rmtree(target, ignore_errors=True)
                array.replace(target)
        if (part / "zarr.json").exists():
            (part / "zarr.json").replace(folder / "zarr.json")
    shutil.rmtree(part, ignore_errors=True)
