"""Whether all regularizers lie on one curve: gradient norm against damage at one side.

To first order the damage of an ℓ_p attack is ε_p ‖∂_x L‖_q whatever a network was trained with.
Beyond first order two trainings with the same norm may suffer different damage.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from sim.statistics.estimates import Mean
from sim.training.configuration import BEFORE, regularizer
from sim.training.dataset import config_of
from sim.training.means import mean
from theory.laws.norms import dual

FEWEST = 4
"""Trainings below which a rank correlation says nothing."""


@dataclass(frozen=True)
class DamageCurve:
    """Mean ‖∂_x L‖_q against the damage of one attack, over trainings, on test images.

    Every number is a mean over seeds, computed from the networks of one seed at a time, with a 95 %
    interval from its spread over seeds.
    """

    p: str
    q: str
    """Dual to p."""
    eps: float
    side: int
    trainings: int
    correlation: Mean
    """Spearman's rank correlation; 1 if the damage grows with the norm, whatever the curve."""
    exponent: Mean
    """b in damage ∝ norm^b, by least squares in logarithms over the trainings."""
    factors: dict[str, Mean]
    """By regularizer: the damage over that of the power law, in the mean of logarithms over its
    strengths, as log of a factor; 0 on one curve."""


def damage_curves(samples: xr.Dataset) -> list[DamageCurve]:
    """For projected ascent in every norm and size, all trainings at the side of comparison.

    The networks before training are left out, trainings that are not finished, and seeds beyond
    those that all trainings have.

    Args:
        samples: What `sim.training.run` returned.

    Returns:
        A curve for each attack; none where fewer than `FEWEST` trainings are finished.
    """
    config = config_of(samples)
    side = config.compared_size
    at = samples.sel(size=side, set="test", attack="pgd").isel(seed=slice(config.seeds))
    finished = np.isfinite(at["accuracy"].transpose("training", "seed").values).all(axis=1)
    names = [str(t) for t in samples["training"].values[finished] if str(t) != BEFORE]
    if len(names) < FEWEST:
        return []
    found = []
    for p in samples["p"].values:
        q = f"{float(dual(p)):g}"
        if q not in samples["q"].values:
            continue
        for eps in samples["eps"].values:
            here = at.sel(training=names, p=p, eps=eps)
            norms = here["norm"].sel(q=q).transpose("seed", "training").values
            damages = here["damage"].transpose("seed", "training").values
            if not (np.isfinite(damages).all() and np.all(damages > 0)):
                continue
            one = curve_of_seeds(norms, damages, names)
            found.append(DamageCurve(str(p), q, float(eps), side, len(names), *one))
    return found


def curve_of_seeds(
    norms: Float[np.ndarray, "seeds trainings"],
    damages: Float[np.ndarray, "seeds trainings"],
    names: list[str],
) -> tuple[Mean, Mean, dict[str, Mean]]:
    """Correlation, exponent and factors (see `DamageCurve`) of positive norms and damages.

    Args:
        norms: ‖∂_x L‖_q of every network.
        damages: Increase of the loss of every network by one attack.
        names: The trainings.
    """
    x, y = np.log(norms), np.log(damages)
    ranks = [float(np.asarray(stats.spearmanr(*row))[0]) for row in zip(x, y, strict=True)]
    centred = x - x.mean(axis=1, keepdims=True)
    slopes = np.sum(centred * y, axis=1) / np.sum(centred**2, axis=1)
    left = y - y.mean(axis=1, keepdims=True) - slopes[:, None] * centred
    kinds = [regularizer(name) for name in names]
    factors = {
        kind: mean(left[:, [k == kind for k in kinds]].mean(axis=1))
        for kind in dict.fromkeys(kinds)
    }
    return mean(np.array(ranks)), mean(slopes), factors
