"""What every `main` here does alike: how it ends, and how it prints tables and its progress."""

import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from theory import stopping

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What goes wrong where something is written although it could be."""


def run(main: Callable[[], int]) -> int:
    """The exit status of a `main`; an interruption or a closed pipe ends it quietly.

    What cannot be written is one sentence, and status 2. Warnings of libraries are not shown unless
    Python was asked for them: what a reader must know stands in the report.
    """
    _prepare()
    status = 0
    with stopping.heeded() as signals, warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
        try:
            status = main()
            sys.stdout.flush()
        except KeyboardInterrupt as stop:
            tell("interrupted; nothing was written.")
            status = stopping.status_of(stop)
        except BrokenPipeError:
            _leave(sys.stdout)
        except BaseException as error:
            # a library may make another error of what the signal raised
            if signals.status is None and getattr(error, "errno", None) not in FULL:
                raise
            if isinstance(error, OSError):
                _leave(sys.stdout)
                tell(f"cannot write {error.filename or 'to standard output'}: {error.strerror}.")
            status = 2
    return signals.ended(status)


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


def tell(line: str) -> None:
    """A line on standard error, which it stays if it has line breaks."""
    print(" ".join(line.splitlines()), file=sys.stderr, flush=True)


@contextlib.contextmanager
def one_sentence(kind: type[ValueError] = ValueError) -> Generator[None, None, None]:
    """Turns an error of this kind into its sentence on stderr and exit status 2."""
    try:
        yield
    except kind as error:
        tell(str(error))
        raise SystemExit(2) from None


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
