"""How every `main` here ends: its exit status, without a traceback for what is no error."""

import os
import sys
from collections.abc import Callable

INTERRUPTED = 130


def run(main: Callable[[], int]) -> int:
    """The exit status of a `main`; an interruption or a closed pipe ends it quietly."""
    try:
        status = main()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("interrupted; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader has gone: nothing is left to say, and nothing may complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
