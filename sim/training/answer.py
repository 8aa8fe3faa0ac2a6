"""The answer of a study of training, which its report begins with."""

import xarray as xr

from sim.statistics.numbers import with_error
from sim.training import remarks
from sim.training.configuration import BEFORE, ORDINARY
from sim.training.dataset import at_several_sides, config_of, shown_attack
from sim.training.growth import Fit, Quantity, fits
from sim.training.means import mean


def answer(samples: xr.Dataset) -> str:
    """What was measured, what was predicted, and what to do next.

    Args:
        samples: What `sim.training.run` returned.
    """
    known = {
        fit.training: fit
        for fit in fits(samples)
        if (fit.set, fit.quantity) == ("test", Quantity("norm", "1"))
    }
    if not known:
        return f"{_one_side(samples)} {_next(samples)}"
    first = [
        f"{_exponent(known[training])} {where}{_predicted(known[training])}"
        for training, where in ((BEFORE, "before training"), (ORDINARY, "after ordinary training"))
        if training in known
    ]
    start = f"‖∂L‖₁ on test images grows with exponent of d {' and '.join(first)}." if first else ""
    return " ".join(filter(None, (start, _damages(samples), _next(samples))))


def _damages(samples: xr.Dataset) -> str:
    """The growth of damage after ordinary and the last robust training."""
    p, eps = shown_attack(samples), float(samples["eps"].max())
    quantity = Quantity("damage", None, "pgd", p, eps)
    known = {
        fit.training: fit for fit in fits(samples) if (fit.set, fit.quantity) == ("test", quantity)
    }
    robust = [t for t in at_several_sides(samples) if t not in (BEFORE, ORDINARY) and t in known]
    chosen = [t for t in (ORDINARY, *robust[-1:]) if t in known]
    if not chosen:
        return ""
    parts = [f"{_exponent(known[t])} after {_named(t)}" for t in chosen]
    norm = "ℓ_∞" if p == "inf" else f"ℓ_{p}"
    return f"The damage of {norm} attacks of ε = {eps:g} grows with {', '.join(parts)}."


def _named(training: str) -> str:
    return f"{training} training" if training == ORDINARY else training


def _exponent(fit: Fit) -> str:
    return with_error(fit.exponent.value, *fit.exponent.interval)


def _predicted(fit: Fit) -> str:
    return "" if fit.predicted is None else f" (predicted {fit.predicted:.3f})"


def _one_side(samples: xr.Dataset) -> str:
    side = config_of(samples).compared_size
    parts = []
    for training in map(str, samples["training"].values):
        at = samples.sel(training=training, size=side, set="test")
        accuracy, norm = mean(at["accuracy"].values), mean(at["norm"].sel(q="1").values)
        if training in (BEFORE, ORDINARY) and accuracy.seeds:
            parts.append(f"{norm.value:.3g} after {_named(training)}")
    return f"At side {side} ‖∂L‖₁ on test images is {', '.join(parts) or 'not measured'}."


def _next(samples: xr.Dataset) -> str:
    if remarks.unfinished(samples):
        return "The study is not finished: the same command with --out continues it."
    if remarks.warnings(samples):
        return "Some trainings failed, as is said below the table."
    if remarks.inaccurate(samples):
        return "Ordinary training needs more --epochs for the accuracy that is asked for."
    return "--full has accuracies, vulnerability, and all regularizers side by side."
