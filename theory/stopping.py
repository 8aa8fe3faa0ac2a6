"""How a signal ends a command: always, and with the status that a shell gives it.

What a handler raises is lost where a library had called back into Python. So the handler raises,
for those who keep or tell something at the end, and a timer ends a process that goes on.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Generator
from typing import Any

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

GRACE = 5.0
"""Seconds that a process has to end by itself."""


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by a signal that ends the command."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def status_of(stop: KeyboardInterrupt) -> int:
    """The exit status after it."""
    return stop.status if isinstance(stop, Stopped) else INTERRUPTED


class Signals:
    """SIGINT and SIGTERM of this process while a command runs."""

    def __init__(self) -> None:
        self.status: int | None = None
        """The exit status after the signal that came first; None if none came."""
        self._timer: threading.Timer | None = None

    def stop(self, number: int, _: Any) -> None:
        """The handler. Signals after the first change nothing: the process is ending."""
        if self.status is not None:
            return
        self.status = 128 + number
        self._timer = threading.Timer(GRACE, self._end)
        self._timer.daemon = True
        self._timer.start()
        raise Stopped(self.status)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            print("stopped.", file=sys.stderr, flush=True)
        os._exit(self.status or INTERRUPTED)

    def ended(self, status: int) -> int:
        """The exit status of a command that has ended, with this one if no signal came.

        After a signal the process ends here if other threads run, which might be waited for.
        """
        if self.status is None or self._timer is None:
            return status
        self._timer.cancel()
        self._timer.join()
        if threading.active_count() > 1:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(self.status)
        return self.status


@contextlib.contextmanager
def heeded() -> Generator[Signals, None, None]:
    """While the context lasts, signals raise `Stopped`; what is ignored stays ignored.

    Outside of the main thread, where Python has no handlers, nothing is changed.
    """
    signals, before = Signals(), {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, signals.stop)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
