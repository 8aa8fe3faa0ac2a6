"""Growth of gradients and damage with d after training, and how robust training attenuates it."""

from typing import Any

from figures import study
from figures.runs import Runs
from sim.training.picture import figure_of


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))
