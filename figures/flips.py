"""Real attacks that exchange two classes, against the exact law of first-order distances."""

from typing import Any

from figures.runs import Runs
from sim.vulnerability import Config, flip_picture, run


def draw(runs: Runs) -> Any:
    """Shares of flipped pairs, and the size that flips half, of an MLP."""
    config = Config(
        seeds=32 if runs.quick else 512,
        widths=(64,),
        depth=2,
        sizes=(4, 8) if runs.quick else (4, 8, 16),
        input="gaussian",
        attack_norms=("1", "2", "inf"),
        eps=(0.01,),
        restarts=0,
        flips=True,
    )
    samples = runs.fresh("flips", config, len(config.sizes or ()) * config.seeds, run)
    return flip_picture.figure_of(samples)
