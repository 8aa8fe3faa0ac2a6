"""The house: which rooms there are, and that imports point down only.

Read from the sources alone (`ast`), imports inside functions included. Imports for types only
(`if TYPE_CHECKING`) are left out. Where a package has a face (`__init__.pyi`), a name that is
imported from the package counts as an import of the module that the face takes it from.
"""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("theory", "sim", "figures")

FLOORS = (
    ("__main__",),
    ("report", "training_report", "results", "completion", "atlas"),
    ("scaling", "vulnerability", "training", "pretrained", "penalty", "calibration", "statements"),
    ("audit",),
    ("predictions",),
    ("independence", "attacks", "plan"),
    ("sampling",),
    ("models",),
    ("networks",),
    ("statistics", "storage", "drawing"),
    ("running",),
)
"""The rooms of `sim`, from the top to the bottom.

A room may import those of lower floors, and `theory`; two rooms of the same floor only in one
direction (`test_no_circles`).
"""
COMMANDS = ("__main__", "report", "training_report")
"""Modules at the top of `sim` that are commands."""

MOST_ROOMS = 12
LONGEST_CHAIN = 8
"""Imports from the room at the top of a chain to the one at its bottom."""
MOST_LINES = 400
MOST_INNER_IMPORTS = 15


class Import(NamedTuple):
    """A line of a module that imports another module of the project."""

    source: str
    target: str
    line: int
    function: str | None
    """The function around it, if there is one."""

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}, imports {self.target}"


@cache
def sources() -> dict[str, Path]:
    """The file of every module of the project."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_package(module: str) -> bool:
    return sources()[module].name == "__init__.py"


@cache
def face(package: str) -> dict[str, str]:
    """The modules that the names in a package's `__init__.pyi` are taken from."""
    stub = sources()[package].with_suffix(".pyi")
    if not is_package(package) or not stub.exists():
        return {}
    found = {}
    for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            origin = ".".join(filter(None, (package, node.module)))
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                found[alias.name] = inner if inner in sources() else origin
    return found


def targets(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The modules of the project that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in sources())
        return
    assert node.level == 0, "the project has no relative imports outside of faces"
    origin = node.module or ""
    for alias in node.names:
        inner = f"{origin}.{alias.name}"
        if inner in sources():
            yield inner
        elif origin in sources():
            yield face(origin).get(alias.name, origin)


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(node: ast.AST, function: str | None = None) -> Iterator[tuple[ast.AST, str | None]]:
    """All nodes below a node with the functions around them, without those for types only."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        if is_for_types(child):
            for other in child.orelse if isinstance(child, ast.If) else []:
                yield other, function
                yield from statements(other, function)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            name = getattr(child, "name", "a lambda") if is_function else None
            yield from statements(child, function or name)


@cache
def imports() -> tuple[Import, ...]:
    """All imports of one module of the project by another."""
    found = []
    for module, path in sources().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, function in statements(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found += [Import(module, target, node.lineno, function) for target in targets(node)]
    return tuple(found)


def room(module: str) -> str:
    """The package, or the module at the top of its package, that a module is in."""
    return ".".join(module.split(".")[:2])


@cache
def arrows_between_modules() -> Mapping[str, frozenset[str]]:
    """What every module imports; a face imports the modules whose names it has."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in imports():
        found[one.source].add(one.target)
    for module in sources():
        found[module] |= set(face(module).values())
    return {module: frozenset(reached - {module}) for module, reached in found.items()}


@cache
def arrows_between_rooms() -> Mapping[str, frozenset[str]]:
    """What every room imports; the faces of `theory` and `sim` are no rooms."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in imports():
        if one.source not in PACKAGES:
            found[room(one.source)].add(room(one.target))
    return {name: frozenset(reached - {name}) for name, reached in found.items()}


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """A shortest circle through every node that lies on one, each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for start in arrows:
        paths = {start: [start]}
        waiting = [start]
        while waiting:
            node = waiting.pop(0)
            for target in sorted(arrows.get(node, ())):
                if target == start:
                    found.setdefault(frozenset(paths[node]), [*paths[node], start])
                    waiting.clear()
                    break
                if target not in paths:
                    paths[target] = [*paths[node], target]
                    waiting.append(target)
    return list(found.values())


def longest(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """The longest chain of arrows; there must be no circles."""

    @cache
    def below(node: str) -> tuple[str, ...]:
        return (node, *max((below(x) for x in sorted(arrows.get(node, ()))), key=len, default=()))

    return list(max((below(node) for node in arrows), key=len, default=()))


def floor(name: str) -> int | None:
    """The number of a room's floor, from the top."""
    return next((i for i, names in enumerate(FLOORS) if name in names), None)


def must_be_empty(wrong: Iterable[object], rule: str) -> None:
    """Fails with the rule and one line for each thing that is wrong."""
    lines = [f"  {one}" for one in wrong]
    if lines:
        pytest.fail("\n".join([rule, *lines]), pytrace=False)


# --- the tests


def test_theory_knows_nothing_of_the_simulation():
    wrong = []
    for module, path in sources().items():
        if module.split(".")[0] != "theory":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{module}, line {getattr(node, 'lineno', 0)}, imports {name}"
                for name in names
                if name.split(".")[0] in ("jax", "jaxlib", "sim", "figures")
            ]
    must_be_empty(wrong, "theory may import neither jax nor sim nor figures:")


def test_nothing_below_imports_figures():
    wrong = [
        one
        for one in imports()
        if one.target.split(".")[0] == "figures" and one.source.split(".")[0] != "figures"
    ]
    must_be_empty(wrong, "figures is above theory and sim, which may not import it:")


def rooms_of_sim() -> set[str]:
    return {module.split(".")[1] for module in sources() if module.startswith("sim.")}


def test_every_room_has_its_floor():
    known = {name for names in FLOORS for name in names}
    must_be_empty(sorted(rooms_of_sim() - known), "these rooms of sim have no floor in FLOORS:")
    must_be_empty(sorted(known - rooms_of_sim()), "FLOORS names rooms that are not there:")


def test_imports_point_down():
    wrong = []
    for one in imports():
        source, target = one.source.split("."), one.target.split(".")
        if source[0] != "sim" or target[0] != "sim" or len(source) < 2:
            continue
        above, below = (floor(parts[1]) if len(parts) > 1 else None for parts in (source, target))
        if len(target) < 2:
            wrong.append(f"{one}, which is all rooms at once")
        elif above is not None and below is not None and below < above:
            wrong.append(f"{one}, which is on a higher floor")
    must_be_empty(wrong, "imports of sim must point down the list FLOORS:")


@pytest.mark.parametrize("kind", ["rooms", "modules"])
def test_no_circles(kind):
    arrows = arrows_between_rooms() if kind == "rooms" else arrows_between_modules()
    wrong = [" → ".join(circle) for circle in circles(arrows)]
    must_be_empty(wrong, f"these {kind} import each other in a circle:")


def test_chains_of_imports_are_short():
    arrows = {
        name: [x for x in reached if x.startswith("sim.")]
        for name, reached in arrows_between_rooms().items()
        if name.startswith("sim.")
    }
    if circles(arrows):
        pytest.fail("while rooms import each other in a circle, no chain is the longest", False)
    chain = longest(arrows)
    wrong = [" → ".join(chain)] if len(chain) - 1 > LONGEST_CHAIN else []
    must_be_empty(wrong, f"a chain of {len(chain) - 1} imports, more than {LONGEST_CHAIN}:")


def test_no_file_is_long():
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources().values()
    }
    wrong = [f"{path} has {n} lines" for path, n in lengths.items() if n > MOST_LINES]
    must_be_empty(wrong, f"a file may have {MOST_LINES} lines at most:")


def test_few_functions_import_modules_of_the_project():
    found = sorted({(one.source, one.function) for one in imports() if one.function is not None})
    wrong = [f"{module}, {name}" for module, name in found]
    must_be_empty(
        wrong if len(wrong) > MOST_INNER_IMPORTS else [],
        f"{len(wrong)} functions import modules of the project, at most {MOST_INNER_IMPORTS} may:",
    )


def test_there_are_few_rooms():
    libraries = sorted(
        name for name in rooms_of_sim() - set(COMMANDS) if f"sim.{name}.__main__" not in sources()
    )
    must_be_empty(
        libraries if len(libraries) > MOST_ROOMS else [],
        f"sim has {len(libraries)} rooms besides its commands, at most {MOST_ROOMS} are allowed:",
    )


def test_every_package_of_sim_says_what_it_is_for_and_loads_nothing():
    wrong = []
    for module, path in sources().items():
        if module.split(".")[0] != "sim" or not is_package(module):
            continue
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
            wrong.append(f"{module} has no docstring")
        if any(one.source == module and one.target != "theory" for one in imports()):
            wrong.append(f"{module} imports modules of the project, its face is not lazy")
        if not path.with_suffix(".pyi").exists():
            wrong.append(f"{module} has no __init__.pyi with its public names")
            continue
        for name, source in face(module).items():
            # whether the name is the function or the module would depend on what was imported first
            if f"{module}.{name}" in sources() and source != f"{module}.{name}":
                wrong.append(f"{module} has {name} of {source}, which is also a module of its own")
    must_be_empty(wrong, "a package of sim has a docstring and a lazy face:")


def test_the_package_itself_loads_without_jax():
    script = "import sys, sim; sys.exit('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert done.returncode == 0, "import sim loads jax."


# --- the rules themselves notice what is wrong


def test_a_circle_is_found_and_a_chain_is_measured():
    arrows = {"a": ["b"], "b": ["c"], "c": ["d"], "d": []}
    assert circles(arrows) == []
    assert longest(arrows) == ["a", "b", "c", "d"]
    assert circles(arrows | {"c": ["b", "d"]}) == [["b", "c", "b"]]


def test_imports_inside_functions_are_seen_and_those_for_types_are_not():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "import sim.scaling\n"
        "if TYPE_CHECKING:\n"
        "    from sim.running import command_line\n"
        "def main():\n"
        "    from sim.scaling import Config, report\n"
    )
    found = [
        (target, function)
        for node, function in statements(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in targets(node)
    ]
    config = face("sim.scaling")["Config"]
    assert found == [("sim.scaling", None), (config, "main"), ("sim.scaling.report", "main")]
