"""A study of training that nobody trained: its measures are known powers of d."""

from dataclasses import asdict

import numpy as np

from sim.storage import studies
from sim.training.configuration import (
    BEFORE,
    GROWS,
    Config,
    completed,
    design,
    regularizer,
)
from sim.training.dataset import labelled

CONFIG = Config(
    sizes=(8, 16, 32), trainings=("ordinary", "pgd-linf:0.1"), compared_size=16, epochs=3, seeds=5,
    attack_norms=("2", "inf"), eps=(0.02, 0.1),
)  # fmt: skip

EXPONENTS = {BEFORE: 0.5, "ordinary": 0.3, "pgd-linf:0.1": 0.1}


def measures(config: Config, training: str, side: int, factor=lambda kind: 1.0):
    """Norms are c d^b, with b in `EXPONENTS` and c of the seed and the training.

    The damage of an attack of size ε is ε d^{1/p} ‖∂_x L‖_q; times `factor` of the regularizer. Of
    200 images 40 ε √(side / 8) are fooled, rounded down: none if ε = 0.02 and the side is 8.
    """
    seeds, epochs = config.seeds, 0 if training == BEFORE else config.epochs
    strength = float(training.partition(":")[2] or 0)
    own = np.exp(0.2 * np.random.default_rng(0).normal(size=seeds)) / (1 + 10 * strength)
    norm = np.zeros((seeds, 2, 3))
    for i, q in enumerate((1.0, 2.0, np.inf)):
        power = EXPONENTS.get(training, 0.2) + 1 / q - 1
        norm[..., i] = (own * side ** (2 * power))[:, None]
    damage = np.zeros((seeds, 2, 2, len(config.attack_norms), len(config.eps)))
    fooled = np.zeros_like(damage)
    for j, p in enumerate(config.attack_norms):
        for k, eps in enumerate(config.eps):
            along = norm[..., {"1": 2, "2": 1, "inf": 0}[p]]
            size = eps * side ** (2 / float(p)) * factor(regularizer(training))
            damage[..., j, k] = (size * along)[..., None]
            fooled[..., j, k] = np.floor(40 * eps * np.sqrt(side / 8)) / 200
    curve = np.linspace(1, 0.5, epochs)
    return {
        "accuracy": np.full((seeds, 2), 0.98), "loss": np.full((seeds, 2), 0.1),
        "norm": norm, "damage": damage, "fooled": fooled, "failed": np.full(seeds, -1),
        "curve_loss": own[:, None] * curve, "curve_accuracy": np.ones((seeds, 2, epochs)),
        "curve_norm": own[:, None, None] * np.stack([curve, curve**2]),
    }  # fmt: skip


def invented(config: Config = CONFIG, **options):
    """What `sim.training.run` would return."""
    config = completed(config)
    return labelled(config, {cell: measures(config, *cell, **options) for cell in design(config)})


def kept(folder: str, config: Config = CONFIG) -> None:
    """The same in a folder."""
    config = completed(config)
    with studies.opened(folder, asdict(config), GROWS, "cpu") as study:
        for cell in design(config):
            study.finish(cell.name, measures(config, *cell))
