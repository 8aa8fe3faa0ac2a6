"""From the map of second moments of a trace to expected norms."""

from functools import lru_cache

import numpy as np

from sim.models import Own, pair
from sim.trace import Trace, trace
from theory import gaussian
from theory.softmax import residual_value

BINS = 512


@lru_cache(maxsize=64)
def traced(model: Own, shape: tuple[int, ...], seed: int = 0) -> Trace:
    """The trace of a user's model at one input shape. Raises TraceError."""
    init, apply = pair(model, shape)
    return trace(init, apply, shape, seed=seed)


def norm(found: Trace, q: float, quantity: str) -> float:
    """E‖∂_x f_k‖_q (quantity "logit") or E‖∂_x L‖_q ("loss", cross-entropy) from a trace.

    Coordinates are taken as independent Gaussians of the traced second moments, which is the limit
    of large width; for the loss, logits as independent of their gradients.
    """
    value = gaussian.norm_value(q, _groups(found.energy))
    if quantity == "loss":
        value *= residual_value(found.logits, found.classes)
    return value


def _groups(energy: np.ndarray) -> gaussian.Groups:
    """Second moments gathered in narrow logarithmic bins, each represented by its mean."""
    positive = energy[energy > 0]
    if positive.size == 0:
        return gaussian.Groups([0.0], [1])
    logs = np.log(positive)
    step = max(float(np.ptp(logs)) / BINS, 1e-6)
    bins = ((logs - logs.min()) / step).astype(int)
    _, where, counts = np.unique(bins, return_inverse=True, return_counts=True)
    means = np.bincount(where.ravel(), weights=positive) / counts
    return gaussian.Groups(np.sqrt(means), counts)
