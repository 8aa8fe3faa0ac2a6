"""What every command line refuses alike, in one line, before it looks at what its flags mean."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from theory.examples import epilog


def check(arguments: Sequence[str]) -> None:
    """Refuses arguments that mean nothing, whatever the flag.

    Args:
        arguments: What stands behind the name of the command.

    Raises:
        ValueError: An argument is empty or cannot be shown in a line, or a flag is given twice.
    """
    given: set[str] = set()
    last = "an argument"
    for argument in arguments:
        if not argument.isprintable():
            raise ValueError(f"{last} has a character that cannot be shown: {argument!r}.")
        flag, has_value, value = argument.partition("=")
        is_flag = flag.startswith("--")
        if is_flag:
            last = flag.replace("_", "-")
            if last in given:
                raise ValueError(f"{last} is given twice.")
            given.add(last)
        if not (value if is_flag and has_value else argument).strip():
            raise ValueError(f"{last} is empty.")


def refused(prog: str, message: str) -> NoReturn:
    """Ends the process with status 2 and one line on standard error."""
    print(f"{prog}: {' '.join(message.split()).rstrip('.')} (see --help).", file=sys.stderr)
    raise SystemExit(2)


class Parser(argparse.ArgumentParser):
    """A parser of flags, all written in full, that says in one line what it cannot read."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog(prog),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def read(self, arguments: Sequence[str] | None = None) -> Any:
        """The values of the flags; those of the process unless given. Exits with 2 if they are bad.

        Args:
            arguments: What stands behind the name of the command.
        """
        arguments = sys.argv[1:] if arguments is None else arguments
        try:
            check(arguments)
        except ValueError as error:
            self.error(str(error))
        return self.parse_args(arguments)

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2 and one line on standard error."""
        refused(self.prog, message)
