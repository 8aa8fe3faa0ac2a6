"""How a signal ends a command: always, and with the status that a shell gives it.

What a handler raises is lost where a library had called back into Python. So the handler raises,
for those who keep or tell something at the end; what is lost is raised again; and a timer ends a
process that goes on.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM

GRACE = 5.0
"""Seconds that a process has to end by itself."""

AGAIN = 0.01
"""Seconds until what was lost is raised again."""


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
        self._lost = False
        self._hooks = sys.excepthook, sys.unraisablehook

    def stop(self, number: int, _: Any) -> None:
        """The handler. Signals after the first change nothing: the process is ending."""
        if self.status is None:
            self.status = 128 + number
            self._timer = _later(GRACE, self._end)
        elif not self._lost:
            return
        self._lost = False
        raise Stopped(self.status)

    def uncaught(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """The hook for what is printed: not `Stopped`, as Cython prints what it then ignores."""
        if not issubclass(kind, Stopped):
            self._hooks[0](kind, error, trace)

    def lost(self, ignored: Any) -> None:
        """The hook for exceptions that Python must ignore: `Stopped` is raised again."""
        if not isinstance(ignored.exc_value, Stopped):
            self._hooks[1](ignored)
            return
        self._lost, number = True, ignored.exc_value.status - 128

        def again() -> None:
            if signal.getsignal(number) == self.stop:  # the command has not ended meanwhile
                _thread.interrupt_main(signal.Signals(number))

        _later(AGAIN, again)

    def hook(self) -> None:
        """Hears of exceptions that are printed or ignored, until `unhook`."""
        sys.excepthook, sys.unraisablehook = self.uncaught, self.lost

    def unhook(self) -> None:
        """What was before `hook`."""
        sys.excepthook, sys.unraisablehook = self._hooks

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


def _later(seconds: float, function: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer


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
        signals.hook()
    try:
        yield signals
    finally:
        signals.unhook()
        for number, handler in before.items():
            signal.signal(number, handler)
