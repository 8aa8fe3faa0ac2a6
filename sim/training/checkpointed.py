"""One training at one side: read from its study, or computed from its last checkpoint on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np

from sim.attacks.damage import Attacks
from sim.sampling.datasets import Data, Split
from sim.storage.studies import Arrays, Study
from sim.training import trainer
from sim.training.configuration import BEFORE, ORDINARY, Cell, Completed, parsed, seeds_of

MEASURES = tuple(field.name for field in fields(trainer.Measures))
"""What is measured after training."""


@dataclass(frozen=True)
class Course:
    """What all trainings of a study have in common."""

    config: Completed
    study: Study
    """Where finished trainings and checkpoints are kept."""
    data: Data
    """Standardized images at their own side."""
    advance: Callable[[int], None]
    """Called with the number of epochs that are done."""
    tell: Callable[[str], None]
    """Hears a sentence when the loss of a seed is no longer finite."""
    stopping: threading.Event
    """Set from another thread to end a training after its epoch."""


def trained(course: Course, cell: Cell) -> Arrays:
    """What one training at one side gives: read, or computed from its last checkpoint on.

    Args:
        course: The study that it belongs to.
        cell: Which training, at which side.

    Returns:
        Arrays by seed first, named as in `sim.training.dataset.labelled`.

    Raises:
        KeyboardInterrupt: The training was stopped; its last checkpoint is kept.
    """
    config, study, data = course.config, course.study, course.data
    training, side = cell
    name, epochs = cell.name, 0 if training == BEFORE else config.epochs
    stored = study.finished(name)
    if stored is not None:
        course.advance(epochs)
        return stored
    regularizer, strength = (ORDINARY, 0.0) if training == BEFORE else parsed(training)
    recipe = trainer.Recipe(
        network=trainer.network(config.data, side, config.width, config.depth, config.network),
        side=side,
        seed=config.seed,
        regularizer=regularizer,
        epochs=config.epochs,
        batch=config.batch,
        learning_rate=config.learning_rate,
        pgd_steps=config.pgd_steps,
        optimizer=config.optimizer,
        data_side=data.test.images.shape[1],
        detail=config.detail,
    )
    seeds = seeds_of(config, cell)
    state = trainer.start(recipe, seeds, strength)
    leaves, structure = jax.tree.flatten(state)
    curve = {
        "curve_loss": np.full((seeds, epochs), np.nan),
        "curve_accuracy": np.full((seeds, 2, epochs), np.nan),
        "curve_norm": np.full((seeds, 2, epochs), np.nan),
        "curve_parts": np.full((seeds, 2, 2, epochs), np.nan),
        "failed": np.full(seeds, -1),
    }
    first, before = 0, study.checkpoint(name)
    if before is not None:
        first = int(before["epoch"])
        curve = {key: before[key] for key in curve}
        state = structure.unflatten([before[f"leaf{i}"] for i in range(len(leaves))])
        course.advance(first)
    sets = [part.first(config.measured) for part in (data.training, data.test)]
    for number in range(first, epochs):
        if course.stopping.is_set():
            raise KeyboardInterrupt
        state, loss = trainer.epoch(recipe, state, data.training, number, strength)
        new = (curve["failed"] < 0) & ~np.isfinite(loss)
        if new.any():
            curve["failed"][new] = number
            which = " ".join(map(str, np.flatnonzero(new)))
            course.tell(
                f"{training} at side {side}: the loss of seed {which} is not finite in epoch "
                f"{number + 1}; other seeds and trainings are kept."
            )
        curve["curve_loss"][:, number] = loss
        for i, images in enumerate(sets):
            now = trainer.measured(recipe, state[0], images)
            curve["curve_accuracy"][:, i, number] = now.accuracy
            curve["curve_norm"][:, i, number] = now.norm[:, 0]
            curve["curve_parts"][:, i, :, number] = now.parts[:, :, 0]
        arrays = {f"leaf{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(state))}
        study.keep_checkpoint(name, arrays | curve | {"epoch": np.array(number + 1)})
        course.advance(1)
    found = _measured(config, recipe, state[0], sets) | curve
    for key in (*MEASURES, "curve_accuracy"):
        found[key][curve["failed"] >= 0] = np.nan
    study.finish(name, found)
    return found


def _measured(config: Completed, recipe: trainer.Recipe, weights: Any, sets: list[Split]) -> Arrays:
    """The measures after training, by (seeds, set, ...)."""
    each = [
        trainer.measured(recipe, weights, part, attacks(config), config.attacked) for part in sets
    ]
    return {name: np.stack([getattr(one, name) for one in each], axis=1) for name in MEASURES}


def attacks(config: Completed) -> Attacks:
    """The attacks that measure damage."""
    return Attacks(tuple(float(p) for p in config.attack_norms), config.eps, config.steps, 0)
