"""`python -m figures` draws the figures of the README again."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

FIGURES = ("scaling",)


@dataclass(frozen=True)
class Options:
    """Which figures, and where to."""

    names: Positional[tuple[str, ...]] = FIGURES
    """Figures to draw; all of them unless given."""
    folder: str = "figures/pictures"
    """Where the pictures go."""
    quick: bool = False
    """Fewer seeds and smaller images: a minute or two instead of three."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    from sim import cli
    from theory.initializers import unknown

    (options,) = cli.parse((Options,), "python -m figures", __doc__ or "", args)
    with cli.one_sentence():
        for name in options.names:
            if name not in FIGURES:
                raise ValueError(unknown("figure", name, FIGURES))
        if not Path(options.folder).is_dir():
            raise ValueError(f"there is no folder {options.folder} to draw into.")
        targets = [str(Path(options.folder) / f"scaling{end}") for end in (".svg", ".png")]
        cli.check_writable(*targets)
    from figures import scaling
    from sim.scaling import Config, networks, run, sizes_of

    configs = {
        arch: Config(
            arch=arch,
            seeds=32 if options.quick else 128,
            sizes=(8, 16, 32) if options.quick else None,
        )
        for arch in ("mlp", "cnn", "resnet")
    }
    runs = {}
    total = sum(len(networks(c)) * len(sizes_of(c)) * c.seeds for c in configs.values())
    with cli.progress("sampling networks", total) as advance:
        for arch, config in configs.items():
            runs[arch] = run(config, advance)
    for target in targets:
        scaling.write_runs(runs, target)
        print(target)
    return 0


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
