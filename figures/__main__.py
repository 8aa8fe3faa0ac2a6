"""`python -m figures` draws the figures of the README and of the documentation again."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from sim.plan import refusals
from sim.running import command_line, files, flags
from theory import console
from theory.names import unknown

FIGURES = (
    *("scaling", "constants", "exponents", "initializations", "heads", "spread", "sampling"),
    *("vulnerability", "flips", "limits", "adversarial", "layers", "orders", "later", "atlas"),
)
OF_STUDIES = (
    *("training_parts", "training_growth", "training_damage", "training_accuracy"),
    "training_epochs",
)
"""Figures of a study of training, which takes more than an hour; drawn only if they are named."""


@dataclass(frozen=True)
class Options:
    """Which figures, and where to."""

    names: Positional[tuple[str, ...]] = FIGURES
    """Figures to draw; all of them unless given."""
    folder: str = "figures/pictures"
    """Where the pictures go."""
    runs: flags.Place = None
    """Keep samples in this folder (python -m sim.scaling --out), and use what is there."""
    study: flags.Place = None
    """For figures of training: the folder of a study (python -m sim.training --out)."""
    quick: bool = False
    """Fewer seeds and smaller images: a minute or two in all."""


def main(args: list[str] | None = None) -> int:
    """The command line.

    Args:
        args: What stands behind `python -m figures`; unless given, that of the process.

    Returns:
        The exit status: 0 if all went well. Bad usage ends the process with 2.
    """
    (options,) = command_line.parse((Options,), "python -m figures", __doc__ or "", args)
    with command_line.one_sentence():
        for name in options.names:
            if name not in (*FIGURES, *OF_STUDIES):
                raise ValueError(unknown("figure", name, (*FIGURES, *OF_STUDIES)))
            if name in OF_STUDIES and options.study is None:
                raise ValueError(f"{name} needs --study, the folder of a stored run.")
        refusals.check_distinct("NAMES", options.names)
        for folder in (options.folder, options.runs):
            if folder is not None and not Path(folder).is_dir():
                raise ValueError(f"there is no folder {folder}.")
        targets = {name: _targets(options.folder, name) for name in options.names}
        files.check_writable(*(target for pair in targets.values() for target in pair))
    # what needs jax: after the flags have been read, so that --help and bad usage answer at once
    from figures.runs import Runs
    from sim.drawing import style
    from sim.running import compilation
    from sim.storage.refusals import RunError

    compilation.keep()
    for name in options.names:
        runs = Runs(options.quick, options.runs, options.study)
        with style.styled():
            with command_line.one_sentence(RunError):
                figure = importlib.import_module(f"figures.{name}").draw(runs)
            for target in targets[name]:
                style.save(figure, target, runs.provenance(name))
        print(*targets[name], sep="\n")
    return 0


def _targets(folder: str, name: str) -> list[str]:
    return [str(Path(folder) / f"{name}{end}") for end in (".svg", ".png")]


if __name__ == "__main__":
    sys.exit(console.run(main))
