"""Work that goes on beside the main thread, and never keeps a process from ending."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def started(work: Callable[[], T]) -> Callable[[], T]:
    """Start `work` in a thread of its own; the function returned waits for its result.

    An exception of `work` is raised there. The thread is left alone when the process ends.
    """
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found.result
