"""What every `main` here does alike: how it ends, and how it prints tables and its progress."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130


def run(main: Callable[[], int]) -> int:
    """The exit status of a `main`; an interruption or a closed pipe ends it quietly."""
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
        # the reader has gone: nothing is left to say, and nothing may complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def for_tables(width: int, to_stderr: bool = False) -> "Console":
    """Standard output, or standard error, as wide as the terminal; of this width if it is none."""
    from rich.console import Console

    found = Console(stderr=to_stderr)
    return found if found.is_terminal else Console(stderr=to_stderr, width=width)


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
