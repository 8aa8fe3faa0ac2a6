"""What the samples of an audit say: the ladder's factors, in total and by place, and exponents.

NumPy, SciPy and xarray only; `samples` is always what `sim.audit.run` returned.
"""

import json
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from sim.audit import hypotheses, ratios
from sim.audit.hypotheses import Hypotheses
from sim.audit.ratios import Measured
from sim.predictions.prediction import BASIS
from sim.statistics import intervals
from sim.statistics.verdicts import FALSE_ALARM

SAFE = 0.05
"""An exponent that moves by less than this over the sizes of an audit is called safe."""

NO_HYPOTHESIS = (
    "hypothesis H says nothing of a network that is not made of linear maps and ReLUs alone, so "
    "the ladder begins at gradient independence"
)

LAW, HYPOTHESIS, INDEPENDENCE, NETWORK = "law", "hypothesis-H", BASIS, "network"
"""What the ladder compares, from the prediction to the network as it is."""


@dataclass(frozen=True)
class Step:
    """From one of `LAW`, `HYPOTHESIS`, `INDEPENDENCE`, `NETWORK` to a later one."""

    start: str
    end: str
    norm: Measured
    """E‖∂‖₁ at the end over that at the start; z against 1."""
    energy: Measured | None
    """The same of E‖∂‖₂²; None from a law."""


@dataclass(frozen=True)
class Place:
    """Where weights, or the masks of a ReLU, multiply a signal."""

    name: str
    kind: str
    """"mask" or "weights"."""
    where: str
    """A line of the user's source, or the shape of a described layer's output."""
    norm: Measured
    """Its factor in E‖∂‖₁: with the true mask, or with its own weights, over that without; z
    against 1."""
    energy: Measured
    """Its factor in E‖∂‖₂²."""
    gain: Measured
    """κ, the energy of the gradient in front of the place over that behind it."""
    independent_gain: Measured
    """κ under gradient independence."""
    active: Measured | None
    """The share of active units of a mask; z against 1/2."""
    differs: bool
    """Whether z of the factor is beyond what 1 % of audits show at any place if all are 1."""


@dataclass(frozen=True)
class AtSide:
    """Of the networks at one image side."""

    side: int
    d: int
    norms: dict[str, Measured]
    """E‖∂‖₁ of what the ladder compares."""
    steps: list[Step]
    """From each of `norms` to the next one."""
    ladder: Step
    """From the first rung to the network: the product of the factors of all places."""
    gap: Step
    """From the prediction to the network."""
    places: list[Place]
    """From the input to the logits."""
    rest: dict[str, Measured]
    """By kind, the product of the factors of the places that do not differ, if there are any."""


@dataclass(frozen=True)
class Shift:
    """By how much the exponent of d of E‖∂‖₁ changes over the sizes of the audit."""

    start: str
    end: str
    exponent: Measured


@dataclass(frozen=True)
class Analysis:
    """What an audit says."""

    arch: str
    quantity: str
    prediction: str
    """What predicts the network: `LAW` or `INDEPENDENCE`."""
    basis: str
    """What the law rests on; "none" without one."""
    by_side: list[AtSide]
    shifts: list[Shift]
    """Of the steps of the ladder."""
    exponent: Measured
    """By how much the gap between prediction and network moves the exponent; z against 0."""
    ladder_exponent: Measured
    """The same of the gap between the first rung of the ladder and the network."""
    bound: float
    """The |z| beyond which a place differs."""
    single_bound: float
    """The |z| that 1 % of audits show by chance where there is one number, as for a whole gap."""
    hypotheses: Hypotheses
    """At the largest size."""
    notes: list[str]
    """What the law and the ladder leave out, and which weights could not be copied."""

    @property
    def last(self) -> AtSide:
        """The largest size."""
        return self.by_side[-1]

    @property
    def safe(self) -> bool | None:
        """Whether the gap moves the exponent by no more than `SAFE`; None: too few seeds."""
        low, high = self.exponent.interval
        if low > -SAFE and high < SAFE:
            return True
        if abs(self.exponent.value) > SAFE and (low > 0 or high < 0):
            return False
        return None


def analysed(samples: xr.Dataset) -> Analysis:
    """What the samples of `sim.audit.run` say."""
    bound = _bound(samples, samples.sizes["place"])
    rungs = _rungs(samples)
    names = list(rungs)
    ds = samples["d"].values.astype(float)
    predicted = LAW if samples.attrs["prediction"] == "law" else INDEPENDENCE

    def shift(start: str, end: str) -> Measured:
        return ratios.exponent(rungs[end], rungs[start], ds)

    return Analysis(
        arch=str(samples.attrs["arch"]),
        quantity=str(samples.attrs["quantity"]),
        prediction=predicted,
        basis=str(samples.attrs["basis"]),
        by_side=[_at_side(samples, i, predicted, bound) for i in range(len(ds))],
        shifts=[Shift(a, b, shift(a, b)) for a, b in pairwise(names)],
        exponent=shift(predicted, NETWORK),
        ladder_exponent=shift(_first(names), NETWORK),
        bound=bound,
        single_bound=_bound(samples, 1),
        hypotheses=hypotheses.measured(samples.isel(size=-1)),
        notes=_notes(samples),
    )


def _notes(samples: xr.Dataset) -> list[str]:
    own = [samples.attrs["left_out"]] if samples.attrs["left_out"] else []
    if not samples.attrs["rectified"]:
        own.append(NO_HYPOTHESIS)
    return own + json.loads(samples.attrs["coupled"])


def _bound(samples: xr.Dataset, comparisons: int) -> float:
    """Of |z|, after Bonferroni."""
    level = 1 - FALSE_ALARM / max(1, comparisons)
    return float(intervals.quantile(level, samples.sizes["seed"] - 1))


def _rungs(samples: xr.Dataset, variable: str = "norm") -> dict[str, np.ndarray]:
    """What the ladder compares, in order: a law by (size), rungs by (size, seed)."""
    independence = int(samples.attrs["independence"])
    values = samples[variable].values
    found = {}
    if variable == "norm" and np.isfinite(samples["law"].values).all():
        found[LAW] = samples["law"].values
    if independence > 0:
        found[HYPOTHESIS] = values[:, 0]
    return found | {INDEPENDENCE: values[:, independence], NETWORK: values[:, -1]}


def _first(names: list[str]) -> str:
    """The first rung of the ladder."""
    return HYPOTHESIS if HYPOTHESIS in names else INDEPENDENCE


def _at_side(samples: xr.Dataset, i: int, predicted: str, bound: float) -> AtSide:
    norms = {name: values[i] for name, values in _rungs(samples).items()}
    energies = {name: values[i] for name, values in _rungs(samples, "energy").items()}
    here, names = samples.isel(size=i), list(norms)

    def step(start: str, end: str) -> Step:
        if start == LAW:
            return Step(start, end, ratios.mean(norms[end], 1.0, float(norms[start])), None)
        parts = (ratios.ratio(values[end], values[start]) for values in (norms, energies))
        return Step(start, end, *parts)

    found = {
        int(here["step"][rung]): _place(here, rung, bound) for rung in range(1, here.sizes["rung"])
    }
    return AtSide(
        side=int(here["size"]),
        d=int(here["d"]),
        norms={
            name: ratios.mean(values) if values.ndim else _known(float(values))
            for name, values in norms.items()
        },
        steps=[step(a, b) for a, b in pairwise(names)],
        ladder=step(_first(names), NETWORK),
        gap=step(predicted, NETWORK),
        places=[found[place] for place in sorted(found)],
        rest=_rest(here, found),
    )


def _rest(here: xr.Dataset, places: dict[int, Place]) -> dict[str, Measured]:
    rows, found = here["norm"].values, {}
    for kind in ("mask", "weights"):
        rungs = [
            rung
            for rung, step in enumerate(here["step"].values)
            if rung and places[int(step)].kind == kind and not places[int(step)].differs
        ]
        if rungs:
            found[kind] = ratios.product([rows[r] for r in rungs], [rows[r - 1] for r in rungs])
    return found


def _known(value: float) -> Measured:
    return Measured(value, (value, value))


def _place(here: xr.Dataset, rung: int, bound: float) -> Place:
    """The place that this rung adds."""
    row = here.isel(place=int(here["step"][rung]))
    norm, energy = (
        ratios.ratio(here[name].values[rung], here[name].values[rung - 1])
        for name in ("norm", "energy")
    )
    gain, independent = (
        ratios.product([row[f"{way}arrived"].values], [row[f"{way}left"].values])
        for way in ("", "independent_")
    )
    is_mask = str(row["kind"].values) == "mask"
    return Place(
        **{name: str(row[name].values) for name in ("name", "kind", "where")},
        norm=norm,
        energy=energy,
        gain=Measured(gain.value, gain.interval),
        independent_gain=Measured(independent.value, independent.interval),
        active=ratios.mean(row["active"].values, 0.5) if is_mask else None,
        differs=bool(abs(norm.z) > bound),
    )
