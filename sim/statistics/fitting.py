"""Fits and points of a dataset of samples: the growth of each norm with d, and its verdict."""

import json
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from sim.statistics.anytime import Looks
from sim.statistics.estimates import (
    Expected,
    Mean,
    Slope,
    exponent_difference,
    log_exponent,
    mean,
    paired_ratio,
    ratio,
    slope_of,
    two_stages,
)
from sim.statistics.fits import OFF, Fit, Fits, Off, Point
from sim.statistics.numbers import finite_or_none
from sim.statistics.verdicts import (
    agrees,
    expected,
    is_reliable,
    mean_agrees,
    seeds_together,
    unmeasured,
)


def fit(samples: xr.Dataset) -> Fits:
    """The exponent of every norm in the samples of a scaling run, set against its law.

    `samples` is what `sim.scaling.run` returns: norms by (seed, width, size, quantity, q) and the
    predictions. Seeds whose norm is not finite at some size are left out of that fit; `nonfinite`
    counts them. The attribute `pilot`, if there is one, is the number of seeds of the first stage;
    `extended_from` has those at which the run may have been looked at before it was extended.

    Args:
        samples: The run.

    Returns:
        A list of fits that prints as a table.
    """
    looks = _looks(samples)
    ds = samples["d"].values.astype(float)
    limits = _by_network(samples, "limit")
    bases = _by_network(samples, "basis")
    places = {key: dict(zip(("width", "quantity", "q"), key, strict=True)) for key in bases}
    slope = {key: expected(samples, "predicted_slope", **at) for key, at in places.items()}
    sizes = samples["size"].values
    largest = int(np.argmax(ds))
    units = {
        key: [expected(samples, "predicted", size=size, **at) for size in sizes]
        for key, at in places.items()
    }
    known = [key for key, row in units.items() if (unit := row[largest]) and unit.value]
    claimed = [key for key in known if bases[key].item() == "exact"]
    comparisons = len(claimed) + sum(value is not None for value in slope.values())
    has_width = _has_width(samples)
    found = []
    for key, norms in _by_network(samples, "norm").items():
        rows = norms.transpose("seed", "size").values
        finite = np.all(np.isfinite(rows), axis=1)
        is_whole = bool(np.isfinite(rows[_computed(samples, key[0])]).all())
        first = int(finite[: samples.attrs.get("pilot")].sum())
        pair = _paired(samples, key)
        ratios = [one and looks.beside(one) for one in _ratios(rows, units[key], pair)]
        rows = rows[finite]
        measured = looks.beside(two_stages(rows, ds, first))
        nothing = unmeasured(rows[:first])
        is_measured = is_whole and nothing is None
        reliable = is_measured and is_reliable(rows[:first])
        tested = ratios[largest] if key in claimed and reliable else None
        width, quantity, q = key
        found.append(
            Fit(
                arch=str(samples.attrs["arch"]),
                width=width if has_width else None,
                quantity=quantity,
                q=q,
                exponent=measured,
                log_exponent=looks.beside(log_exponent(rows, ds, first)),
                expected=slope[key],
                limit=finite_or_none(limits[key].item()),
                basis=str(bases[key].item()),
                agrees=_agrees(measured, slope[key], pair, ds, comparisons, looks)
                if is_measured
                else None,
                ratios=dict(sorted(zip(sizes.tolist(), ratios, strict=True))),
                norm_off=norm_off(sizes.tolist(), ratios) if is_measured else None,
                constant_agrees=mean_agrees(tested, 1.0, comparisons, looks) if tested else None,
                unmeasured=nothing,
                reliable=reliable,
            )
        )
    return Fits(found)


class Pair(NamedTuple):
    """Norms of the networks and of those under gradient independence, a row for every seed of
    either; NaN where one of the two lacks it.
    """

    norms: Float[np.ndarray, "either sizes"]
    independent: Float[np.ndarray, "either sizes"]
    together: int
    """Seeds one after another that have each other's weights as copies."""


def _paired(samples: xr.Dataset, key: tuple[int, str, str]) -> Pair | None:
    """The norms of a network and those that its prediction is the mean of; None for a law."""
    if "independent" not in samples:
        return None
    at = dict(zip(("width", "quantity", "q"), key, strict=True))
    norms = samples["norm"].sel(at).transpose("seed", "size")
    others = samples["independent"].sel(at).transpose("network", "size")
    if not np.isfinite(others).any():
        return None
    seeds, networks, together = samples["seed"], samples["network"], seeds_together(samples)
    start = int(min(seeds.min(), networks.min())) // together * together
    shape = int(max(seeds.max(), networks.max())) - start + 1, samples.sizes["size"]
    first, second = np.full(shape, np.nan), np.full(shape, np.nan)
    first[seeds.values - start], second[networks.values - start] = norms.values, others.values
    return Pair(first, second, together)


def _agrees(
    measured: Slope,
    predicted: Expected | None,
    pair: Pair | None,
    ds: Float[np.ndarray, " sizes"],
    comparisons: int,
    looks: Looks,
) -> bool | None:
    """`agrees`, by the seeds that measurement and prediction have in common if there are any.

    The difference has the degrees of freedom of the measured exponent if they are fewer, those of a
    pilot.
    """
    if predicted is None or pair is None:
        return agrees(measured, predicted, comparisons, looks)
    found = exponent_difference(pair.norms, pair.independent, ds, pair.together)
    degrees = min(found.degrees, measured.degrees)
    difference = slope_of(found.value, found.standard_error, measured.seeds, degrees)
    return agrees(difference, 0.0, comparisons, looks)


def _ratios(
    rows: Float[np.ndarray, "seeds sizes"], units: list[Expected | None], pair: Pair | None
) -> list[Mean | None]:
    """Mean norm over predicted norm at every size, of the seeds whose norm is finite there."""
    found: list[Mean | None] = []
    for j, unit in enumerate(units):
        if unit is None or not unit.value:
            found.append(None)
        elif pair is None:
            norms = rows[:, j]
            found.append(ratio(mean(norms[np.isfinite(norms)]), unit))
        else:
            of_size = pair.norms[:, j], pair.independent[:, j]
            found.append(paired_ratio(*of_size, pair.together))
    return found


def norm_off(sizes: list[int], ratios: list[Mean | None]) -> Off | None:
    """The largest size if its ratio is off (`OFF`), else that whose ratio is farthest off."""
    off = {
        size: found
        for size, found in zip(sizes, ratios, strict=True)
        if found and (found.valid[0] > 1 + OFF or found.valid[1] < 1 - OFF)
    }
    if not off:
        return None
    largest = max(sizes)
    size = largest if largest in off else max(off, key=lambda size: _factor(off[size].value))
    return Off(size, size == largest, off[size])


def _factor(ratio: float) -> float:
    """How many times one of two numbers is the other."""
    return max(ratio, 1 / ratio) if ratio > 0 else np.inf


def _looks(samples: xr.Dataset) -> Looks:
    """When the run may have been looked at."""
    return Looks.of(samples.attrs.get("extended_from", ()))


def _has_width(samples: xr.Dataset) -> bool:
    """Whether its networks have a width; a user's own model has a label in its place."""
    return json.loads(samples.attrs["config"]).get("model") is None


def _computed(samples: xr.Dataset, width: int) -> Bool[np.ndarray, "seeds sizes"]:
    """Which samples there are; of a stored run perhaps not all."""
    if "finished" not in samples:
        return np.ones((samples.sizes["seed"], samples.sizes["size"]), bool)
    return samples["finished"].sel(width=width).transpose("seed", "size").values.astype(bool)


def points(samples: xr.Dataset) -> list[Point]:
    """The mean norm at every size, with standard errors and predictions."""
    found, looks = [], _looks(samples)
    predicted = _by_network(samples, "predicted")
    hypothesis_h = _by_network(samples, "hypothesis-H")
    law = _by_network(samples, "law") if "law" in samples else {}
    has_width = _has_width(samples)
    for key, norms in _by_network(samples, "norm").items():
        width, quantity, q = key
        for size in samples["size"].values.tolist():
            values = norms.sel(size=size).values
            measured = looks.beside(mean(values[np.isfinite(values)]))
            found.append(
                Point(
                    arch=samples.attrs["arch"],
                    width=width if has_width else None,
                    size=size,
                    d=int(samples["d"].sel(size=size)),
                    quantity=quantity,
                    q=q,
                    mean=measured.value,
                    sem=measured.standard_error,
                    interval=measured.interval,
                    any_time=measured.any_time,
                    predicted=_at(predicted, key, size),
                    law=_at(law, key, size),
                    hypothesis_h=_at(hypothesis_h, key, size),
                    seeds=measured.seeds,
                )
            )
    return found


def _at(
    tables: dict[tuple[int, str, str], xr.DataArray], key: tuple[int, str, str], size: int
) -> float | None:
    """The number of a network at one size; None for NaN, and where there is no table."""
    return finite_or_none(tables[key].sel(size=size).item()) if key in tables else None


def nonfinite(samples: xr.Dataset) -> int:
    """How many samples are infinite or not a number."""
    return int((~np.isfinite(samples["norm"])).sum())


def dead(samples: xr.Dataset) -> int:
    """How many samples are exactly zero: networks whose units are all inactive."""
    return int(((samples["norm"] == 0) & ~np.signbit(samples["norm"])).sum())


def underflown(samples: xr.Dataset) -> int:
    """How many samples are −0: norms below the range of float64 (`gradients.numbers`)."""
    return int(((samples["norm"] == 0) & np.signbit(samples["norm"])).sum())


def _by_network(samples: xr.Dataset, name: str) -> dict[tuple[int, str, str], xr.DataArray]:
    return {
        (int(w), str(k), str(q)): samples[name].sel(width=w, quantity=k, q=q)
        for k in samples["quantity"].values
        for q in samples["q"].values
        for w in samples["width"].values
    }
