"""What a study of training consists of: its configuration, and the trainings at each side.

Needs no jax.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sim.plan import refusals
from sim.running import flags, memory
from sim.running.needs import BASE, Needs, processors
from sim.sampling.datasets import CHANNELS, IMAGES, NAMES, SIZES
from sim.training.network import without_batch_norm
from theory.names import unknown
from theory.network import output_shape

BEFORE = "initialization"
"""The name of the networks before training."""

ORDINARY = "ordinary"
"""The name of training without a regularizer, which takes no strength."""

SETS = ("training", "test")
"""The sets of images that are measured."""

PARTS = ("on", "off")
"""Parts of an input gradient: on the subspace of the data, and off it."""

REGULARIZERS = (
    *("penalty-l1", "penalty-l2", "step-linf", "step-l2", "pgd-linf", "pgd-l2"),
    "cross-lipschitz",
)
"""Names of regularizers, whose losses are in `sim.training.regularizers`. Penalties are named for
the norm of the gradient, attacks for that of the attack."""

COMPARED = tuple(name for name in REGULARIZERS if name != "pgd-l2")
"""Regularizers that are compared at one side unless others are asked for."""

INTERVENTIONS = ("weight-decay", "small-start", "zero-off")
"""Ordinary training with one thing changed: decoupled weight decay, at a rate; the first layer's
weights multiplied by a number at the start; those weights 0 off the data's subspace at the start
(dense networks alone, no strength)."""

NETWORKS = ("convnet", "mlp")
OPTIMIZERS = ("adam", "sgd")
RATES = {"adam": 5e-3, "sgd": 3.0}
"""Learning rates unless one is given."""

STRENGTHS = (0.05, 0.1, 0.2, 0.4)
"""Strengths at which they are compared."""


STEEPEST = 8
"""Exponent of a spectrum that leaves nothing to fill."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to train."""

    data: str = "digits"
    """digits: scikit-learn's, side 8, nothing to download. cifar10: from --data-dir."""
    data_dir: flags.Place = None
    """Folder with CIFAR-10: an archive (python or binary version) or what it unpacks to."""
    sizes: flags.Wholes = None
    """Sides of the images, multiples of the original side. Unless given: 8 16 32 64 for digits,
    32 64 128 256 for CIFAR-10; half of them with --quick."""
    detail: flags.Number = None
    """Fill what copied pixels leave empty with a random field, new for every image and pass, whose
    power falls like frequency^-DETAIL: 2 as in natural images, 0 for white noise. Unless given:
    pixels are copied."""
    trainings: flags.Names = None
    """Trainings at every side: ordinary, or REGULARIZER:STRENGTH with penalty-l1, penalty-l2,
    step-linf, step-l2, pgd-linf, pgd-l2 or cross-lipschitz; the strength is the change ε per
    pixel. Or ordinary training otherwise begun or held back: weight-decay:RATE,
    small-start:FACTOR (of the first layer), zero-off (mlp). Unless given: ordinary pgd-linf:0.05
    pgd-linf:0.1 pgd-linf:0.2."""
    compared: flags.Names = None
    """Further trainings, at --compared-size only. Unless given: most regularizers at strengths
    0.05, 0.1, 0.2, 0.4."""
    compared_size: flags.Whole = None
    """The side at which all regularizers are compared. Unless given: the second smallest."""
    network: str = "convnet"
    """convnet: convolutions with batch normalization. mlp: dense layers without it."""
    optimizer: flags.Name = None
    """adam; or sgd, gradient descent with each layer's rate in units of the variance of its first
    weights. Unless given: adam for convnet, sgd for mlp."""
    width: int = 16
    """Channels of each convolution, or units of each hidden layer."""
    depth: int = 4
    """Convolutions, or hidden layers."""
    epochs: flags.Whole = None
    """Passes over the training images. Unless given: 12, 6 with --quick."""
    batch: int = 32
    """Images in a batch."""
    learning_rate: flags.Number = None
    """At the start; falls to 0 like a cosine. Unless given: 0.005 with adam, 3 with sgd."""
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
    seeds: flags.Whole = None
    """Networks trained in each way. Unless given: 5, 2 with --quick."""
    ordinary_seeds: flags.Whole = None
    """Networks of ordinary training, whose exponents vary most, and before training. Unless given:
    as many as --seeds; 20 if neither is given."""
    seed: int = 0
    """Key of the whole study; the same key gives the same networks."""
    quick: bool = False
    """Half the sides, fewer seeds, epochs and regularizers: one to three minutes."""
    workers: flags.Whole = None
    """Trainings under way at once. Unless given: one for each processor. It changes no result."""


@dataclass(frozen=True)
class Completed(Config):
    """A configuration with everything that was not given.

    Nothing in it is None but `data_dir`, `detail`, and `ordinary_seeds` where it is `seeds`.
    """

    sizes: tuple[int, ...] = ()
    trainings: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    compared_size: int = 0
    epochs: int = 0
    seeds: int = 0
    workers: int = 1
    optimizer: str = "adam"
    learning_rate: float = RATES["adam"]


GROWS = ("sizes", "trainings", "compared", "compared_size", "workers", "quick", "data_dir")
"""What a study may have more of, or otherwise, when it is continued."""


class Cell(NamedTuple):
    """One training at one side."""

    training: str
    """A regularizer with its strength, such as "pgd-linf:0.1"; `ORDINARY`, or `BEFORE`."""
    side: int

    @property
    def name(self) -> str:
        """How its files are called."""
        return f"{self.training}-side{self.side}"


def completed(config: Config) -> Completed:
    """The configuration with everything that was not given.

    Raises:
        ValueError: The data set is unknown.
    """
    if config.data not in NAMES:
        raise ValueError(unknown("data", config.data, NAMES))
    optimizer = _given(config.optimizer, "adam" if config.network == "convnet" else "sgd")
    for name, value, known in (
        ("network", config.network, NETWORKS),
        ("optimizer", optimizer, OPTIMIZERS),
    ):
        if value not in known:
            raise ValueError(unknown(name, value, known))
    quick = config.quick
    usual = SIZES[config.data]
    sizes = tuple(sorted(_given(config.sizes, usual[:2] if quick else usual)))
    every = (ORDINARY, *(f"pgd-linf:{s:g}" for s in ((0.1,) if quick else (0.05, 0.1, 0.2))))
    some = COMPARED[:1] if quick else COMPARED
    further = tuple(
        f"{name}:{s:g}" for name in some for s in (STRENGTHS[1:2] if quick else STRENGTHS)
    )
    is_usual = config.seeds is None and not quick
    found: dict[str, Any] = {
        "sizes": sizes,
        "trainings": _given(config.trainings, every),
        "compared": _given(config.compared, further),
        "compared_size": _given(config.compared_size, (*sizes[:2], 0)[min(1, len(sizes) - 1)]),
        "epochs": _given(config.epochs, 6 if quick else 12),
        "seeds": _given(config.seeds, 2 if quick else 5),
        "ordinary_seeds": _given(config.ordinary_seeds, 20 if is_usual else None),
        "workers": _given(config.workers, os.cpu_count() or 1),
        "optimizer": optimizer,
        "learning_rate": _given(config.learning_rate, RATES[optimizer]),
    }
    return Completed(**vars(config) | found)


Value = TypeVar("Value")


def _given(value: Value | None, usual: Value) -> Value:
    return usual if value is None else value


def parsed(training: str) -> tuple[str, float]:
    """Regularizer and strength of a training such as "pgd-linf:0.1".

    Raises:
        ValueError: The regularizer is unknown, or its strength is missing or not positive.
    """
    name, _, strength = training.partition(":")
    known = (ORDINARY, *REGULARIZERS, *INTERVENTIONS)
    if name not in known:
        raise ValueError(unknown("regularizer", name, known))
    if name in (ORDINARY, "zero-off"):
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


def regularizer(training: str) -> str:
    """The regularizer of a training such as "pgd-linf:0.1", without its strength."""
    return training.partition(":")[0]


def check(config: Config) -> None:
    """Refuses a configuration that cannot be run.

    Raises:
        ValueError: A field makes no sense; the message is one sentence.
    """
    full = completed(config)
    refusals.check_lists(full, "sizes", "trainings", "attack_norms", "eps")
    if full.compared:
        refusals.check_lists(full, "compared")
    refusals.check_attacks(full.attack_norms, full.eps)
    counts = ("width", "depth", "epochs", "batch", "pgd_steps", "measured", "attacked", "workers")
    for name in counts:
        if getattr(full, name) < 1:
            raise ValueError(
                f"--{name.replace('_', '-')} must be at least 1, not {getattr(full, name)}."
            )
    images = IMAGES[full.data]
    if full.batch > images:
        raise ValueError(f"--batch must be at most the {images} training images, not {full.batch}.")
    if full.steps < 0:
        raise ValueError(f"--steps cannot be negative, unlike {full.steps}.")
    if not 0 < full.learning_rate < math.inf:
        raise ValueError(f"--learning-rate must be positive, not {full.learning_rate:g}.")
    if full.detail is not None and not 0 <= full.detail <= STEEPEST:
        raise ValueError(f"--detail must lie between 0 and {STEEPEST}, unlike {full.detail:g}.")
    refusals.check_seeds(full.seeds, full.seed)
    if full.ordinary_seeds is not None and full.ordinary_seeds < 2:
        raise ValueError(f"--ordinary-seeds must be at least 2, not {full.ordinary_seeds}.")
    if full.data == "cifar10" and full.data_dir is None:
        raise ValueError("--data cifar10 needs --data-dir, the folder where it lies.")
    if full.data == "cifar10" and not Path(str(full.data_dir)).is_dir():
        raise ValueError(f"there is no folder {full.data_dir}.")
    for training in (*full.trainings, *full.compared):
        if parsed(training)[0] == "zero-off" and full.network != "mlp":
            raise ValueError("zero-off needs --network mlp: kernels are shared by all pixels.")
    if full.compared_size not in full.sizes:
        raise ValueError(f"--compared-size {full.compared_size} is not among --sizes.")
    for side in full.sizes:
        net = without_batch_norm(full.data, side, full.width, full.depth, full.network)
        output_shape(net.body, net.input_shape(side))
    needs(full).refuse()


COMPILED = 44 * 2**20
"""Bytes that compiling one function takes, for each convolution."""

RATE = 5 * 10**9
"""Bytes of a step that a processor can look at in a second at most."""

TOGETHER = 64
"""Images measured side by side."""

STATES = 6
"""Copies of the weights of all seeds: those and Adam's two moments, before a step and after it."""

DOUBLE = 3
"""Gradients in the memory of a step whose loss contains a gradient."""

COPIES = 4
"""Of the images while they are read and standardized."""

CURVES = 15
"""Numbers for each epoch of a seed: five, and copies of them."""


def needs(config: Completed) -> Needs:
    """The memory and the time that a study needs."""
    cells, images = design(config), IMAGES[config.data]
    attacks = len(config.attack_norms) * len(config.eps)
    each: list[int] = []
    seconds = 0
    for cell in cells:
        net = without_batch_norm(config.data, cell.side, config.width, config.depth, config.network)
        shape = net.input_shape(cell.side)
        weights = memory.bytes_per_seed(net.body, shape, 0) // 2
        of_step = memory.bytes_per_seed(net.body, shape, DOUBLE * min(config.batch, images))
        attacked = min(TOGETHER, config.attacked) * attacks
        of_attack = memory.bytes_per_seed(net.body, shape, attacked)
        seeds = seeds_of(config, cell)
        each.append(seeds * STATES * weights + max(of_step, of_attack))
        if cell.training != BEFORE:
            steps = config.epochs * max(1, images // config.batch)
            seconds += seeds * steps * of_step // RATE
    kept = CURVES * 8 * max(numbers_of_seeds(config)) * config.epochs * len(cells)
    data = COPIES * 4 * images * CHANNELS[config.data] * SIZES[config.data][0] ** 2
    under_way = sum(sorted(each)[-config.workers :])
    what = f"{len(cells)} trainings of {seeds_in_words(config)} seeds for {config.epochs} epochs"
    if under_way > kept:
        what += f", {min(config.workers, len(cells))} at once, of width {config.width}"
    trained = {(regularizer(c.training), c.side) for c in cells if c.training != BEFORE}
    functions = len(trained) + 2 * len(config.sizes)
    compiled = COMPILED * config.depth * functions
    total = BASE + compiled + data + kept + under_way
    return Needs(what, total, seconds // processors(), 2 * functions)


def design(config: Completed) -> list[Cell]:
    """Every training at every side where it is wanted, `BEFORE` included, the shortest first."""
    found = [
        Cell(training, side) for side in config.sizes for training in (*config.trainings, BEFORE)
    ]
    compared = [Cell(training, config.compared_size) for training in config.compared]
    found += [cell for cell in compared if cell not in found]

    def length(cell: Cell) -> int:
        passes = config.pgd_steps + 2 if cell.training.startswith("pgd") else 3
        return cell.side**2 * {BEFORE: 0, ORDINARY: 1}.get(cell.training, passes)

    return sorted(found, key=length)


def described(config: Completed) -> str:
    """What a study trains, in words."""
    trained = sum(cell.training != BEFORE for cell in design(config))
    sides = ", ".join(map(str, config.sizes))
    return (
        f"{trained} trainings of {seeds_in_words(config)} networks on {images_in_words(config)} at "
        f"side {sides}, {config.epochs} epochs each"
    )


def seeds_of(config: Completed, cell: Cell) -> int:
    """How many networks one training at one side has: those of the first seeds of the study."""
    if config.ordinary_seeds is None or cell.training not in (BEFORE, ORDINARY):
        return config.seeds
    return config.ordinary_seeds


def numbers_of_seeds(config: Completed) -> list[int]:
    """The different numbers of networks that trainings have, in ascending order."""
    return sorted({seeds_of(config, cell) for cell in design(config)})


def seeds_in_words(config: Completed) -> str:
    """The numbers of networks of trainings: "20", or "5 to 20"."""
    found = numbers_of_seeds(config)
    return " to ".join(dict.fromkeys(map(str, (found[0], found[-1]))))


def images_in_words(config: Completed) -> str:
    """The images of a study: "digits", or "digits with detail f^-2"."""
    return config.data + ("" if config.detail is None else f" with detail f^-{config.detail:g}")


def epochs_in_all(config: Completed) -> int:
    """Epochs of all trainings of a completed configuration together."""
    return sum(config.epochs for cell in design(config) if cell.training != BEFORE)
