"""How the gradients of a trained network grow, and by how much training made them larger."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from sim.statistics import estimates, finite
from sim.statistics.estimates import Mean, Slope


@dataclass(frozen=True)
class Growth:
    """The exponent of d of one norm."""

    quantity: str
    q: str
    trained: Slope
    """Its interval is over images."""
    initial: Slope
    """Its interval is over networks."""


@dataclass(frozen=True)
class Point:
    """One norm at one side."""

    quantity: str
    q: str
    side: int
    d: int
    mean: Mean
    """Of the trained network, over images."""
    quantiles: tuple[float, float, float]
    """5 %, 50 % and 95 % of its images have less."""
    initial: Mean
    """Over networks."""
    residual: float
    """Mean 1 − p_y of the trained network."""
    kept: float
    """The share of images in which the trained network sees what it sees at the largest side."""

    @property
    def factor(self) -> float:
        """How many times as large training made the mean."""
        return self.mean.value / self.initial.value


def growths(samples: xr.Dataset) -> list[Growth]:
    """The exponents of all norms; none at one side alone.

    Args:
        samples: What `sim.pretrained.run` returned.
    """
    ds = samples["d"].values.astype(float)
    if len(ds) < 2:
        return []
    found = []
    for quantity in map(str, samples["quantity"].values):
        for q in map(str, samples["q"].values):
            own = samples.sel(quantity=quantity, q=q)
            trained = own["norm"].transpose("image", "size").values
            initial = own["initial"].mean("image").transpose("network", "size").values
            slopes = (finite.exponent(rows, ds) for rows in (trained, initial))
            found.append(Growth(quantity, q, *slopes))
    return found


def points(samples: xr.Dataset) -> list[Point]:
    """All norms at all sides.

    Args:
        samples: What `sim.pretrained.run` returned.
    """
    labels, found = samples["label"].transpose("image", "size").values, []
    for quantity in map(str, samples["quantity"].values):
        for q in map(str, samples["q"].values):
            for i, side in enumerate(samples["size"].values.tolist()):
                own = samples.sel(quantity=quantity, q=q, size=side)
                norms = own["norm"].values
                low, middle, high = np.quantile(norms, (0.05, 0.5, 0.95)).tolist()
                found.append(
                    Point(
                        quantity=quantity,
                        q=q,
                        side=side,
                        d=int(own["d"]),
                        mean=estimates.mean(norms),
                        quantiles=(low, middle, high),
                        initial=estimates.mean(own["initial"].mean("image").values),
                        residual=float(own["residual"].mean()),
                        kept=float(np.mean(labels[:, i] == labels[:, -1])),
                    )
                )
    return found
