"""The law of any JAX model, read from its jaxpr: second moments pushed through the network.

`trace(init, apply, shape)` reads `apply` once and builds its squared network, in which every random
weight is replaced by its second moment, every activation by that of its slope, every fixed linear
map by its squared coefficients, sums by sums. Its transpose, applied to a logit, is the map of
E(∂f/∂x_i)² over all input coordinates. This is Theorem 5 of Simon-Gabriel et al. (ICML 2019),
coordinate by coordinate and for any wiring; no gradient is sampled.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from sim.trace.arrays import one_thread
from sim.trace.averages import AVERAGED
from sim.trace.pointwise import FORWARD_PASSES, GAUSSIAN
from sim.trace.rules import PRODUCTS
from sim.trace.softmax import SMALL_SCORES
from sim.trace.source import Source
from sim.trace.squared import squared
from sim.trace.values import Step, TraceError

__all__ = ["Row", "Trace", "TraceError", "basis_of", "trace"]

WIDE = {GAUSSIAN, AVERAGED, SMALL_SCORES, FORWARD_PASSES, PRODUCTS}
"""Assumptions that go beyond hypothesis H."""


@dataclass(frozen=True)
class Row:
    """One layer of a network: consecutive equations of one source line."""

    gain: float
    """Energy gain κ = E‖∂f/∂x_in‖² / E‖∂f/∂x_out‖², over all ways through the equations."""
    kind: str
    source: Source
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """What the squared network says at one input shape."""

    energy: Float[np.ndarray, "..."]
    """E(∂f_k/∂x_i)² of one logit, in the shape of the input, averaged over the logits."""
    logits: float
    """The mean square of a logit, at inputs of mean square 1."""
    classes: int
    rows: tuple[Row, ...]
    """Energy gains, from the input to the logits."""
    basis: Literal["hypothesis-H", "wide"]
    assumptions: tuple[str, ...]
    is_random: bool = False
    """Whether moments in it come from random draws (`seed`), such as a few forward passes."""


def trace(
    init: Callable[[Any], Any],
    apply_model: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
    logit: int | None = None,
    seed: int = 0,
) -> Trace:
    """Second moments of the input gradient of a model's logits at random initialization.

    `init(key)` draws the weights, any pytree; `apply_model(weights, x)` gives the logits (classes,)
    for one input x of `shape`. Inputs have mean square 1 in every coordinate. `logit` is the index
    of one logit; None averages over all of them. `seed` decides the draws from which moments are
    taken that no rule gives: of some weights, and those of a few forward passes.

    Raises TraceError, with one sentence that names the primitive and the line of the model's
    source, where a rule is missing or does not hold.
    """
    found = squared(init, apply_model, shape, seed)
    tape, logits = found.tape, found.logits
    classes = logits.shape[0]
    chosen = np.full(classes, 1 / classes) if logit is None else np.eye(classes)[logit]
    with one_thread():
        energy, gains = tape.pull(logits.node, chosen)
        mean_square = float(np.mean(logits.square))
    rows = _rows(tape.steps, [sum(parts) for parts in gains])
    assumptions = tuple(dict.fromkeys(a for row in rows for a in row.assumptions))
    return Trace(
        energy=np.zeros(shape) if energy is None else np.asarray(energy, float),
        logits=mean_square,
        classes=classes,
        rows=rows,
        basis=basis_of(assumptions),
        assumptions=assumptions,
        is_random=found.passes.decides,
    )


def basis_of(assumptions: Iterable[str]) -> Literal["hypothesis-H", "wide"]:
    """What a prediction rests on that assumes all of these."""
    return "wide" if WIDE & set(assumptions) else "hypothesis-H"


def _rows(steps: list[Step], gains: list[float]) -> tuple[Row, ...]:
    """Steps of one line together, but each layer for itself; those that keep energies left out."""
    rows: list[Row] = []
    for step, gain in zip(steps, gains, strict=True):
        if not np.isfinite(gain) or step.kind in ("arrange", "sum"):
            continue
        last = rows[-1] if rows else None
        scaling = step.kind in ("scale", "average")
        if last and last.source == step.source and (scaling and last.kind in ("average", "scale")):
            kind = "average" if "average" in (last.kind, step.kind) else "scale"
            assumptions = tuple(dict.fromkeys(last.assumptions + step.assumptions))
            rows[-1] = Row(last.gain * gain, kind, step.source, assumptions)
        else:
            rows.append(Row(gain, step.kind, step.source, step.assumptions))
    return tuple(row for row in rows if row.kind != "scale" or abs(row.gain - 1) > 1e-6)
