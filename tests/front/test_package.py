"""Being a package: one version, what a wheel holds, names of ours that another file hides."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import sim
import theory

ROOT = Path(__file__).parents[2]


def test_there_is_one_version():
    assert sim.__version__ == theory.__version__
    assert f"\nversion: {theory.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## {theory.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_a_wheel_holds(tmp_path):
    """The notebooks, that `python -m notebooks` copies; no pictures; the version from `theory`."""
    wheel = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    (built,) = wheel.build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
    assert f"-{theory.__version__}-" in built
    assert {"sim/py.typed", "theory/py.typed", "notebooks/1_law.ipynb"} <= set(names)
    assert "sim/scaling/report.schema.json" in names
    assert not [name for name in names if name.endswith((".svg", ".png"))]
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "theory", "sim", "figures", "notebooks", "sqrt_d_law"
    }  # fmt: skip


def said(folder, *words):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_a_file_that_hides_the_simulations_is_named(tmp_path):
    assert said(tmp_path, "-c", "import theory") == ""
    (tmp_path / "sim.py").touch()
    warned = said(tmp_path, "-c", "import theory")
    assert f"takes {tmp_path / 'sim.py'}, not the simulations of sqrt-d-law" in warned


def test_a_folder_that_hides_the_theory_is_named(tmp_path):
    (tmp_path / "theory").mkdir()
    assert "usage" not in said(tmp_path, "-c", "import sim")  # ours is found, as it is a package
    (tmp_path / "theory/__init__.py").touch()
    (line,) = said(tmp_path, "-m", "sim.scaling", "--help").splitlines()
    assert f"takes {tmp_path / 'theory/__init__.py'}, not the theory of sqrt-d-law" in line


def test_an_address_is_in_one_place_only():
    """The repository's address, once there is one: the rest reads it from pyproject.toml."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    for address in urls.values():
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*"), *ROOT.glob("notebooks/*.py")]:
            assert address not in page.read_text(encoding="utf-8"), page


def test_the_workflow_runs_what_the_project_runs():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    assert {"run": "bash .ci/run"} in workflow["jobs"]["everything"]["steps"]
    for template in ROOT.glob(".github/ISSUE_TEMPLATE/*.yml"):
        form = yaml.safe_load(template.read_text())
        assert form["name"] and form["description"] and form["body"], template
