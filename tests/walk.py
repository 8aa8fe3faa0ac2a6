"""Walks through a page as a new user would, and compares what is printed with what the page shows.

    python tests/walk.py [--write] [PAGE ...]

Commands and blocks of Python run one after the other in an empty folder; a block of `text` below
one of them is what it prints. `--write` puts in what was printed. What installs is left out, and so
is pytest: `.ci/run` does both as the README says.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/quickstart.md", "docs/sweeps.md", "docs/teaching.md", "docs/reading.md")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = ("python3 -m venv", "pip install", "py -m venv", "pytest", "jupyter")
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"


class Step(NamedTuple):
    """Something that a reader is told to run."""

    language: str
    """`sh` or `python`."""
    code: str
    shown: str | None
    """What the page says that it prints, if it does."""
    span: tuple[int, int]
    """Where in the page that is."""


def steps(text: str) -> list[Step]:
    """What a page tells its readers to run, in order."""
    found: list[Step] = []
    last: int | None = None  # where the step is that a block of text would belong to
    for fence in FENCE.finditer(text):
        if fence[1] in ("sh", "python"):
            found.append(Step(fence[1], fence[2], None, (0, 0)))
            last = len(found) - 1
        elif fence[1] == "text" and last is not None:
            found[last] = found[last]._replace(shown=fence[2], span=fence.span(2))
            last = None
    return found


def commands(code: str) -> Iterator[str]:
    """The commands of a block of `sh` that are run here, for this Python."""
    for line in code.splitlines():
        for part in line.split("#")[0].split("&&"):
            command = part.strip().removeprefix(".venv/bin/")
            if command and not any(word in command for word in LEFT_OUT):
                yield command


def run(step: Step, folder: Path) -> str:
    """What a step prints. Raises AssertionError if it fails."""
    if step.language == "python":
        return _output([sys.executable, "-c", step.code], folder)
    printed = ""
    for command in commands(step.code):
        words = command.split()
        assert words[0] in ("python", "sqrt-d-law"), command
        if words[0] == "sqrt-d-law":
            words[:1] = ["python", "-m", "sim"]
        printed += _output([sys.executable, *words[1:]], folder)
    return printed


def _output(words: list[str], folder: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words[1:])}\n{done.stderr}"
    return done.stdout


def same(one: str, other: str) -> bool:
    """Whether two outputs say the same, decimals to two units in their last place.

    Other machines round otherwise, and nothing more: they draw the same networks.
    """
    words, others = (re.sub(r"[\s─]+", " ", text).strip() for text in (one, other))
    if re.sub(NUMBER, "#", words) != re.sub(NUMBER, "#", others):
        return False
    pairs = zip(re.findall(NUMBER, words), re.findall(NUMBER, others), strict=True)
    return all(abs(Decimal(a) - Decimal(b)) <= 2 * _last_place(b) for a, b in pairs)


def _last_place(number: str) -> Decimal:
    """One unit in the last place of a decimal; 0 of an integer, which is a count."""
    exponent = Decimal(number).as_tuple().exponent
    return Decimal(10) ** exponent if "." in number else Decimal(0)


def plain(printed: str) -> str:
    """What was printed as it stands in a page: no empty lines around it, no spaces at the ends."""
    return "\n".join(line.rstrip() for line in printed.strip("\n").splitlines()).strip("\n") + "\n"


def main() -> int:
    """Walks through the pages; returns the exit status (1 if one shows something else)."""
    names = [word for word in sys.argv[1:] if word != "--write"] or PAGES
    status = 0
    for name in names:
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        written: list[tuple[Step, str]] = []
        with tempfile.TemporaryDirectory() as folder:
            for step in steps(text):
                print(f"{name}: {step.code.strip().splitlines()[0]}", file=sys.stderr)
                printed = run(step, Path(folder))
                if step.shown is None or plain(printed) == step.shown:
                    continue
                written.append((step, plain(printed)))
                if not same(printed, step.shown):
                    print(f"{name} shows\n\n{step.shown}\nbut it is\n\n{plain(printed)}")
                    status = 1
        if "--write" in sys.argv:
            for step, printed in reversed(written):
                text = text[: step.span[0]] + printed + text[step.span[1] :]
            page.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
