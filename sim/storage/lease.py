"""A claim to be the only writer in a place that cannot lock files.

The claim is a small file, written anew every few seconds. A process that is killed leaves it
behind; it counts for nothing when it is old. Clocks must agree within `EXPIRES`.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

BEATS = 5.0
"""Seconds between two signs of life."""

EXPIRES = 60.0
"""Seconds without one after which a claim counts for nothing."""

SETTLES = 1.0
"""Seconds after which, of two processes that took over the same old claim, one sees the other's."""


@contextmanager
def lease(system: Any, path: str) -> Iterator[tuple[float | None, Callable[[], bool]]]:
    """Claims the file `path` of an fsspec filesystem.

    Gives the age in seconds of another process's claim, or None if the claim is ours, and whether
    it is still ours: another process may take over one that was too long without a sign of life.
    """
    name = uuid.uuid4().hex

    def content() -> bytes:
        return json.dumps({"name": name, "time": time.time()}).encode()

    def there() -> tuple[str, float]:
        """The name and the age of the claim."""
        with suppress(Exception):  # removed, or half-written, meanwhile
            claim = json.loads(system.cat_file(path))
            return claim["name"], time.time() - claim["time"]
        return "", float("inf")

    def is_mine() -> bool:
        return there()[0] == name

    try:
        system.pipe_file(path, content(), mode="create")
    except FileExistsError:
        _, age = there()
        if age < EXPIRES:
            yield max(age, 0.0), is_mine
            return
        system.pipe_file(path, content())
        time.sleep(SETTLES)
        if not is_mine():
            yield 0.0, is_mine
            return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEATS):
            with suppress(Exception):  # a failure of the network may pass
                if is_mine():
                    system.pipe_file(path, content())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield None, is_mine
    finally:
        ended.set()
        thread.join()
        with suppress(Exception):
            if is_mine():
                system.rm_file(path)
