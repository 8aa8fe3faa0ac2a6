"""What is compared to test Proposition 3. Needs no jax."""

import math
from dataclasses import dataclass

from sim.plan import refusals
from sim.running import flags, memory
from sim.running.needs import BASE, Needs, processors
from sim.sampling.datasets import HELD_OUT, IMAGES
from theory.architectures import mlp
from theory.network import Network

SIDE = 8
"""Side of scikit-learn's digits, which have one channel: d = SIDE²."""

BATCH = 64
"""Digits in one step of training."""

SMALLEST = 1e-12
"""Of the sizes: a difference of order ε² is ε of what its two losses are, known to 1e-16."""


@dataclass(frozen=True)
class Config(flags.Checked):
    """What to compare."""

    attack_norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders p of the norms that bound an attack, from 1 to inf."""
    eps: tuple[float, ...] = (1e-7, 1e-6, 1e-5, 1e-4)
    """Sizes per coordinate, two at least, at which the losses of random networks are compared."""
    train_eps: float = 1e-3
    """Size per coordinate in training."""
    width: int = 64
    """Units of both hidden layers."""
    epochs: int = 5
    """Passes over the training digits, in batches of 64 (Adam, learning rate 0.003)."""
    seeds: int = 16
    """Number of random networks trained with each loss; 32 times as many give the order."""
    seed: int = 0
    """Key of the whole run; the same key gives the same samples."""


def check(config: Config) -> None:
    """Refuses a configuration that cannot be run.

    Raises:
        ValueError: A field makes no sense; the message is one sentence.
    """
    refusals.check_lists(config, "attack_norms", "eps")
    if len(config.eps) < 2:
        raise ValueError(f"an order needs two sizes or more, not only --eps {min(config.eps):g}.")
    refusals.check_attacks(config.attack_norms, config.eps, "float64")
    if min(config.eps) < SMALLEST:
        raise ValueError(
            f"--eps {min(config.eps):g} is below {SMALLEST:g}, where rounding hides what is of "
            "second order."
        )
    if not 0 < config.train_eps < math.inf:
        raise ValueError(f"--train-eps must be a positive number, not {config.train_eps:g}.")
    refusals.check_size("--train-eps", config.train_eps, "float32")
    if config.width < 1 or config.epochs < 1:
        raise ValueError("--width and --epochs must be at least 1.")
    refusals.check_seeds(config.seeds, config.seed)
    needs(config).refuse()


def network(width: int, activation: str = "relu") -> Network:
    """The network that is trained, and with "gelu" that whose losses are compared."""
    return mlp(width=width, depth=2, channels=1, activation=activation)


STATES = 6
"""Copies of the weights of all seeds: those and Adam's two moments, before a step and after it."""

COMPARED = 32
"""Random networks whose losses are compared, for each seed."""

COMPILED = 150 * 2**20
"""Bytes that compiling takes."""

RATE = 5 * 10**9
"""Bytes of a step that a processor can look at in a second at most."""


def needs(config: Config) -> Needs:
    """The memory and the time that a comparison needs."""
    net, norms = network(config.width), len(config.attack_norms)
    shape = net.input_shape(SIDE)
    weights = memory.bytes_per_seed(net.body, shape, 0) // 2
    of_step, of_end = (
        memory.bytes_per_seed(net.body, shape, n) - 2 * weights for n in (3 * BATCH, HELD_OUT)
    )
    trained = config.seeds * (STATES * weights + max(of_step, of_end) + 4 * IMAGES["digits"])
    compared = processors() * 20 * 2 * weights + COMPARED * config.seeds * 8 * 4 * len(config.eps)
    steps = config.epochs * (IMAGES["digits"] // BATCH)
    seconds = (1 + 2 * norms) * config.seeds * steps * (of_step + 2 * weights) // RATE
    what = f"{config.seeds} seeds of --width {config.width} for {config.epochs} epochs"
    total = BASE + COMPILED + max(trained, compared)
    return Needs(what, total, seconds // processors(), 2 * (2 + 3 * norms))
