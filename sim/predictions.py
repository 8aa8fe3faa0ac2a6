"""What the input gradients of random networks are predicted to be: by a law, or else by a trace.

`theory` has a law for networks of layers that it has rules for. Every other network, and any user's
own model, is predicted from a trace of its code (`sim.trace`). This module alone decides which.

Some traces take moments from a few forward passes of random networks, so that the prediction is
itself random. Then it is the mean of several traces, and has a standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from sim import intervals
from theory.law import Law, Quantity, bases, missing, predict

if TYPE_CHECKING:
    from sim.models import Own
    from theory.network import Network


TRACES = 8
"""Traces of different seeds, where a trace depends on its seed: their mean has about a third of the
error of one, and that error is known to about a quarter, 1/√(2 · 7)."""

ROUNDING = 1e-6
"""Relative standard error that rounding alone may cause; less is none."""


@dataclass(frozen=True)
class Prediction:
    """Of one network; NaN where there is no number."""

    norm: np.ndarray
    """E‖∂‖_q by (quantity, q, size)."""
    norm_error: np.ndarray
    """Its standard error: 0 unless it is the mean of `TRACES` random traces."""
    slope: np.ndarray
    """Least-squares slope of log norm on log d over these sizes, by (quantity, q)."""
    slope_error: np.ndarray
    """Its standard error, the jackknife's over traces: sizes of one trace may share weights."""
    limit: np.ndarray
    """The exponent of d as d → ∞, by (quantity, q)."""
    basis: np.ndarray
    """What the prediction rests on, by (quantity, q); "none" if there is no prediction."""
    why_not: str | None = None
    """The reason, one sentence, if there is no prediction."""


def to_trace(network: Network) -> Own | None:
    """The network as code that has to be traced; None if `theory` has a law for it."""
    if missing(network) is None:
        return None
    from sim.models import as_own

    return as_own(network)


def table(
    networks: Mapping[int, Network],
    sizes: Sequence[int],
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    paper: bool = False,
) -> xr.Dataset:
    """The predictions for networks by their width, at these sides of the image.

    `norms` are orders q in [1, ∞], numbers or text. Returns a dataset with norms `predicted` by
    (width, quantity, q, size), and `predicted_slope`, `limit` and `basis` by (width, quantity, q),
    as in `Prediction`; `predicted_error` and `predicted_slope_error` are standard errors, 0 of a
    prediction that is not random. The attribute `traces` of the latter is the number of traces
    that they come from. With `paper`, also norms by `hypothesis-H` alone, where a law rests on
    more. The coordinate q holds the orders as text. If a network has no prediction, the attribute
    `unpredicted` says why. Raises ValueError for other orders or quantities.
    """
    asked = (sizes, quantities, norms)
    found = [of(network, *asked) for network in networks.values()]
    reasons = [one.why_not for one in found if one.why_not is not None]

    def column(values: Sequence[np.ndarray], about: str, *more: str) -> tuple[Any, ...]:
        return ("width", "quantity", "q", *more), np.array(values), {"long_name": about}

    slope = "least-squares slope of log predicted on log d"
    columns = {
        "predicted": column([x.norm for x in found], "expected norm", "size"),
        "predicted_error": column(
            [x.norm_error for x in found], "standard error of predicted", "size"
        ),
        "predicted_slope": column([x.slope for x in found], slope),
        "predicted_slope_error": column(
            [x.slope_error for x in found], "standard error of predicted_slope"
        ),
        "limit": column([x.limit for x in found], "exponent of d as d → ∞"),
        "basis": column([x.basis for x in found], "what the prediction rests on"),
    }
    if paper:
        norms_by_h = [by_hypothesis_h(network, *asked) for network in networks.values()]
        about = "expected norm, by the paper's hypotheses alone"
        columns["hypothesis-H"] = column(norms_by_h, about, "size")
    columns["predicted_slope_error"][2]["traces"] = TRACES
    return xr.Dataset(
        columns,
        coords={
            "width": list(networks),
            "quantity": list(quantities),
            "q": [str(q) for q in norms],
            "size": list(sizes),
        },
        attrs={"unpredicted": reasons[0]} if reasons else {},
    )


def of(
    network: Network, sizes: Sequence[int], quantities: Sequence[Quantity], norms: Sequence[Any]
) -> Prediction:
    """The prediction for one network; arguments as of `table`."""
    ds = [network.channels * side**2 for side in sizes]
    own = to_trace(network)
    if own is not None:
        return _by_trace(own, [network.input_shape(side) for side in sizes], quantities, norms)
    laws = [[predict(network, q, quantity) for q in norms] for quantity in quantities]
    norms_by_law = np.array([[_values(law, ds) for law in row] for row in laws], float)
    slopes = np.array([[law.slope(ds) for law in row] for row in laws], float)
    return Prediction(
        norm=norms_by_law,
        norm_error=_none_of(norms_by_law),
        slope=slopes,
        slope_error=_none_of(slopes),
        limit=np.array([[float(law.exponent) for law in row] for row in laws]),
        basis=np.array([[law.basis for law in row] for row in laws]),
    )


def by_hypothesis_h(
    network: Network, sizes: Sequence[int], quantities: Sequence[Quantity], norms: Sequence[Any]
) -> np.ndarray:
    """E‖∂‖_q by (quantity, q, size) as the paper's hypotheses alone have it.

    NaN unless the network has a law that rests on more. Arguments as of `table`.
    """
    ds = [network.channels * side**2 for side in sizes]
    found = np.full((len(quantities), len(norms), len(sizes)), np.nan)
    if to_trace(network) is not None:
        return found
    for i, quantity in enumerate(quantities):
        if "hypothesis-H" in bases(network, quantity)[1:]:
            laws = [predict(network, q, quantity, "hypothesis-H") for q in norms]
            found[i] = [_values(law, ds) for law in laws]
    return found


def _none_of(values: np.ndarray) -> np.ndarray:
    """The standard errors of numbers that are not random: 0, or NaN where there is no number."""
    return np.where(np.isnan(values), np.nan, 0.0)


def _values(law: Law, ds: list[int]) -> list[float]:
    return [np.nan if law.norm is None else law(d) for d in ds]


def _by_trace(
    own: Own, shapes: list[tuple[int, ...]], quantities: Sequence[str], norms: Sequence[Any]
) -> Prediction:
    """From traces at the input shapes; there is no expression in d, so limits are not known."""
    from sim.trace import TraceError
    from sim.trace.prediction import norm, traced

    by_q = (len(quantities), len(norms))
    unknown = np.full(by_q, np.nan)
    nothing = np.full((*by_q, len(shapes)), np.nan)
    try:
        traces = [[traced(own, shape) for shape in shapes]]
        if any(first.is_random for first in traces[0]):
            traces += [
                [
                    traced(own, shape, seed) if first.is_random else first
                    for shape, first in zip(shapes, traces[0], strict=True)
                ]
                for seed in range(1, TRACES)
            ]
    except TraceError as error:
        none = np.full(by_q, "none")
        return Prediction(nothing, nothing, unknown, unknown, unknown, none, str(error))
    values = np.array(
        [
            [[[norm(x, float(q), quantity) for x in row] for row in traces] for q in norms]
            for quantity in quantities
        ]
    )  # by (quantity, q, trace, size)
    basis = "wide" if any(x.basis == "wide" for x in traces[0]) else "hypothesis-H"
    ds = np.array([np.prod(shape) for shape in shapes], float)
    return Prediction(*_averaged(values, ds), unknown, np.full(by_q, basis))


def _averaged(
    values: Float[np.ndarray, "quantity q traces size"], ds: Float[np.ndarray, " size"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The mean norm of traces and its slope, each followed by its standard error."""
    mean = values.mean(axis=2)
    slope = np.full(mean.shape[:2], np.nan)
    if np.all(mean > 0):
        slope = np.log(mean) @ intervals.slope_weights(ds)
    error, slope_error = _none_of(mean), _none_of(slope)
    if values.shape[2] > 1:
        error = intervals.mean_and_spread(np.moveaxis(values, 2, -1))[1]
        if np.all(mean > 0):
            slope_error = intervals.exponent(values, ds)[1]
        error = np.where(error <= ROUNDING * mean, 0.0, error)
        slope_error = np.where(slope_error <= ROUNDING, 0.0, slope_error)
    return mean, error, slope, slope_error
