"""What the input gradients of random networks are predicted to be: by a law, or by sampling.

`theory` has a law for networks of layers that it has rules for. Where there is none, or where the
law is known to leave something out at finite size, the prediction is *gradient independence*: the
mean norm of networks whose backward pass uses independent copies of the weights
(`sim.independence`). It has a standard error, and it is paired with the measurement by common
random numbers. This module alone decides which.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

from sim.independence import sampling
from sim.models.pairs import ModelError
from sim.plan.configuration import Experiment
from sim.sampling.draws import Draws
from sim.statistics import intervals, verdicts
from theory.laws.law import Law
from theory.laws.parts import Quantity
from theory.laws.prediction import bases, missing, predict
from theory.laws.second_moment import breach
from theory.network import (
    AvgPool,
    BatchNorm,
    Conv,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LayerNorm,
    MaxPool,
    SmoothActivation,
    walk,
)
from theory.own import words
from theory.tokens import MixPositions

if TYPE_CHECKING:
    from theory.network import Network

BASIS = "gradient-independence"

EXACT_ENERGY = (
    "E‖∂f_k‖₂² is exact, with the network's own masks; the shape of the gradient and the size of "
    "the logits rest on what the table says"
)

UNEVEN = ("photo", "digits")
"""Inputs whose mean square differs from place to place."""

Advance = Callable[..., None]
"""Called with samples finished, and with a second number where more are added."""


@dataclass(frozen=True)
class Beside:
    """The measurement that a sampled prediction stands beside."""

    seeds: int = 128
    seed: int = 0
    input: str = "gaussian"
    inputs_per_seed: int = 1
    labels_per_seed: int = 1
    dtype: str = "float32"

    @classmethod
    def of(cls, config: Experiment) -> Beside:
        """The measurement that an experiment's plan describes."""
        return cls(
            seeds=config.seeds,
            seed=config.seed,
            input=config.input,
            inputs_per_seed=config.inputs_per_seed,
            labels_per_seed=getattr(config, "labels_per_seed", 1),
            dtype=config.dtype,
        )


@dataclass(frozen=True)
class Prediction:
    """What is expected of one network; NaN stands where there is no number."""

    norm: np.ndarray
    """E‖∂‖_q by (quantity, q, size)."""
    norm_error: np.ndarray
    """Its standard error: 0 of a law."""
    slope: np.ndarray
    """Least-squares slope of log norm on log d over these sizes, by (quantity, q)."""
    slope_error: np.ndarray
    """Its standard error, the jackknife's over seeds."""
    limit: np.ndarray
    """The exponent of d as d → ∞, by (quantity, q)."""
    basis: np.ndarray
    """What the prediction rests on, by (quantity, q); "none" if there is no prediction."""
    why_not: str | None = None
    """The reason, one sentence, if there is no prediction."""
    law: np.ndarray | None = None
    """E‖∂‖_q by the law that the prediction is better than."""
    samples: np.ndarray | None = None
    """Norms under gradient independence by (quantity, q, size, network)."""
    notes: tuple[str, ...] = field(default=())
    """What the law leaves out, and what the prediction leaves coupled, one sentence each."""


def left_out(network: Network, input: str) -> str | None:
    """What the law of a network is known to leave out at finite size, or None.

    A law takes statistics and maxima as those of infinitely many terms, and inputs as white and
    even. Behind averages it matters what positions have in common, which photographs change; a
    batch norm takes away the gradient that all positions share. Weights that mix positions are the
    same for all channels, so energies differ from position to position, forwards as well as
    backwards.
    """
    layers = list(walk(network.body))

    def has(*kinds: type[Layer]) -> bool:
        return any(isinstance(layer, kinds) for layer in layers)

    reflects = any(isinstance(x, Conv) and x.border == "reflect" for x in layers)
    if has(MaxPool, GlobalMaxPool):
        return "the law leaves out that a maximum selects large activations"
    if has(MixPositions):
        return "the law leaves out that all channels share the weights that mix positions"
    if has(GlobalAvgPool) and has(BatchNorm):
        return "the law leaves out that a batch norm takes away what gradients have in common"
    if input != "gaussian" and (has(GlobalAvgPool) or (has(AvgPool) and reflects)):
        return "the law leaves out that the pixels of an image are correlated"
    if has(LayerNorm):
        return "the law leaves out that statistics of few channels vary"
    if input in UNEVEN and has(Conv) and has(BatchNorm, SmoothActivation):
        return "the law leaves out that images are not equally bright everywhere"
    return None


def has_exact_energy(network: Network) -> bool:
    """Whether E‖∂f_k‖₂² rests on less than the rest of a network's law."""
    return bases(network)[0] != "exact" and breach(network.body) is None


def table(
    networks: Mapping[int, Network],
    sizes: Sequence[int],
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    paper: bool = False,
    beside: Beside = Beside(),
    advance: Advance = lambda done, more=0: None,
) -> xr.Dataset:
    """The predictions for networks by their width, at these sides of the image.

    Args:
        networks: by width.
        sizes: image sides.
        quantities: "loss" or "logit".
        norms: orders q in [1, ∞], numbers or text.
        paper: also norms by `hypothesis-H` alone, where a law rests on more.
        beside: the measurement that sampled predictions are paired with.
        advance: hears of sampled networks.

    Returns:
        A dataset with norms `predicted` by (width, quantity, q, size), and `predicted_slope`,
        `limit` and `basis` by (width, quantity, q), as in `Prediction`; `predicted_error` and
        `predicted_slope_error` are standard errors, 0 of a law. If a prediction is sampled,
        `independent` by (width, quantity, q, size, network) has its samples, and `law` what the law
        says instead; the coordinate `network` is the seed, and the attribute `seeds_together` the
        number of seeds, one after another, that have each other's weights as copies. The coordinate
        q holds the orders as text. The attribute `unpredicted` says why a network has no
        prediction, `rests` lists, as JSON, what a reader should know of the others.

    Raises:
        ValueError: for other orders or quantities.
    """
    found = [
        of(network, sizes, quantities, norms, beside, advance) for network in networks.values()
    ]
    reasons = [one.why_not for one in found if one.why_not is not None]
    notes = list(dict.fromkeys(note for one in found for note in one.notes))

    def column(values: Sequence[np.ndarray], about: str, *more: str) -> tuple[Any, ...]:
        return ("width", "quantity", "q", *more), np.array(values), {"long_name": about}

    slope = "least-squares slope of log predicted on log d"
    most = max((x.samples.shape[-1] for x in found if x.samples is not None), default=0)
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
        norms_by_h = [
            by_hypothesis_h(network, sizes, quantities, norms) for network in networks.values()
        ]
        about = "expected norm, by the paper's hypotheses alone"
        columns["hypothesis-H"] = column(norms_by_h, about, "size")
    if most:
        columns["predicted_slope_error"][2]["networks"] = most // sampling.TOGETHER
        shape = (*found[0].norm.shape, most)
        laws = [np.full(shape[:-1], np.nan) if x.law is None else x.law for x in found]
        columns["law"] = column(laws, "expected norm, by the law alone", "size")
        samples = [_padded(x.samples, shape) for x in found]
        about = "norm of the counterfactual network"
        columns["independent"] = column(samples, about, "size", "network")
        columns["independent"][2][verdicts.TOGETHER] = sampling.TOGETHER
    attributes = {"unpredicted": reasons[0]} if reasons else {}
    return xr.Dataset(
        columns,
        coords={
            "width": list(networks),
            "quantity": list(quantities),
            "q": [str(q) for q in norms],
            "size": list(sizes),
            **({"network": np.arange(most)} if most else {}),
        },
        attrs=attributes | ({"rests": json.dumps(notes)} if notes else {}),
    )


def _padded(samples: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    found = np.full(shape, np.nan)
    if samples is not None:
        found[..., : samples.shape[-1]] = samples
    return found


def is_sampled(network: Network, input: str) -> bool:
    """Whether the prediction of a network is sampled."""
    return missing(network) is not None or left_out(network, input) is not None


def of(
    network: Network,
    sizes: Sequence[int],
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    beside: Beside = Beside(),
    advance: Advance = lambda done, more=0: None,
) -> Prediction:
    """The prediction for one network; arguments as of `table`."""
    law = None if missing(network) else by_law(network, sizes, quantities, norms, beside.input)
    why = left_out(network, beside.input)
    if law is not None and why is None:
        return law
    try:
        samples, coupled = _sampled(network, sizes, quantities, norms, beside, advance)
    except Exception as error:  # whatever it is, the measurement goes on
        logging.getLogger(__name__).debug("a prediction failed", exc_info=error)
        return _none(error, law, quantities, norms, sizes)
    ds = [network.channels * side**2 for side in sizes]
    unknown = np.full((len(quantities), len(norms)), np.nan)
    found = _summarized(samples, np.array(ds, float))
    return replace(
        found,
        limit=unknown if law is None else law.limit,
        law=None if law is None else law.norm,
        notes=(*([] if law is None else [str(why)]), *coupled),
    )


def by_law(
    network: Network,
    sizes: Sequence[int],
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    input: str,
) -> Prediction:
    """What `theory` says of a network that it has a law for."""
    ds = [network.channels * side**2 for side in sizes]
    laws = [[predict(network, q, quantity) for q in norms] for quantity in quantities]
    if input == "gaussian":
        laws = [[law.at_gaussian_inputs() for law in row] for row in laws]
    values = np.array([[_values(law, ds) for law in row] for row in laws], float)
    slopes = np.array([[law.slope(ds) for law in row] for row in laws], float)
    return Prediction(
        norm=values,
        norm_error=np.where(np.isnan(values), np.nan, 0.0),
        slope=slopes,
        slope_error=np.where(np.isnan(slopes), np.nan, 0.0),
        limit=np.array([[float(law.exponent) for law in row] for row in laws]),
        basis=np.array([[law.basis for law in row] for row in laws]),
        notes=(EXACT_ENERGY,) if has_exact_energy(network) else (),
    )


def by_hypothesis_h(
    network: Network, sizes: Sequence[int], quantities: Sequence[Quantity], norms: Sequence[Any]
) -> np.ndarray:
    """E‖∂‖_q by (quantity, q, size) as the paper's hypotheses alone have it.

    NaN unless the network has a law that rests on more. Arguments as of `table`.
    """
    ds = [network.channels * side**2 for side in sizes]
    found = np.full((len(quantities), len(norms), len(sizes)), np.nan)
    if missing(network) is not None:
        return found
    for i, quantity in enumerate(quantities):
        if "hypothesis-H" in bases(network)[1:]:
            laws = [predict(network, q, quantity, "hypothesis-H") for q in norms]
            found[i] = [_values(law, ds) for law in laws]
    return found


def _values(law: Law, ds: list[int]) -> list[float]:
    return [np.nan if law.norm is None else law(d) for d in ds]


def _sampled(
    network: Network,
    sizes: Sequence[int],
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    beside: Beside,
    advance: Advance,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Norms by (quantity, q, size, network), and what stays coupled."""
    draws = Draws(
        quantities=tuple(quantities),
        norms=tuple(float(q) for q in norms),
        input=beside.input,
        inputs_per_seed=beside.inputs_per_seed,
        labels_per_seed=beside.labels_per_seed,
        seed=beside.seed,
    )
    with jax.enable_x64(beside.dtype == "float64"):
        found = sampling.sample(network, sizes, draws, beside.seeds, advance)
    if not np.isfinite(found.norms).all():
        raise ArithmeticError("some of its norms are not finite")
    return found.norms.transpose(2, 3, 1, 0), found.coupled


def _summarized(samples: np.ndarray, ds: np.ndarray) -> Prediction:
    """The mean norms of samples by (quantity, q, size, network), and their slopes."""
    groups = samples.reshape(*samples.shape[:-1], -1, sampling.TOGETHER).mean(axis=-1)
    mean, error, _ = intervals.mean_and_spread(groups)
    slope = slope_error = np.full(mean.shape[:2], np.nan)
    if np.all(mean > 0):
        slope, slope_error = intervals.exponent(groups.swapaxes(2, 3), ds)
    return Prediction(
        mean, error, slope, slope_error, slope, np.full(mean.shape[:2], BASIS), samples=samples
    )


def _none(
    error: Exception,
    law: Prediction | None,
    quantities: Sequence[Quantity],
    norms: Sequence[Any],
    sizes: Sequence[int],
) -> Prediction:
    """What is left where sampling failed: the law, or nothing."""
    if law is not None:
        note = f"the law alone, since {BASIS} could not be sampled: {words(error)}"
        return replace(law, notes=(note,))
    why = str(error) if isinstance(error, ModelError) else words(error)
    by_q = (len(quantities), len(norms))
    unknown, nothing = np.full(by_q, np.nan), np.full((*by_q, len(sizes)), np.nan)
    none = np.full(by_q, "none")
    return Prediction(nothing, nothing, unknown, unknown, unknown, none, why)
