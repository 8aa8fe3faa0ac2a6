"""The law after training: what regularizers do to input gradients, and how those grow with d.

`python -m sim.training` trains the paper's convolutional networks, batch normalization included,
on images that are made larger by copying pixels: ordinarily, with PGD training at several strengths
(all at every side), and with other regularizers (at one side). It measures accuracy, ‖∂_x L‖_q,
adversarial damage and vulnerability on training and test images, and fits how they grow with
d = channels · side², before training and after. Images have mean square 1 per coordinate, the unit
of ε; attacks and regularizers have sizes ε_p = ε d^{1/p}: a fixed change per pixel.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim import cli, experiment

if TYPE_CHECKING:
    import xarray as xr

    from sim.cells import Arrays, Cells
    from sim.damage import Attacks
    from sim.datasets import Data, Split

BEFORE = "initialization"
"""The name of the networks before training."""

SETS = ("training", "test")

STRENGTHS = (0.05, 0.1, 0.2, 0.4)
COMPARED = ("penalty-l1", "penalty-l2", "step-linf", "step-l2", "pgd-linf", "cross-lipschitz")


@dataclass(frozen=True)
class Config:
    """What to train."""

    data: str = "digits"
    """digits: scikit-learn's, side 8, nothing to download. cifar10: from --data-dir."""
    data_dir: str | None = None
    """Folder with CIFAR-10: an archive (python or binary version) or what it unpacks to."""
    sizes: tuple[int, ...] | None = None
    """Sides of the images, multiples of the original side. Unless given: 8 16 32 64 for digits,
    32 64 128 256 for CIFAR-10; half of them with --quick."""
    trainings: tuple[str, ...] | None = None
    """Trainings at every side: ordinary, or REGULARIZER:STRENGTH with penalty-l1, penalty-l2,
    step-linf, step-l2, pgd-linf, pgd-l2 or cross-lipschitz; the strength is the change ε per
    pixel. Unless given: ordinary pgd-linf:0.05 pgd-linf:0.1 pgd-linf:0.2."""
    compared: tuple[str, ...] | None = None
    """Further trainings, at --compared-size only. Unless given: most regularizers at strengths
    0.05, 0.1, 0.2, 0.4."""
    compared_size: int | None = None
    """The side at which all regularizers are compared. Unless given: the second smallest."""
    width: int = 16
    """Channels of each convolution."""
    depth: int = 4
    """Convolutions."""
    epochs: int | None = None
    """Passes over the training images. Unless given: 12, 6 with --quick."""
    batch: int = 32
    """Images in a batch."""
    learning_rate: float = 5e-3
    """Of Adam at the start; falls to 0 like a cosine."""
    pgd_steps: int = 5
    """Steps of PGD in training, each of ε/(0.75 · steps), after a random start."""
    attack_norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders p of the norms of the attacks that measure damage and vulnerability."""
    eps: tuple[float, ...] = (0.02, 0.1)
    """Sizes of those attacks: changes per pixel."""
    steps: int = 7
    """Their steps of projected gradient ascent, which starts at the attack of one step."""
    measured: int = 360
    """Images of each set that gradients are averaged over, in every epoch of the learning curve
    as well."""
    attacked: int = 100
    """Images of each set that attacks are averaged over."""
    seeds: int | None = None
    """Networks trained in each way. Unless given: 5, 2 with --quick."""
    seed: int = 0
    """Key of the whole study; the same key gives the same networks."""
    quick: bool = False
    """Half the sides, fewer seeds, epochs and regularizers: under five minutes."""
    workers: int | None = None
    """Trainings under way at once. Unless given: one for each processor. It changes no result."""


GROWS = ("sizes", "trainings", "compared", "compared_size", "workers", "quick", "data_dir")
"""What a study may have more of, or otherwise, when it is continued."""


@dataclass(frozen=True)
class Report(cli.Output):
    """What to do with the result."""

    figure: str | None = None
    """Draw growth with d, damages, accuracies and learning curves; the name ends in .png, .svg or
    .pdf."""
    check: bool = False
    """Exit with status 1 if a loss was not finite, or ordinary training leaves less than 97 %
    accuracy on the test digits at some side."""
    markdown: str | None = None
    """Write the tables as Markdown to this file, or to standard output for "-"."""

    def refuse(self) -> None:
        """Raises ValueError if the files cannot be written."""
        super().refuse()
        cli.check_writable(self.markdown)


@dataclass(frozen=True)
class Output(Report):
    """What to do with the result."""

    out: str | None = None
    """Keep finished trainings, and checkpoints of others, in this folder; the same command
    continues."""


def filled(config: Config) -> Config:
    """The configuration without gaps. Raises ValueError for unknown data."""
    from sim.datasets import NAMES, SIZES
    from theory.initializers import unknown

    if config.data not in NAMES:
        raise ValueError(unknown("data", config.data, NAMES))
    quick = config.quick
    usual = SIZES[config.data]
    sizes = tuple(sorted(config.sizes or (usual[:2] if quick else usual)))
    every = ("ordinary", *(f"pgd-linf:{s:g}" for s in ((0.1,) if quick else (0.05, 0.1, 0.2))))
    some = COMPARED[:1] if quick else COMPARED
    further = tuple(
        f"{name}:{s:g}" for name in some for s in (STRENGTHS[1:2] if quick else STRENGTHS)
    )
    return replace(
        config,
        sizes=sizes,
        trainings=every if config.trainings is None else config.trainings,
        compared=further if config.compared is None else config.compared,
        compared_size=config.compared_size or sizes[min(1, len(sizes) - 1)],
        epochs=(6 if quick else 12) if config.epochs is None else config.epochs,
        seeds=(2 if quick else 5) if config.seeds is None else config.seeds,
        workers=config.workers or os.cpu_count() or 1,
    )


def parsed(training: str) -> tuple[str, float]:
    """Regularizer and strength of a training such as "pgd-linf:0.1". Raises ValueError."""
    from sim.regularizers import REGULARIZERS
    from theory.initializers import unknown

    name, _, strength = training.partition(":")
    if name not in REGULARIZERS:
        raise ValueError(unknown("regularizer", name, REGULARIZERS))
    if not REGULARIZERS[name].takes_strength:
        if strength:
            raise ValueError(f"{name} training takes no strength, unlike {training}.")
        return name, 0.0
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{name} needs a positive strength, as in {name}:0.1, not {training}.")
    return name, value


def check(config: Config) -> None:
    """Raises ValueError, with one sentence, if it cannot be run."""
    config = filled(config)
    experiment.check_lists(config, "sizes", "trainings", "attack_norms", "eps")
    if config.compared:
        experiment.check_lists(config, "compared")
    experiment.check_attacks(config.attack_norms, config.eps)
    counts = ("width", "depth", "epochs", "batch", "pgd_steps", "measured", "attacked", "workers")
    for name in counts:
        if getattr(config, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1.")
    if config.steps < 0:
        raise ValueError(f"--steps cannot be negative, unlike {config.steps}.")
    if not 0 < config.learning_rate < math.inf:
        raise ValueError(f"--learning-rate must be positive, not {config.learning_rate:g}.")
    experiment.check_seeds(config.seeds or 0, config.seed)
    if config.data == "cifar10" and config.data_dir is None:
        raise ValueError("--data cifar10 needs --data-dir, the folder where it lies.")
    if config.data == "cifar10" and not Path(str(config.data_dir)).is_dir():
        raise ValueError(f"there is no folder {config.data_dir}.")
    for training in (*(config.trainings or ()), *(config.compared or ())):
        parsed(training)
    if config.compared_size not in (config.sizes or ()):
        raise ValueError(f"--compared-size {config.compared_size} is not among --sizes.")
    from sim import trained
    from theory.network import output_shape

    for side in config.sizes or ():
        net = trained.network(config.data, side, config.width, config.depth)
        output_shape(net.body, net.input_shape(side))


def design(config: Config) -> list[tuple[str, int]]:
    """Every (training, side) of a filled configuration, `BEFORE` included, the shortest first."""
    sizes, trainings = config.sizes or (), config.trainings or ()
    found = [(training, side) for side in sizes for training in (*trainings, BEFORE)]
    side = config.compared_size or 0
    found += [(t, side) for t in config.compared or () if (t, side) not in found]

    def length(cell: tuple[str, int]) -> int:
        training, side = cell
        passes = config.pgd_steps + 2 if training.startswith("pgd") else 3
        return side**2 * {BEFORE: 0, "ordinary": 1}.get(training, passes)

    return sorted(found, key=length)


def run(
    config: Config,
    out: str | None = None,
    advance: Callable[[int], None] = lambda done: None,
    tell: Callable[[str], None] = lambda line: None,
) -> xr.Dataset:
    """Train and measure; what is in the folder `out` already is not computed again.

    Returns a dataset with `accuracy` and `loss` by (seed, training, size, set), `norm`, mean
    ‖∂_x L‖_q over the images of a set, by (…, q), `damage` and `fooled` of attacks by
    (…, attack, p, eps), and the learning curve: `curve_loss` by (seed, training, size, epoch),
    `curve_accuracy` and `curve_norm` (q = 1) by (…, set, epoch). The training named
    "initialization" is the network before training, batch normalization with mean 0 and variance
    1. `failed` is the first epoch whose loss was not finite, −1 if all were; what follows it is
    NaN, as is what the design does not have. `d` is a coordinate along size. `advance` is called
    with 1 for every epoch, `tell` with a sentence about what goes wrong.

    Raises ValueError for a configuration or data that make no sense, RunError for the folder.
    """
    check(config)
    from sim import cells as study
    from sim import datasets

    config = filled(config)
    data = datasets.load(config.data, config.data_dir)
    data = datasets.Data(data.training.standardized(), data.test.standardized())
    wanted = design(config)
    found: dict[tuple[str, int], Arrays] = {}
    with study.opened(out, asdict(config), GROWS, tell) as cells:
        stopping = threading.Event()

        def work(cell: tuple[str, int]) -> None:
            found[cell] = of_cell(config, cells, data, *cell, advance, tell, stopping)

        try:
            _in_parallel(work, wanted, config.workers or 1)
        finally:
            stopping.set()
    return labelled(config, found)


def stored(path: str) -> xr.Dataset:
    """What is finished of the study in a folder, as `run` returns it. Raises RunError."""
    from sim import cells as study

    config = experiment.restored(Config, study.described(path))
    there = study.Cells(Path(path), lambda line: None)
    read = {cell: there.finished(name_of(*cell)) for cell in design(config)}
    return labelled(config, {cell: arrays for cell, arrays in read.items() if arrays is not None})


def name_of(training: str, side: int) -> str:
    """The name of a cell."""
    return f"{training}-side{side}"


def _in_parallel(work: Callable[[Any], None], items: list[Any], workers: int) -> None:
    """`work` on every item, by so many threads that never keep the process from ending."""
    from sim import background

    left: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for item in items:
        left.put(item)

    def loop() -> None:
        while True:
            try:
                item = left.get_nowait()
            except queue.Empty:
                return
            work(item)

    if workers == 1:
        loop()
        return
    for wait in [background.started(loop) for _ in range(workers)]:
        wait()


def of_cell(
    config: Config,
    cells: Cells,
    data: Data,
    training: str,
    side: int,
    advance: Callable[[int], None],
    tell: Callable[[str], None],
    stopping: threading.Event,
) -> Arrays:
    """What one training at one side gave: read, or computed from its last checkpoint on."""
    name, epochs = name_of(training, side), 0 if training == BEFORE else config.epochs or 0
    stored = cells.finished(name)
    if stored is not None:
        advance(epochs)
        return stored
    import jax
    import numpy as np

    from sim import trained

    regularizer, strength = ("ordinary", 0.0) if training == BEFORE else parsed(training)
    recipe = trained.Recipe(
        regularizer, config.epochs or 0, config.batch, config.learning_rate, config.pgd_steps
    )
    net = trained.network(config.data, side, config.width, config.depth)
    seeds = config.seeds or 0
    state = trained.start(net, side, recipe, config.seed, seeds)
    leaves, structure = jax.tree.flatten(state)
    curve = {
        "curve_loss": np.full((seeds, epochs), np.nan),
        "curve_accuracy": np.full((seeds, 2, epochs), np.nan),
        "curve_norm": np.full((seeds, 2, epochs), np.nan),
        "failed": np.full(seeds, -1),
    }
    first, before = 0, cells.checkpoint(name)
    if before is not None:
        first = int(before["epoch"])
        curve = {key: before[key] for key in curve}
        state = structure.unflatten([before[f"leaf{i}"] for i in range(len(leaves))])
        advance(first)
    sets = [part.first(config.measured) for part in (data.training, data.test)]
    for number in range(first, epochs):
        if stopping.is_set():
            raise KeyboardInterrupt
        state, loss = trained.epoch(
            net, side, recipe, state, data.training, number, strength, config.seed
        )
        new = (curve["failed"] < 0) & ~np.isfinite(loss)
        if new.any():
            curve["failed"][new] = number
            which = " ".join(map(str, np.flatnonzero(new)))
            tell(
                f"{training} at side {side}: the loss of seed {which} is not finite in epoch "
                f"{number + 1}; other seeds and trainings are kept."
            )
        curve["curve_loss"][:, number] = loss
        for i, images in enumerate(sets):
            now = trained.measured(net, side, state[0], images, None, config.seed)
            curve["curve_accuracy"][:, i, number] = now.accuracy
            curve["curve_norm"][:, i, number] = now.norm[:, 0]
        arrays = {f"leaf{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(state))}
        cells.keep_checkpoint(name, arrays | curve | {"epoch": np.array(number + 1)})
        advance(1)
    found = _measured(config, net, side, state[0], sets) | curve
    for key in ("accuracy", "loss", "norm", "damage", "fooled", "curve_accuracy"):
        found[key][curve["failed"] >= 0] = np.nan
    cells.finish(name, found)
    return found


def _measured(config: Config, net: Any, side: int, weights: Any, sets: list[Split]) -> Arrays:
    """The measures after training, by (seeds, set, ...)."""
    import numpy as np

    from sim import trained

    each = [
        trained.measured(net, side, weights, part, attacks(config), config.seed, config.attacked)
        for part in sets
    ]
    names = ("accuracy", "loss", "norm", "damage", "fooled")
    return {name: np.stack([getattr(one, name) for one in each], axis=1) for name in names}


def attacks(config: Config) -> Attacks:
    """The attacks that measure damage."""
    from sim.damage import Attacks

    return Attacks(tuple(float(p) for p in config.attack_norms), config.eps, config.steps, 0)


def labelled(config: Config, found: dict[tuple[str, int], Arrays]) -> xr.Dataset:
    """What the cells gave, with labels; NaN where the design has no cell."""
    import numpy as np
    import xarray as xr

    from sim.datasets import CHANNELS
    from sim.vulnerability import ATTACKS

    trainings = list(dict.fromkeys((BEFORE, *(config.trainings or ()), *(config.compared or ()))))
    sizes, epochs = list(config.sizes or ()), config.epochs or 0
    per_set, per_attack = ("set",), ("set", "attack", "p", "eps")
    dims = {
        "accuracy": per_set,
        "loss": per_set,
        "norm": (*per_set, "q"),
        "damage": per_attack,
        "fooled": per_attack,
        "curve_loss": ("epoch",),
        "curve_accuracy": (*per_set, "epoch"),
        "curve_norm": (*per_set, "epoch"),
        "failed": (),
    }
    coords = {
        "seed": np.arange(config.seeds or 0),
        "training": trainings,
        "size": ("size", sizes, {"long_name": "side of the image"}),
        "d": ("size", [CHANNELS[config.data] * side**2 for side in sizes]),
        "set": list(SETS),
        "q": ["1", "2", "inf"],
        "attack": list(ATTACKS),
        "p": list(config.attack_norms),
        "eps": list(config.eps),
        "epoch": np.arange(1, epochs + 1),
    }
    lengths = {k: len(v[1] if isinstance(v, tuple) else v) for k, v in coords.items()}
    variables = {}
    for name, own in dims.items():
        shape = tuple(lengths[dim] for dim in own)
        values = np.full((lengths["seed"], len(trainings), len(sizes), *shape), np.nan)
        for (training, side), arrays in found.items():
            if arrays[name].size:
                values[:, trainings.index(training), sizes.index(side)] = arrays[name]
        variables[name] = (("seed", "training", "size", *own), values)
    return xr.Dataset(variables, coords, {"config": json.dumps(asdict(config))})


def total(config: Config) -> int:
    """Epochs of all trainings of a filled configuration."""
    return sum((config.epochs or 0) for training, _ in design(config) if training != BEFORE)


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 with --check, 2 bad usage)."""
    kinds = (Config, Output)
    config, output = cli.parse(kinds, "python -m sim.training", __doc__ or "", args)
    with cli.one_sentence():
        check(config)
        output.refuse()
    from sim import compilation, training_report

    compilation.keep()
    config = filled(config)
    try:
        with (
            cli.stoppable(output.out),
            cli.one_sentence(),
            cli.progress("training networks", total(config)) as advance,
        ):
            samples = run(config, output.out, advance, cli.tell)
    except SystemExit as stop:
        if stop.code in (cli.INTERRUPTED, cli.TERMINATED):
            sys.stderr.flush()
            os._exit(int(stop.code))  # a thread inside of a library would be waited for
        raise
    return training_report.deliver(samples, output)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
