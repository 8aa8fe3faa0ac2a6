"""What every command line here does alike: flags, one-sentence errors, signals, progress."""

import ast
import contextlib
import dataclasses
import functools
import io
import logging
import re
import sys
import traceback
from collections.abc import Callable, Generator
from typing import Any

import tyro

from sim.running import files, flags, groups, memory
from sim.running.needs import LONG, Needs, duration, gibibytes, processors
from theory import arguments, stopping
from theory.console import one_sentence, progress, tell
from theory.examples import epilog
from theory.printout import Printout, show

__all__ = ["one_sentence", "progress", "tell"]  # of `theory.console`, for every command line


@dataclasses.dataclass(frozen=True)
class Json:
    """What to do with the result."""

    json: flags.Place = None
    """Write one JSON object to this file, or to standard output for "-"."""
    full: bool = False
    """Print all tables and columns, and what they mean."""

    def targets(self) -> tuple[str | None, ...]:
        """The files to write; None for those that are not asked for."""
        return (self.json,)

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        files.check_writable(*self.targets())

    def deliver(self, printout: Callable[[], Printout], to_json: Callable[[], str]) -> None:
        """Writes what is asked for, and then prints the report, which may fail.

        Args:
            printout: Gives what the report says to people.
            to_json: Gives the text of the JSON object.
        """
        if self.json is not None:
            files.write_text(self.json, to_json())
        show(printout(), self.full, to_stderr=self.writes_to_stdout)

    @property
    def writes_to_stdout(self) -> bool:
        """Whether what is written for programs goes to standard output."""
        return "-" in self.targets()


@dataclasses.dataclass(frozen=True)
class Page(Json):
    """What to do with a result that has a page of its own in docs/."""

    markdown: bool = False
    """Print the page of docs/ instead of the tables."""

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        super().refuse()
        if self.markdown and self.json == "-":
            raise ValueError("--markdown and --json - both write to standard output: choose one.")

    def deliver_page(
        self, page: Callable[[], str], printout: Callable[[], Printout], to_json: Callable[[], str]
    ) -> None:
        """`deliver`, with the text of the page in the place of the report if it is asked for."""
        if not self.markdown:
            self.deliver(printout, to_json)
            return
        if self.json is not None:
            files.write_text(self.json, to_json())
        sys.stdout.write(page())


@dataclasses.dataclass(frozen=True)
class Picture(Json):
    """What to do with a result that can be drawn."""

    figure: flags.Place = None
    """Draw the norms against d with the predicted lines; the name ends in .png, .svg or .pdf."""

    def targets(self) -> tuple[str | None, ...]:
        return *super().targets(), self.figure

    def refuse(self) -> None:
        super().refuse()
        if self.figure is not None:
            files.check_format(self.figure)


@dataclasses.dataclass(frozen=True)
class Output(Picture):
    """What to do with the result."""

    check: bool = False
    """Exit with status 1 if a measurement contradicts its law."""


@dataclasses.dataclass(frozen=True)
class PageOutput(Output):
    """What to do with a result that has a page of its own."""

    html: flags.Place = None
    """Write one page of HTML that needs no network: tables, picture, configuration,
    provenance."""

    def targets(self) -> tuple[str | None, ...]:
        return *super().targets(), self.html

    def refuse(self) -> None:
        super().refuse()
        if self.html == "-":
            raise ValueError("--html needs the name of a file, not standard output.")


@dataclasses.dataclass(frozen=True)
class Before:
    """What is said before anything is computed."""

    dry_run: bool = False
    """Print what would be computed, and about how much memory and time it takes; compute
    nothing."""

    def is_all(self, what: str, taken: Needs) -> bool:
        """Says what a run takes; whether that is all that was asked for.

        Without --dry-run it says the time alone, on a terminal, of a run that takes long.

        Args:
            what: What is computed, a phrase.
            taken: What it takes.
        """
        takes = f"about {duration(taken.expected)} on {processors()} processors"
        if self.dry_run:
            free = gibibytes(memory.free())
            print(f"would compute {what}.")
            print(f"memory: about {gibibytes(taken.memory)}, of {free} that are free.")
            print(f"time: {takes} of its own, less where functions have been compiled before.")
        elif taken.expected > LONG and sys.stderr.isatty():
            tell(f"this takes {takes}; --dry-run says more.")
        return self.dry_run


@dataclasses.dataclass(frozen=True)
class Debug:
    """How an error is shown."""

    debug: bool = False
    """Before its sentence, show the whole traceback of an error, for instance of your own model."""


def parse(
    kinds: tuple[type, ...], prog: str, description: str, args: list[str] | None = None
) -> tuple[Any, ...]:
    """Instances of the dataclasses `kinds` from the flags on the command line.

    Every field is a flag, its docstring the help. Exits with status 2 and one sentence on stderr
    if the flags make no sense, and with 0 after `--help`.
    """
    command = _command(kinds)
    errors = io.StringIO()
    args = sys.argv[1:] if args is None else args
    try:
        arguments.check(args)
        for argument in args:
            if re.match(r"file://[^/]", argument):
                raise ValueError(f"{argument} names another host; a folder here is file:///PATH")
        with contextlib.redirect_stderr(errors):
            parsed = tyro.cli(
                command,
                prog=prog,
                description=description,
                args=args,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if stop.code:
            said = _sentence(errors.getvalue())
            print(f"{prog}: {_of_a_wrong_kind(said, kinds) or said}", file=sys.stderr)
        elif examples := epilog(prog):
            print(f"\n{examples}")
        raise
    except ValueError as error:
        arguments.refused(prog, str(error))
    return tuple(
        groups.joined(kind, [getattr(parsed, name) for name in groups.parts(kind)])
        for kind in kinds
    )


@functools.cache
def _command(kinds: tuple[type, ...]) -> type:
    """A dataclass of all groups of flags."""
    fields = [part for kind in kinds for part in groups.parts(kind).items()]
    command = dataclasses.make_dataclass("Command", fields, frozen=True)
    command.__module__ = "builtins"  # whose source tyro does not search for docstrings
    return command


def _sentence(panel: str) -> str:
    """The message of tyro's error panel, without its frame, and the nearest flag it suggests.

    The frame is of ASCII characters where the output takes no others.
    """
    parts = [
        " ".join(part.split()) for part in re.split(r"─{3,}|-{6,}", re.sub("[│╮╯]", "", panel))
    ]
    message = parts[1].rstrip(".") if len(parts) > 1 else ""
    suggested = re.search(r"Perhaps you meant: (--[\w-]+)", " ".join(parts[2:3]))
    hint = f"; did you mean {suggested[1]}?" if suggested else " (see --help)."
    return (message[:1].lower() + message[1:] or "the flags make no sense") + hint


def _of_a_wrong_kind(said: str, kinds: tuple[type, ...]) -> str | None:
    """What the flag takes whose value tyro could not read, and that value; None if it is not that.

    tyro says how it tried.
    """
    found = re.match(r"""error parsing --([\w-]+):.*?(?:from|:) (\[.*?\]|'[^']*'|"[^"]*")""", said)
    if not found:
        return None
    try:
        values = ast.literal_eval(found[2])
    except (ValueError, SyntaxError):
        return None
    value = values[0] if isinstance(values, list) and len(values) == 1 else values
    known = {one.name: one.type for kind in kinds for one in dataclasses.fields(kind)}
    name = found[1].replace("-", "_")
    return flags.refusal(name, known[name], value) if name in known else None


@contextlib.contextmanager
def debugging(wanted: bool) -> Generator[None, None, None]:
    """If `wanted`, shows tracebacks on stderr.

    That of a ValueError before it goes on, and those of predictions that fail, which end nothing.
    """
    if not wanted:
        yield
        return
    log, shown = logging.getLogger("sim"), logging.StreamHandler()
    log.addHandler(shown)
    level = log.level
    log.setLevel(logging.DEBUG)
    try:
        yield
    except ValueError as error:
        traceback.print_exception(error)
        raise
    finally:
        log.setLevel(level)
        log.removeHandler(shown)


@contextlib.contextmanager
def stoppable(out: str | None) -> Generator[None, None, None]:
    """While a run is kept in the folder `out`, a signal ends it with a sentence that says so.

    The exit status is 130 after SIGINT and 143 after SIGTERM. Does nothing for None.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if out is None:
            raise
        tell(f"stopped; what is finished is kept in {out}, and the same command continues.")
        raise SystemExit(stopping.status_of(stop)) from None
