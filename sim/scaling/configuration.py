"""The configuration of a scaling run, and its plan."""

import math
from dataclasses import dataclass
from typing import Literal

from sim.networks import closed_forms
from sim.plan import needs as of_plan
from sim.plan import plan
from sim.plan.configuration import ModelExperiment
from sim.plan.plan import Plan
from sim.running import flags
from sim.running.needs import Needs
from sim.storage.folder import folder
from theory.laws.norms import norm_order


@dataclass(frozen=True)
class Config(ModelExperiment):
    """What to sample."""

    seeds: int = 128
    """Number of random networks for each width and size; with --until, of the first stage."""
    until: flags.Number = None
    """Sample so many networks that the 95 % interval of every exponent has at most this half-width.
    The spread of the first --seeds networks fixes their number (Stein's two-stage procedure)."""
    max_seeds: int = 100_000
    """With --until: no more networks than this for each width and size."""
    norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders q of the norms, from 1 to inf."""
    quantity: tuple[Literal["loss", "logit"], ...] = ("loss",)
    """Whose gradient: the cross-entropy loss, one logit, or both."""
    labels_per_seed: int = 1
    """Labels of the loss, or logits, over which the results of one network are averaged."""
    integrate_first: bool = False
    """Sample the expectations of the norms over the first matrix: the same means and far shorter
    intervals, for --norms 1 2 of networks that begin with a Gaussian dense layer."""
    sampler: Literal["auto", "lazy", "dense"] = "auto"
    """lazy: Gaussian matrices of dense layers are never formed, which is exact in law and much
    faster. dense: all matrices are formed. auto: lazy where there are such layers."""
    batch: flags.Whole = None
    """Seeds computed side by side; chosen to fit the memory unless given. It changes no sample
    beyond rounding."""


MOST_CLASSES = 21_201
"""Dimensions of the Sobol sequences from which the loss is predicted."""


def planned(config: Config, out: str | None = None) -> Plan[Config]:
    """The plan of a scaling run.

    Args:
        config: as it was given.
        out: where samples are to be kept, a folder or a URL; None if they are not.

    Returns:
        Networks by width, sizes and sampler, all of them checked.

    Raises:
        ValueError: with one sentence, if it cannot be run, or not be kept in `out`.
    """
    found = plan.planned(config, "norms", "quantity")
    config = found.config
    if config.classes > MOST_CLASSES and "loss" in config.quantity:
        raise ValueError(
            f"the loss is predicted for at most {MOST_CLASSES} classes, not {config.classes}; "
            "--quantity logit has no limit."
        )
    _check_number(config, out)
    if out is not None:
        folder(out)
    if config.sampler == "lazy" and found.sampler == "dense":
        raise ValueError(
            f"--sampler lazy needs dense layers with Gaussian weights, and {config.arch} with "
            f"--init {config.init} has none."
        )
    if not 1 <= config.labels_per_seed <= config.classes:
        raise ValueError(
            f"--labels-per-seed must lie between 1 and --classes, {config.classes}, not "
            f"{config.labels_per_seed}."
        )
    if config.integrate_first:
        if found.sampler == "dense":
            raise ValueError("--integrate-first needs a first matrix that is not formed.")
        for network in found.networks.values():
            norms = [float(q) for q in config.norms]
            closed_forms.check(network, min(found.dimensions), norms)
    if config.batch is not None and config.batch < 1:
        raise ValueError(f"--batch must be at least 1, not {config.batch}.")
    for q in config.norms:
        norm_order(q)
    needs(found).refuse()
    return found


def needs(plan: Plan[Config], devices: int | None = None) -> Needs:
    """The memory and the time that a scaling run needs, on so many devices of a processor."""
    config = plan.config
    return of_plan.sampling(
        plan,
        of_plan.Sampling(
            points=config.inputs_per_seed * config.labels_per_seed,
            numbers=len(config.quantity) * len(config.norms),
            lazy=plan.sampler == "lazy",
            batch=config.batch,
            most=config.max_seeds if config.until is not None else None,
        ),
        devices,
    )


def _check_number(config: Config, out: str | None) -> None:
    """Refuse two stages of sampling that make no sense, or that cannot be kept."""
    if config.until is None:
        return
    if out is not None:
        raise ValueError(
            "--out keeps a number of seeds known beforehand: give --seeds, no --until."
        )
    if not 0 < config.until < math.inf:
        raise ValueError(f"--until must be a positive number, not {config.until:g}.")
    if config.max_seeds < config.seeds:
        raise ValueError(
            f"--max-seeds must be at least --seeds, {config.seeds}, not {config.max_seeds}."
        )
