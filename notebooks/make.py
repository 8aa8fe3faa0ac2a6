"""`python -m notebooks.make` runs the text of the notebooks and writes the .ipynb files.

The text (.py, jupytext's percent format) is what is edited. It has the solutions, and makes two
notebooks: one for students and, in `solutions`, one for teachers. `--check` compares instead.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from tyro.conf import Positional

from notebooks import versions
from sim.plan import refusals
from sim.running import command_line, files
from theory import console
from theory.names import unknown

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("[0-9]_*.py")))
TIMEOUT = 600

METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def of_text(name: str) -> Any:
    """The notebook of a text, without outputs, with the same cell ids whenever it is made."""
    import jupytext

    notebook = jupytext.read(FOLDER / f"{name}.py")
    notebook.metadata = nbformat.from_dict(METADATA)
    repository = versions.address()
    install = nbformat.v4.new_code_cell(versions.install_cell(repository))
    notebook.cells.insert(1, install)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{name}-{i}"
        tags = [versions.TAG] if versions.is_explanation(cell) else []
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    if link := versions.colab(repository, name):
        notebook.cells[0].source += f"\n\n{link}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def executed(name: str) -> Any:
    """The notebook of a text with its outputs, and with the solutions. Raises as `run` does."""
    return run(of_text(name), FOLDER)


def run(notebook: Any, folder: Path) -> Any:
    """The same notebook with its outputs: no times, no paths, nothing from standard error.

    Raises nbclient.exceptions.CellExecutionError if a cell fails.
    """
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources=resources,
        record_timing=False, coalesce_streams=True,
    )  # fmt: skip
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            for out in cell.outputs:
                if "image/png" in out.get("data", {}):
                    out.data["text/plain"] = "a figure"
    return notebook


def both(solved: Any) -> dict[Path, Any]:
    """The notebook for students and the one for teachers, by the folders that they are kept in."""
    students = versions.for_students(solved)
    return {FOLDER: students, FOLDER / "solutions": versions.for_teachers(solved)}


def stored(name: str, folder: Path = FOLDER) -> Any:
    """The .ipynb as it is in the repository."""
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def text_outputs(notebook: Any) -> list[str]:
    """What the cells printed or displayed, pictures left out, one entry for each output."""
    found = []
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            data = out.get("data", {})
            found.append(out.get("text") or data.get("text/latex") or data.get("text/plain", ""))
    return found


def same(one: str, other: str) -> bool:
    """Whether two outputs say the same, numbers to a hundredth: other machines round otherwise."""
    number = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    if re.sub(number, "#", one) != re.sub(number, "#", other):
        return False
    pairs = zip(re.findall(number, one), re.findall(number, other), strict=True)
    return all(abs(float(a) - float(b)) <= 0.01 * (1 + abs(float(b))) for a, b in pairs)


@dataclass(frozen=True)
class Options:
    """Which notebooks."""

    names: Positional[tuple[str, ...]] = NAMES
    """Notebooks to run; all of them unless given."""
    check: bool = False
    """Compare what is printed with the .ipynb files instead of writing them."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 a difference, 2 bad usage)."""
    (options,) = command_line.parse((Options,), "python -m notebooks.make", __doc__ or "", args)
    with command_line.one_sentence():
        for name in options.names:
            if name not in NAMES:
                raise ValueError(unknown("notebook", name, NAMES))
        refusals.check_distinct("NAMES", options.names)
    differ = False
    for name in options.names:
        for folder, notebook in both(executed(name)).items():
            target = folder / f"{name}.ipynb"
            if options.check:
                pairs = zip(text_outputs(notebook), text_outputs(stored(name, folder)), strict=True)
                differ |= not all(same(*pair) for pair in pairs)
            else:
                files.write_text(str(target), nbformat.writes(notebook) + "\n")
            print(target.relative_to(FOLDER.parent))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(console.run(main))
