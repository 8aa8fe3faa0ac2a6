"""python -m theory [NAME] [--latex | --markdown | --check]

Without options: the list of statements, or one derivation. Exit status 1 if a check fails, 2 for
bad usage.
"""

import sys
import time
from collections.abc import Callable, Sequence

from theory.arguments import Parser
from theory.console import one_sentence, progress, run
from theory.names import unknown
from theory.statements import STATEMENTS, Statement, render, typeset, verify

CORE = ("true-masks", "theorem-4", "theorem-5", "condition-s", "corollary-6", "average-pooling")
"""The statements on gradients at initialization, with the one that they are corollaries of."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = Parser(
        "python -m theory",
        "The statements about input gradients, with derivations that check themselves.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one statement (default: all)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="print a LaTeX document of it")
    form.add_argument("--markdown", action="store_true", help="print it as Markdown")
    form.add_argument("--check", action="store_true", help="run all checks; exit 1 if one fails")
    options = parser.read(arguments)
    with one_sentence():
        if options.name is not None and options.name not in STATEMENTS:
            raise ValueError(unknown("statement", options.name, STATEMENTS))
    names = list(STATEMENTS) if options.name is None else [options.name]
    if options.check:
        complete = True
        with progress("checking statements", len(names)) as advance:
            for name in names:
                complete &= _check(STATEMENTS[name])
                advance(1)
        return 0 if complete else 1
    if options.latex:
        print(typeset.document(STATEMENTS[name] for name in names))
        return 0
    style: Callable[[Statement], str] = render.text
    if options.markdown:
        style = render.markdown
    elif options.name is None:
        style = _line
    separator = "\n" if style is _line else "\n\n"
    print(separator.join(style(STATEMENTS[name]) for name in names))
    if style is _line:
        for what, chosen in (("All statements", names), ("The paper's on initialization", CORE)):
            some, all_steps = universal_steps(chosen)
            print(f"{what}: {some} of {all_steps} steps hold for all values.", file=sys.stderr)
        print("None was run now: --check runs them all.", file=sys.stderr)
    return 0


def _line(statement: Statement) -> str:
    universal = sum(step.universal for step in statement.steps)
    counts = f"{universal} of {len(statement.steps)} steps for all values"
    return f"{statement.name:22} {statement.title} ({counts}): {statement.proof}"


def universal_steps(names: Sequence[str]) -> tuple[int, int]:
    """How many steps of the named statements hold for all values of their symbols, and of all."""
    steps = [step for name in names for step in STATEMENTS[name].steps]
    return sum(step.universal for step in steps), len(steps)


def _check(statement: Statement) -> bool:
    start = time.perf_counter()
    results = verify(statement)
    passed = sum(result.passed for result in results)
    complete = passed == len(results) > 0
    seconds = time.perf_counter() - start
    mark = "✓" if complete else "✗"
    print(f"{mark} {statement.name:16} {passed} of {len(results)} steps, {seconds:.1f} s")
    for number, result in enumerate(results, start=1):
        if not result.passed:
            print(f"    step {number}: {result.step.reason}: {result.problem}")
    return complete


if __name__ == "__main__":
    sys.exit(run(main))
