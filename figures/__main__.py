"""`python -m figures` draws the figures of the README again."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

FIGURES = ("scaling", "vulnerability")
FROM_RUNS = ("training",)
"""Figures of stored runs."""


@dataclass(frozen=True)
class Options:
    """Which figures, and where to."""

    names: Positional[tuple[str, ...]] = FIGURES
    """Figures to draw; all of them unless given."""
    folder: str = "figures/pictures"
    """Where the pictures go."""
    quick: bool = False
    """Fewer seeds and smaller images: a minute or two instead of three."""
    run: str | None = None
    """For training, which is drawn only if it is named: the folder of a study (--out)."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    from sim import cli
    from theory.initializers import unknown

    (options,) = cli.parse((Options,), "python -m figures", __doc__ or "", args)
    with cli.one_sentence():
        for name in options.names:
            if name not in (*FIGURES, *FROM_RUNS):
                raise ValueError(unknown("figure", name, (*FIGURES, *FROM_RUNS)))
            if name in FROM_RUNS and options.run is None:
                raise ValueError(f"{name} needs --run, the folder of a stored run.")
        if not Path(options.folder).is_dir():
            raise ValueError(f"there is no folder {options.folder} to draw into.")
        chosen = options.names
        targets = {name: _targets(options.folder, name) for name in chosen}
        cli.check_writable(*(target for pair in targets.values() for target in pair))
        if "training" in chosen:
            _training(targets["training"], str(options.run))
    draw = {"scaling": _scaling, "vulnerability": _vulnerability}
    for name in chosen:
        if name in draw:
            draw[name](targets[name], options.quick)
        print(*targets[name], sep="\n")
    return 0


def _targets(folder: str, name: str) -> list[str]:
    return [str(Path(folder) / f"{name}{end}") for end in (".svg", ".png")]


def _scaling(targets: list[str], quick: bool) -> None:
    from figures import scaling
    from sim import cli
    from sim.scaling import Config, networks, run, sizes_of

    configs = {
        arch: Config(arch=arch, seeds=32 if quick else 128, sizes=(8, 16, 32) if quick else None)
        for arch in ("mlp", "cnn", "resnet")
    }
    runs = {}
    total = sum(len(networks(c)) * len(sizes_of(c)) * c.seeds for c in configs.values())
    with cli.progress("sampling networks", total) as advance:
        for arch, config in configs.items():
            runs[arch] = run(config, advance)
    for target in targets:
        scaling.write_runs(runs, target)


def _vulnerability(targets: list[str], quick: bool) -> None:
    from figures import vulnerability
    from sim import cli
    from sim.vulnerability import Config, run

    config = Config(seeds=32 if quick else 128, widths=(64,), sizes=(8, 16, 32))
    with cli.progress("attacking networks", 3 * config.seeds) as advance:
        samples = run(config, advance)
    for target in targets:
        vulnerability.write(samples, target)


def _training(targets: list[str], folder: str) -> None:
    from figures import training
    from sim.training import stored

    samples = stored(folder)
    for target in targets:
        training.write(samples, target)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
