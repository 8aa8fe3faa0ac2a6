"""`sqrt-d-law NAME`, or `python -m sim NAME`: every command by its name, and what there is."""

import contextlib
import importlib
import importlib.util
import io
import runpy
import sys
from collections.abc import Sequence
from functools import partial

from theory import console, stopping
from theory.names import unknown

COMMANDS = {
    "scaling": ("sim.scaling", "how the input gradient grows with the input, beside the law"),
    "vulnerability": ("sim.vulnerability", "real attacks beside first-order damage"),
    "audit": ("sim.audit", "which layers make the gap to a prediction"),
    "training": ("sim.training", "the law after ordinary and robust training"),
    "pretrained": ("sim.pretrained", "one trained network beside those at initialization"),
    "atlas": ("sim.atlas", "public architectures at initialization, and which have the √d"),
    "penalty": ("sim.penalty", "attacks in training as a gradient penalty"),
    "report": ("sim.report", "the report of a stored run"),
    "training-report": ("sim.training_report", "the report of a stored study of training"),
    "results": ("sim.results", "the tables of results of the documentation"),
    "calibration": ("sim.calibration", "whether intervals and verdicts mean what they say"),
    "simulate": ("sim.statements", "a simulation of every statement"),
    "later": ("sim.statements.later", "later theorems, and from where on they are seen"),
    "theory": ("theory", "the statements as derivations that check themselves"),
    "laws": ("theory.laws", "the law of an architecture, layer by layer"),
    "defaults": ("theory.defaults", "what a library's default initialization implies"),
}
"""Modules that are commands, and what they are for, by what they are called here."""


def main() -> int:
    """Runs the command that is named first, or lists all; returns the exit status."""
    words = sys.argv[1:]
    if not words or words[0] not in COMMANDS:
        return console.run(partial(listed, words))
    sys.argv[1:] = words[1:]
    try:
        runpy.run_module(COMMANDS[words[0]][0], run_name="__main__", alter_sys=True)
    except KeyboardInterrupt as stop:  # before the command has begun
        return stopping.status_of(stop)
    return 0


def listed(words: Sequence[str]) -> int:
    """Lists the commands; exits with status 2 and one sentence if another one was named."""
    with console.one_sentence():
        if words[:1] == ["--completion"]:
            return completion(words[1:])
        if words and words[0] not in ("-h", "--help"):
            raise ValueError(unknown("command", words[0], COMMANDS))
    print("usage: sqrt-d-law NAME [options]\n")
    for name, (_, purpose) in COMMANDS.items():
        print(f"  {name:16} {purpose}")
    print("\nsqrt-d-law NAME --help has the options of one, and examples.")
    print("source <(sqrt-d-law --completion bash) completes them in a shell (bash or zsh).")
    return 0


def completion(words: Sequence[str]) -> int:
    """Prints the script that completes commands, flags and values in a shell.

    Args:
        words: The shell.

    Raises:
        ValueError: There is none for that shell.
    """
    from sim.completion import SHELLS, script

    if len(words) != 1 or words[0] not in SHELLS:
        raise ValueError(f"--completion needs one of {' and '.join(SHELLS)}.")
    print(script(words[0], {name: help_of(module) for name, (module, _) in COMMANDS.items()}))
    return 0


def help_of(module: str) -> str:
    """The --help of a command.

    Args:
        module: Its module.
    """
    found = importlib.util.find_spec(module)
    is_package = found is not None and found.submodule_search_locations is not None
    main_of = importlib.import_module(f"{module}.__main__" if is_package else module).main
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main_of(["--help"])
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main())
