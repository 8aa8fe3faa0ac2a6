"""One run spread over devices and hosts: who computes which seeds, and how the processes meet.

The processes are those of JAX's distributed runtime. Whether a sample is computed here or there
changes none of its bits, so all that is decided here is where. Process 0 alone creates and mends
stored runs and reports; every other process waits for it. If one of them ends early, JAX tells the
others, and each stops with a sentence. Without jax until a function is called.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sim.running import command_line, flags, needs
from sim.storage import provenance
from theory import stopping

Result = TypeVar("Result")

LOST = 75
"""Exit status when another process has ended: a temporary failure in sysexits.h."""

LONGEST = 10**6
"""Seconds that a process may be told to wait for the others, eleven days."""

HEARTBEAT = 30
"""Seconds of silence after which JAX counts a process as dead."""


@dataclass(frozen=True)
class Spread:
    """Over which devices and processes a run is spread."""

    devices: flags.Whole = None
    """Devices that compute in this process, the first ones; on a processor, so many CPU devices of
    one thread each. Unless given: every accelerator, or every core of the processor."""
    distributed: bool = False
    """This is one of several processes of one run, joined by JAX's distributed runtime. Slurm,
    Open MPI and Kubernetes are detected; elsewhere the next three flags say who is who."""
    coordinator: flags.Name = None
    """HOST:PORT at which process 0 can be reached, the same for all processes."""
    processes: flags.Whole = None
    """How many processes there are."""
    process: flags.Whole = None
    """Which of them this is, from 0."""
    timeout: int = 300
    """Seconds that this process waits for the others to come."""

    def refuse(self) -> None:
        """Raises ValueError, with one sentence, for flags that make no sense."""
        explicit = {
            "--coordinator": self.coordinator,
            "--processes": self.processes,
            "--process": self.process,
        }
        given = [name for name, value in explicit.items() if value is not None]
        lacking = [name for name in explicit if name not in given]
        if self.devices is not None and self.devices < 1:
            raise ValueError(f"--devices must be at least 1, not {self.devices}.")
        if self.devices is not None:
            needs.devices_need(self.devices).refuse()
        if given and not self.distributed:
            raise ValueError(f"{given[0]} needs --distributed.")
        if self.timeout != Spread.timeout and not self.distributed:
            raise ValueError("--timeout needs --distributed.")
        if not 1 <= self.timeout <= LONGEST:
            raise ValueError(
                f"--timeout must lie between 1 and {LONGEST} seconds, not {self.timeout}."
            )
        if given and lacking:
            raise ValueError(f"{given[0]} needs {' and '.join(lacking)} as well.")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise ValueError(f"--coordinator must be HOST:PORT, not {self.coordinator}.")
        if self.processes is not None and self.processes < 1:
            raise ValueError(f"--processes must be at least 1, not {self.processes}.")
        if self.process is not None and not 0 <= self.process < (self.processes or 0):
            raise ValueError(
                f"--process must lie between 0 and {(self.processes or 0) - 1}, not {self.process}."
            )


def _is_address(text: str) -> bool:
    found = re.fullmatch(r".+:(\d{1,5})", text)
    return found is not None and 0 < int(found[1]) < 2**16


@contextlib.contextmanager
def joined(spread: Spread, command: str, out: str | None) -> Generator[bool, None, None]:
    """This process as one of its run; yields whether it is the one that reports.

    `command` is what all processes must have in common, `out` where samples are kept. Raises
    ValueError, with one sentence, if there are not enough devices or the processes do not find each
    other. If another process ends early, this one exits with status `LOST` and a sentence; if this
    one fails, it exits at once, since to wait for the others would make them wait for it.
    """
    import jax

    if spread.devices is not None:
        jax.config.update("jax_num_cpu_devices", spread.devices)
    if not spread.distributed:
        local_devices(spread.devices)
        yield True
        return
    with _messages_aside() as log:
        _initialize(spread)
        try:
            with _abort_says(lambda: _tell_lost(log, out), LOST):
                _refuse_unequal_hosts()
                agreed(lambda: _check(spread, command))
                yield jax.process_index() == 0
                jax.distributed.shutdown()  # waits for the others
        except BaseException as error:
            if not jax.distributed.is_initialized():  # all processes know
                raise
            os._exit(_status(error, log, out))


def _initialize(spread: Spread) -> None:
    import jax

    explicit = spread.coordinator is not None
    try:
        with _abort_says(lambda: command_line.tell(_missing(spread)), 2):
            jax.distributed.initialize(
                spread.coordinator, spread.processes, spread.process,
                cluster_detection_method="deactivate" if explicit else None,
                initialization_timeout=spread.timeout,
                heartbeat_timeout_seconds=HEARTBEAT,
            )  # fmt: skip
    except jax.errors.JaxRuntimeError as error:
        if "DEADLINE_EXCEEDED" not in str(error):
            raise ValueError(f"the processes did not find each other: {error}") from None
        raise ValueError(_missing(spread)) from None
    except ValueError:
        raise ValueError(
            "JAX detects no cluster here: give --coordinator, --processes and --process."
        ) from None
    except RuntimeError as error:
        raise ValueError(f"the processes did not find each other: {error}") from None


def _missing(spread: Spread) -> str:
    """Who did not come in time."""
    waited = f"within {spread.timeout} seconds (--timeout)"
    if spread.coordinator is None:
        return f"not all processes of the run came {waited}."
    host, _, port = spread.coordinator.rpartition(":")
    try:
        if spread.process != 0:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError:
        return f"process 0 could not be reached at {spread.coordinator} {waited}."
    return (
        f"not all {spread.processes} processes of the run came {waited}; process {spread.process} "
        f"waited for them at {spread.coordinator}."
    )


def _refuse_unequal_hosts() -> None:
    import jax

    if jax.device_count() != jax.process_count() * jax.local_device_count():
        raise ValueError("every process of a run needs the same number of devices.")


def _check(spread: Spread, command: str) -> None:
    import jax

    versions = provenance.versions()
    mine = f"{command} {versions['jax']} {versions['jaxlib']} {jax.default_backend()}"
    all_alike = _gathered(np.uint32(zlib.crc32(mine.encode())))
    if len(set(all_alike.tolist())) > 1:
        raise ValueError(
            "all processes of a run need the same flags, versions of jax and kind of device."
        )
    local_devices(spread.devices)


def local_devices(count: int | None) -> list[Any] | None:
    """The devices (jax.Device) of this process that compute; None for the cores of a processor.

    Raises ValueError if there are fewer than `count`.
    """
    import jax

    there = jax.local_devices()
    if count is None:
        return None if len(there) == 1 else there
    if count > len(there):
        raise ValueError(f"--devices {count}, but there are only {len(there)} here.")
    return there[:count]


def share(count: int, unit: int = 1) -> range:
    """The seeds, of `count`, that this process computes: consecutive ones, in whole units.

    The division is that of an array sharded over the processes of a mesh of all devices.
    """
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    processes = jax.process_count()
    if processes == 1:
        return range(count)
    mesh = Mesh(np.array(jax.devices()).reshape(processes, -1), ("processes", "devices"))
    units = -(-count // (unit * processes)) * processes
    division = NamedSharding(mesh, PartitionSpec("processes")).devices_indices_map((units,))
    (mine,) = division[jax.local_devices()[0]]
    start, stop, _ = mine.indices(units)
    return range(min(count, start * unit), min(count, stop * unit))


def collected(parts: np.ndarray, count: int, axis: int) -> np.ndarray:
    """The samples of all `count` seeds in every process, from the `share(count)` of each."""
    import jax

    processes = jax.process_count()
    if processes == 1:
        return parts
    longest = -(-count // processes)
    room = [(0, longest - n if i == axis else 0) for i, n in enumerate(parts.shape)]
    together = np.concatenate(_gathered(np.pad(parts, room)), axis=axis)
    return together.take(range(count), axis=axis)


def agreed(work: Callable[[], Result]) -> Result:
    """`work()`, if it raises a ValueError in no process; otherwise all raise one, and part."""
    import jax

    result, failure = None, None
    try:
        result = work()
    except ValueError as error:
        failure = error
    failed = np.flatnonzero(_gathered(np.uint32(failure is not None)))
    if len(failed) == 0:
        return result  # pyright: ignore[reportReturnType]
    if jax.process_count() > 1:
        jax.distributed.shutdown()
    raise failure or ValueError(f"process {failed[0]} stopped the run, and says why.")


def led(first: Callable[[], Result], others: Callable[[], Result]) -> Result:
    """`first()` in process 0, and only then `others()` in the others; `agreed` in both steps."""
    import jax

    is_first = jax.process_index() == 0
    result = agreed(first if is_first else lambda: None)
    return agreed(lambda: result if is_first else others())  # pyright: ignore[reportReturnType]


def meet() -> None:
    """Wait until every process is here."""
    _gathered(np.uint32(0))


def _gathered(values: Any) -> np.ndarray:
    """Arrays of the same shape from every process, stacked by process."""
    import jax

    if jax.process_count() == 1:
        return np.asarray(values)[None]
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(np.asarray(values))


def _status(error: BaseException, log: Path, out: str | None) -> int:
    """The exit status after an error that only this process knows of, which is told."""
    import jax

    if isinstance(error, SystemExit):  # told already
        log.unlink(missing_ok=True)
        return error.code if isinstance(error.code, int) else 1
    # JAX reports it as one or the other
    if isinstance(error, ValueError | jax.errors.JaxRuntimeError) and "Gloo" in str(error):
        _tell_lost(log, out)
        return LOST
    if isinstance(error, ValueError):
        command_line.tell(str(error))
        log.unlink(missing_ok=True)
        return 2
    if isinstance(error, KeyboardInterrupt):
        command_line.tell("interrupted; nothing was written.")
        log.unlink(missing_ok=True)
        return stopping.status_of(error)
    traceback.print_exception(error)
    return 1


def _tell_lost(log: Path, out: str | None) -> None:
    kept = f"; what is finished is kept in {out}, and the same command continues" if out else ""
    command_line.tell(
        f"stopped, because another process of the run has ended (JAX's words: {log}){kept}."
    )


@contextlib.contextmanager
def _messages_aside() -> Generator[Path, None, None]:
    """What libraries below Python print goes to a file; what Python prints, where it went before.

    They print on standard output, too. The file, which is yielded, is removed at the end.
    """
    handle, name = tempfile.mkstemp(prefix="sqrt-d-law-", suffix=".log")
    log, before = Path(name), (sys.stdout, sys.stderr)
    for stream in before:
        stream.flush()
    saved = os.dup(1), os.dup(2)
    sys.stdout, sys.stderr = (
        open(copy, "w", buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False)  # noqa: SIM115
        for copy, stream in zip(saved, before, strict=True)
    )
    for number in (1, 2):
        os.dup2(handle, number)
    try:
        yield log
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
        for number, copy in enumerate(saved, 1):
            os.dup2(copy, number)
            os.close(copy)
        os.close(handle)
        log.unlink(missing_ok=True)


@contextlib.contextmanager
def _abort_says(tell: Callable[[], None], status: int) -> Generator[None, None, None]:
    """While JAX would abort this process, `tell` and exit with this status instead.

    Python's own signal handlers run between two of its instructions, of which an abort in a thread
    of the library leaves none; a handler of the C library runs at once.
    """

    def handle(_: int) -> None:
        tell()
        os._exit(status)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
    install = ctypes.CDLL(None).signal
    install.restype, install.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    before = install(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        install(signal.SIGABRT, before)
