"""Later theorems away from their limits: the width, the depth and the d from which each is seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.statements.gradient_steps import (
    VARIANCE,
    flips,
    flips_of_one_layer,
    outputs_at_two_inputs,
)
from sim.statements.outcome import Outcome, Settings, of_exponent, of_mean
from sim.statements.perturbations import relative_distances
from sim.statements.subspaces import PIXELS, Course, a_tenth, trained
from theory import architectures
from theory.laws import step
from theory.laws.distance import Distance
from theory.network import Tanh


@dataclass(frozen=True)
class Sweep:
    """One claim at one width, depth or d."""

    statement: str
    predicted: str
    """What the prediction is: the law of the statement, or a limit that it names."""
    outcome: Outcome


def _step(settings: Settings) -> Iterator[Sweep]:
    law, name = "law of wide networks", "gradient-step"
    for side, width, depth in (
        *((side, 256, 1) for side in (2, 4, 8)),
        *((4, width, 1) for width in (8, 32, 128)),
        *((4, 128, depth) for depth in (2, 4, 8)),
    ):
        network, d = architectures.mlp(width, depth, classes=1), 3 * side**2
        what = f"flipped by a step of ‖x‖/√d: d = {d}, {depth} × {width} units"
        found = flips(network, side, 1.0, settings)
        yield Sweep(name, law, of_mean(what, step.flip_probability(1.0, d, depth), found))
        if (side, width) == (8, 256):
            limit = step.flip_probability(1.0, d, 0)
            yield Sweep(name, "first order", of_mean(what, limit, found))


def _descent(settings: Settings) -> Iterator[Sweep]:
    for side, widths in ((4, (16, 4)), (8, (64, 16)), (8, (256, 256))):
        d = 3 * side**2
        found = flips(architectures.mlp(widths, classes=1), side, 1.0, settings, steps=32)
        first = float(Distance(d).distribution_function(1 / np.sqrt(d)))
        alive = (1 - 2.0 ** -widths[0]) * (1 - 2.0 ** -widths[1])
        what = (
            f"flipped by descent over ‖x‖/√d in 32 steps: d = {d}, widths {widths[0]}, {widths[1]}"
        )
        yield Sweep("decreasing-widths", "first order", of_mean(what, first * alive, found))


def _activations(settings: Settings) -> Iterator[Sweep]:
    share = step.activation_flip_probability(1.0, Tanh(), VARIANCE)
    for d, width in ((3072, 64), (3072, 512), (3072, 4096), (48, 4096)):
        found = flips_of_one_layer(Tanh(), VARIANCE, 1.0, d, width, settings)
        what = f"flipped by a step of ‖x‖/√d: d = {d}, {width} tanh"
        yield Sweep("general-activations", "width, d → ∞", of_mean(what, share, found))


def _depth(settings: Settings) -> Iterator[Sweep]:
    for depth, width in ((2, 1024), (32, 1024), (8, 64), (32, 64)):
        f = outputs_at_two_inputs(np.pi / 2, depth, width, settings)
        differ, what = f[:, 0] * f[:, 1] < 0, f"different signs: {depth} × {width} units"
        law = step.signs_differ(np.pi / 2, depth)
        yield Sweep("deep-networks", "law of wide networks", of_mean(what, law, differ))
        if (depth, width) == (32, 1024):
            yield Sweep("deep-networks", "3/L", of_mean(what, 3 / depth, differ))


def _distance(settings: Settings) -> Iterator[Sweep]:
    inverse, constant = ("‖x‖/√d", -0.5), ("‖x‖", 0)
    for head, predictions in (("gap", (inverse, constant)), ("dense", (inverse,))):
        distances = relative_distances(architectures.cnn(8, 2, classes=1, head=head), settings)
        what = f"exponent of d in the distance over ‖x‖₂: cnn, head {head}, sides 8 and 16"
        for name, exponent in predictions:
            yield Sweep("boundary-scaling", name, of_exponent(what, exponent, *distances))


def _training(settings: Settings) -> Iterator[Sweep]:
    few = a_tenth(settings)
    name, copies, widths = "lazy-training", (4, 16), (64, 256, 1024, 4096)
    learned = {
        (activation, width, c): trained(
            Course(copies=c, widths=(width,), activation=activation, antisymmetric=True), few
        )[1]
        for activation in ("tanh", "relu")
        for width in widths
        for c in (copies if (activation, width) == ("relu", 64) else copies[:1])
    }
    ds = [PIXELS * c for c in copies]
    for part, predicted, gap in (("on", "0", 0.0), ("off", "√(d − m)", 0.5)):
        rows = np.stack([getattr(learned["relu", 64, c], part) for c in copies], axis=1)
        slope = gap * np.log((ds[1] - PIXELS) / (ds[0] - PIXELS)) / np.log(ds[1] / ds[0])
        what = f"exponent of d in ‖∂f‖₁ {part} the subspace, f = 0 at first: 64 ReLUs, d = 64, 256"
        yield Sweep("copied-pixels", predicted, of_exponent(what, slope, rows, ds))
    for activation, slope, predicted in (("tanh", -0.5, "n^(−1/2)"), ("relu", -0.25, "n^(−1/4)")):
        for pair in pairwise(widths):
            rows = np.stack([learned[activation, n, 4].off for n in pair], axis=1)
            sizes = f"{activation}, {pair[0]} to {pair[1]} units"
            what = f"exponent of the width in ‖Q∂f‖₁, f = 0 at first: {sizes}"
            yield Sweep(name, predicted, of_exponent(what, slope, rows, list(pair)))


SWEEPS: dict[str, Callable[[Settings], Iterator[Sweep]]] = {
    "decreasing-widths": _descent,
    "gradient-step": _step,
    "deep-networks": _depth,
    "general-activations": _activations,
    "boundary-scaling": _distance,
    "lazy-training": _training,
}
"""By statement, what is measured away from its limits; "lazy-training" has `copied-pixels`, too."""
