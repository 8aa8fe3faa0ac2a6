"""The √d law: mean norms against the input dimension, with intervals and the predicted lines."""

from typing import Any

from figures.runs import Runs
from sim.scaling import Config, picture

ARCHITECTURES = ("mlp", "cnn", "resnet")


def draw(runs: Runs) -> Any:
    """The main figure: the √d law of an MLP, a CNN and a ResNet."""
    return picture.figure_of(
        {
            arch: runs.scaling(
                f"scaling-{arch}",
                Config(
                    arch=arch,
                    seeds=32 if runs.quick else 128,
                    sizes=(8, 16) if runs.quick else None,
                    widths=(16,) if runs.quick else None,
                ),
            )
            for arch in ARCHITECTURES
        }
    )
