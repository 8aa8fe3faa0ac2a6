"""Scaling runs set beside one another: differences of exponents, ratios of norms, seed by seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from sim.statistics import estimates, verdicts
from sim.statistics.estimates import Mean, Slope
from sim.storage import attributes


@dataclass(frozen=True)
class Difference:
    """How one norm of a run differs from that of the first run."""

    run: str
    first: str
    width: int | None
    """None where the networks are of different widths, or a user's own."""
    quantity: str
    q: str
    exponent: Slope
    """Of the first run, over the sizes that both have."""
    other: Slope
    """Of the run."""
    difference: Slope
    """The run's exponent less that of the first."""
    d: int
    """The largest input dimension that both have."""
    ratio: Mean
    """The run's mean norm there over that of the first."""
    shared: int
    """Seeds that both runs have: the same key and number, so that they are compared in pairs."""
    differs: bool | None
    """Whether the exponents differ, by a test at 1 % over all rows; None without a measurement."""


def compare(runs: Mapping[str, xr.Dataset]) -> list[Difference]:
    """Every run against the first one.

    Runs of the same --seed share weights and inputs wherever they are of equal shape, so they are
    compared seed by seed, which gives short intervals; others as independent samples. Where both
    have several widths those are compared that both have.

    Args:
        runs: Two or more scaling runs by their names.

    Returns:
        A difference for each later run, width, quantity and norm.

    Raises:
        ValueError: In one sentence, if two runs have nothing in common.
    """
    (first, start), *others = runs.items()
    found = [
        (first, name, width, *norms)
        for name, samples in others
        for width, *norms in _pairs(first, start, name, samples)
    ]
    return [_difference(*row, tests=len(found)) for row in found]


def _pairs(
    first: str, start: xr.Dataset, name: str, samples: xr.Dataset
) -> Iterator[tuple[int | None, xr.DataArray, xr.DataArray]]:
    """The norms of two runs at the sizes that both have, by (seed, size)."""
    widths = _common_widths(start, samples)
    both = {
        dim: [x for x in start[dim].values.tolist() if x in samples[dim].values.tolist()]
        for dim in ("quantity", "q")
    }
    ds = sorted(set(start["d"].values.tolist()) & set(samples["d"].values.tolist()))
    if not widths or len(ds) < 2 or not all(both.values()):
        lacking = "width" if not widths else "two sizes" if len(ds) < 2 else "norm of one quantity"
        raise ValueError(f"{first} and {name} have no {lacking} in common.")
    for quantity in both["quantity"]:
        for q in both["q"]:
            for here, there in widths:
                norms = (
                    _labelled(run)["norm"].sel(width=width, quantity=quantity, q=q)
                    for run, width in ((start, here), (samples, there))
                )
                one, other = (x.swap_dims(size="d").sel(d=ds).transpose("seed", "d") for x in norms)
                yield (here if here == there else None), one, other


def _common_widths(start: xr.Dataset, samples: xr.Dataset) -> list[tuple[int, int]]:
    ours, theirs = (run["width"].values.tolist() for run in (start, samples))
    if len(ours) == len(theirs) == 1:
        return [(ours[0], theirs[0])]
    return [(width, width) for width in ours if width in theirs]


def _labelled(samples: xr.Dataset) -> xr.Dataset:
    """The samples with seeds numbered so that those of different keys have different numbers."""
    key = attributes.configuration(samples.attrs)["seed"]
    keys = samples["key"].values if "key" in samples else key
    numbers: Int[np.ndarray, " seeds"] = samples["seed"].values
    return samples.assign_coords(seed=np.asarray(keys, np.int64) * 2**31 + numbers)


def _difference(
    first: str, name: str, width: int | None, one: xr.DataArray, other: xr.DataArray, tests: int
) -> Difference:
    ds = one["d"].values.astype(float)
    labels = np.union1d(one["seed"].values, other["seed"].values)
    rows = [_rows(norms, labels) for norms in (one, other)]
    finite = [np.all(np.isfinite(norms), axis=1) for norms in rows]
    exponent, others = (
        estimates.exponent(x[there], ds) for x, there in zip(rows, finite, strict=True)
    )
    difference = estimates.exponent_difference(rows[1], rows[0], ds)
    ratio = estimates.paired_ratio(rows[1][:, -1], rows[0][:, -1])
    known = verdicts.agrees(difference, 0.0, tests)
    return Difference(
        run=name,
        first=first,
        width=width,
        quantity=str(one["quantity"].item()),
        q=str(one["q"].item()),
        exponent=exponent,
        other=others,
        difference=difference,
        d=int(ds[-1]),
        ratio=ratio,
        shared=int(np.sum(finite[0] & finite[1])),
        differs=None if known is None else not known,
    )


def _rows(
    norms: xr.DataArray, labels: Int[np.ndarray, " either"]
) -> Float[np.ndarray, "either sizes"]:
    """Norms by seed of either run; NaN where this one lacks it."""
    found = np.full((len(labels), norms.sizes["d"]), np.nan)
    found[np.searchsorted(labels, norms["seed"].values)] = norms.values
    return found
