"""From the map of second moments to expected norms: the columns of a scaling run."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import xarray as xr

from sim.models import Own, pair
from sim.trace import Trace, TraceError, trace
from theory import gaussian
from theory.softmax import residual_value

BINS = 512


@lru_cache(maxsize=64)
def traced(model: Own, shape: tuple[int, ...]) -> Trace:
    """The trace of a user's model at one input shape. Raises TraceError."""
    init, apply = pair(model, shape)
    return trace(init, apply, shape)


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


def predictions(
    model: Own,
    width: int,
    sizes: Sequence[int],
    channels: int,
    quantities: Sequence[str],
    norms: Sequence[str],
) -> xr.Dataset:
    """What `sim.scaling.predictions` gives for described networks, from traces.

    There is no expression in d, so `limit` is NaN. If a trace fails, all numbers are NaN, the basis
    is "none" and the attribute `unpredicted` holds the reason, one sentence.
    """
    basis, why = "none", None
    values = np.full((1, len(quantities), len(norms), len(sizes)), np.nan)
    try:
        traces = [traced(model, (side, side, channels)) for side in sizes]
    except TraceError as error:
        why = str(error)
    else:
        basis = "wide" if any(x.basis == "wide" for x in traces) else "hypothesis-H"
        for i, quantity in enumerate(quantities):
            for j, q in enumerate(norms):
                values[0, i, j] = [norm(x, float(q), quantity) for x in traces]
    ds = np.array([channels * side**2 for side in sizes], float)
    slopes = np.full(values.shape[:3], np.nan)
    if why is None and np.all(values > 0):
        rows = np.log(values.reshape(-1, len(sizes))).T
        slopes = np.polyfit(np.log(ds), rows, 1)[0].reshape(slopes.shape)
    dims = ("width", "quantity", "q")
    unknown = np.full(slopes.shape, np.nan)
    return xr.Dataset(
        {
            "predicted": (
                (*dims, "size"),
                values,
                {"long_name": "expected norm, from the traced second moments"},
            ),
            "hypothesis-H": ((*dims, "size"), np.full(values.shape, np.nan)),
            "predicted_slope": (
                dims,
                slopes,
                {"long_name": "least-squares slope of log predicted on log d"},
            ),
            "limit": (dims, unknown, {"long_name": "exponent of d as d → ∞: not known"}),
            "basis": (
                dims,
                np.full(slopes.shape, basis),
                {"long_name": "what the prediction rests on"},
            ),
        },
        coords={
            "width": [width],
            "quantity": list(quantities),
            "q": list(norms),
            "size": list(sizes),
        },
        attrs={} if why is None else {"unpredicted": why},
    )
