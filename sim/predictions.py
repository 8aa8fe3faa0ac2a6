"""What the input gradients of random networks are predicted to be: by a law, or else by a trace.

`theory` has a law for networks of layers that it has rules for. Every other network, and any user's
own model, is predicted from a trace of its code (`sim.trace`). This module alone decides which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from theory.law import Law, Quantity, bases, missing, predict

if TYPE_CHECKING:
    from sim.models import Own
    from theory.network import Network


@dataclass(frozen=True)
class Prediction:
    """Of one network; NaN where there is no number."""

    norm: np.ndarray
    """E‖∂‖_q by (quantity, q, size)."""
    slope: np.ndarray
    """Least-squares slope of log norm on log d over these sizes, by (quantity, q)."""
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
    as in `Prediction`; with `paper`, also norms by `hypothesis-H` alone, where a law rests on more.
    The coordinate q holds the orders as text. If a network has no prediction, the attribute
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
        "predicted_slope": column([x.slope for x in found], slope),
        "limit": column([x.limit for x in found], "exponent of d as d → ∞"),
        "basis": column([x.basis for x in found], "what the prediction rests on"),
    }
    if paper:
        norms_by_h = [by_hypothesis_h(network, *asked) for network in networks.values()]
        about = "expected norm, by the paper's hypotheses alone"
        columns["hypothesis-H"] = column(norms_by_h, about, "size")
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
    return Prediction(
        norm=np.array([[_values(law, ds) for law in row] for row in laws]),
        slope=np.array([[law.slope(ds) for law in row] for row in laws], float),
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


def _values(law: Law, ds: list[int]) -> list[float]:
    return [np.nan if law.norm is None else law(d) for d in ds]


def _by_trace(
    own: Own, shapes: list[tuple[int, ...]], quantities: Sequence[str], norms: Sequence[Any]
) -> Prediction:
    """From traces at the input shapes; there is no expression in d, so limits are not known."""
    from sim.trace import TraceError
    from sim.trace.prediction import norm, traced

    by_q = (len(quantities), len(norms))
    unknown, slope = np.full(by_q, np.nan), np.full(by_q, np.nan)
    nothing = np.full((*by_q, len(shapes)), np.nan)
    try:
        traces = [traced(own, shape) for shape in shapes]
    except TraceError as error:
        return Prediction(nothing, slope, unknown, np.full(by_q, "none"), str(error))
    values = np.array(
        [[[norm(x, float(q), quantity) for x in traces] for q in norms] for quantity in quantities]
    )
    if np.all(values > 0):
        logs = np.log(np.array([np.prod(shape) for shape in shapes], float))
        rows = np.log(values.reshape(-1, len(shapes))).T
        slope = np.polyfit(logs, rows, 1)[0].reshape(by_q)
    basis = "wide" if any(x.basis == "wide" for x in traces) else "hypothesis-H"
    return Prediction(values, slope, unknown, np.full(by_q, basis))
