"""Public architectures: the exponent of the loss gradient's ℓ_1 norm, measured beside predicted."""

from pathlib import Path
from typing import Any

from figures.runs import Runs
from sim.atlas import picture, rows

TABLE = Path(__file__).parents[1] / "docs" / "atlas.csv"
"""What `python -m sim.atlas --csv docs/atlas.csv` found, in an hour."""


def draw(runs: Runs) -> Any:
    """An interval for each architecture, those of the same last features together."""
    found = rows.read(str(TABLE))
    if not found:
        raise ValueError(f"there is no {TABLE}, which python -m sim.atlas --csv writes.")
    runs.used["atlas"] = {"table": f"docs/{TABLE.name}", "rows": len(found)}
    return picture.figure_of(found)
