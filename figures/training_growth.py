"""Growth of gradients and damage with d after training, and how robust training attenuates it."""

from typing import Any

from figures import study
from figures.runs import Runs
from sim.training import picture


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return picture.figure_of(study.read(runs))
