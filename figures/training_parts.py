"""Where the gradient lives after training: on the subspace of copied pixels, and off it."""

from typing import Any

from figures import study
from figures.runs import Runs
from sim.training.parts_picture import figure_of


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))
