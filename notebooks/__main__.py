"""`python -m notebooks DIR` copies the notebooks there. What is there already stays as it is."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from sim.running import command_line
from theory import console

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Options:
    """Which notebooks, and where to."""

    folder: Annotated[Positional[str], arg(metavar="DIR")]
    """Folder to copy them to; it is made if it is not there."""
    solutions: bool = False
    """Copy the versions with solutions, for teachers, as NAME_solved.ipynb."""


def copy(folder: str, solutions: bool = False) -> list[tuple[Path, bool]]:
    """Copies the notebooks to a folder, and replaces nothing.

    Args:
        folder: Where to; it is made if it is not there.
        solutions: Copy the versions with solutions instead.

    Returns:
        Every file that is there now, and whether it is new.

    Raises:
        ValueError: If the folder cannot be made or written to.
    """
    source, ending = (FOLDER / "solutions", "_solved") if solutions else (FOLDER, "")
    found: list[tuple[Path, bool]] = []
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path in sorted(source.glob("[0-9]_*.ipynb")):
            target = Path(folder) / f"{path.stem}{ending}.ipynb"
            found.append((target, _is_new(path, target)))
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror}.") from None
    return found


def _is_new(source: Path, target: Path) -> bool:
    """Copies one file, whole or not at all; False if there was something of this name."""
    content = source.read_bytes()
    try:
        file = target.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(content)
    except BaseException:
        target.unlink()
        raise
    return True


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    (options,) = command_line.parse((Options,), "python -m notebooks", __doc__ or "", args)
    with command_line.one_sentence():
        found = copy(options.folder, options.solutions)
    for path, is_new in found:
        print(path if is_new else f"{path} was there already and stays as it is")
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
