"""One text, two notebooks: the one for students has neither answers nor what explains them.

In the text an answer is a line `answer = …  # SOLUTION`, and what explains it is a cell with the
tag `solution`. Here is also what every notebook begins with where the project is not installed.
"""

import re
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

from notebooks.exercise import OPEN

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"^(\s*\w+ = ).*  # SOLUTION$", re.MULTILINE)
TAG = "solution"
INSTALL = """\
PROJECT = "{place}"  # the folder, the file or the address that you have sqrt-d-law from
try:
    import notebooks.exercise
except ImportError:  # not installed yet
    %pip install --quiet "{{PROJECT}}\""""
COLAB = "https://colab.research.google.com/github/{name}/blob/main/notebooks/{notebook}.ipynb"


def address() -> str | None:
    """The address of the repository in pyproject.toml, the one place for it, if there is one."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        urls: dict[str, str] = tomllib.load(file)["project"].get("urls", {})
    return urls.get("Repository")


def install_cell(repository: str | None) -> str:
    """The source of the cell that installs the project where it is missing."""
    return INSTALL.format(place=f"git+{repository}" if repository else "..")


def colab(repository: str | None, notebook: str) -> str:
    """A line that opens a notebook on Colab; empty while the project has no address on GitHub."""
    name = (repository or "").removeprefix("https://github.com/").strip("/")
    if name == (repository or "").strip("/"):
        return ""
    return f"[Open in Colab]({COLAB.format(name=name, notebook=notebook)})"


def is_explanation(cell: Any) -> bool:
    """Whether a cell explains an answer."""
    return TAG in cell.metadata.get("tags", ())


def for_students(solved: Any) -> Any:
    """The notebook for students of one with solutions: `...` in the place of every answer."""
    notebook = deepcopy(solved)
    notebook.cells = [cell for cell in notebook.cells if not is_explanation(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code" and MARK.search(cell.source):
            cell.source = MARK.sub(r"\1...", cell.source)
            for out in cell.outputs:
                out.text = f"{OPEN}\n"
    return notebook


def for_teachers(solved: Any) -> Any:
    """The same notebook without the marks, for a folder inside of the one for students."""
    notebook = deepcopy(solved)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = cell.source.replace("  # SOLUTION", "")
        else:
            cell.source = cell.source.replace("](../", "](../../")
    return notebook
