"""What every `main` here does alike: how it ends, and how it prints tables and its progress."""

import contextlib
import errno
import io
import os
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console

INTERRUPTED = 130


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What goes wrong where something is written although it could be."""


def run(main: Callable[[], int]) -> int:
    """The exit status of a `main`; an interruption or a closed pipe ends it quietly.

    What cannot be written is one sentence, and status 2.
    """
    _prepare()
    status = 0
    try:
        status = main()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("interrupted; nothing was written.", file=sys.stderr, flush=True)
        if threading.active_count() > 1:
            os._exit(INTERRUPTED)  # a thread inside of a library would be waited for
        return INTERRUPTED
    except BrokenPipeError:
        _leave(sys.stdout)
        return status
    except OSError as error:
        if error.errno not in FULL:
            raise
        _leave(sys.stdout)
        place = error.filename or "to standard output"
        print(f"cannot write {place}: {error.strerror}.", file=sys.stderr)
        return 2


def _prepare() -> None:
    """Standard output and error that take every character, in their place if they are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # opened, so that no file takes its number
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="replace")


def _leave(stream: "TextIO") -> None:
    """The reader has gone: nothing is left to say, and nothing may complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def for_tables(width: int, to_stderr: bool = False) -> "Console":
    """Standard output, or standard error, as wide as the terminal; of this width if it is none."""
    from rich.console import Console

    class Tables(Console):
        def on_broken_pipe(self) -> None:  # the status is that of the result
            self.quiet = True
            _leave(sys.stderr if to_stderr else sys.stdout)

    found = Tables(stderr=to_stderr)
    return found if found.is_terminal else Tables(stderr=to_stderr, width=width)


@contextlib.contextmanager
def progress(title: str, total: int) -> Generator[Callable[..., None], None, None]:
    """A progress bar on stderr where that is a terminal; yields the function that advances it.

    Called with `more` as its second argument, that function also adds it to what there is to do.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # what is printed meanwhile appears above the bar, but goes to a pipe unchanged
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task(title, total=total)

        def advance(done: int, more: int = 0) -> None:
            if more:
                bar.update(task, total=(bar.tasks[0].total or 0) + more)
            bar.advance(task, done)

        yield advance
