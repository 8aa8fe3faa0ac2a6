"""What a study found, as tables of text."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import xarray as xr

from sim.statistics.estimates import Mean, Slope
from sim.statistics.numbers import with_ends, with_error
from sim.training.configuration import BEFORE, PARTS
from sim.training.damage_curve import DamageCurve, damage_curves
from sim.training.dataset import at_several_sides, config_of, shown_attack
from sim.training.growth import Fit, Quantity, changes, fits
from sim.training.means import mean
from theory.tables import Table
from theory.tables import columns as headed


def tables(samples: xr.Dataset) -> list[Table]:
    """All tables of a study.

    Args:
        samples: What `sim.training.run` returned.
    """
    found = []
    if len(samples["size"]) > 1:
        fitted = fits(samples)
        found = [_growth(samples, fitted), _changes(samples), _vulnerability(samples, fitted)]
        found.append(_points(samples, "by side, on test images", at_several_sides(samples), None))
        if np.isfinite(samples["parts"]).any():
            found += [_parts(fitted), _parts_by_side(samples)]
        if np.isfinite(samples["margin"]).any():
            found.append(_margins(samples, fitted))
    side = config_of(samples).compared_size
    trainings = [str(t) for t in samples["training"].values]
    found.append(_points(samples, f"side {side}, on test images", trainings, side))
    curves = damage_curves(samples)
    return [*found, *([_curve(curves), _factors(curves)] if curves else [])]


def _shown(samples: xr.Dataset, kind: str) -> dict[str, Quantity]:
    """The damages or vulnerabilities that tables show, by their column."""
    p = shown_attack(samples)
    return {
        f"{kind}, {_norm(p)}, ε = {eps:g}": Quantity(kind, None, "pgd", p, float(eps))
        for eps in samples["eps"].values
    }


def _columns(samples: xr.Dataset) -> dict[str, tuple[str, Quantity]]:
    """Set and quantity of the exponents that tables show, by their column."""
    return {
        "‖∂L‖₁, test": ("test", Quantity("norm", "1")),
        "training set": ("training", Quantity("norm", "1")),
        "‖∂L‖₂, test": ("test", Quantity("norm", "2")),
        "‖∂L‖_∞, test": ("test", Quantity("norm", "inf")),
        **{name: ("test", quantity) for name, quantity in _shown(samples, "damage").items()},
    }


def _growth(samples: xr.Dataset, fitted: list[Fit]) -> Table:
    known = {(fit.training, fit.set, fit.quantity): fit for fit in fitted}
    chosen, rows = _columns(samples), []
    for training in at_several_sides(samples):
        found = [known.get((training, *which)) for which in chosen.values()]
        law = found[0].predicted if found[0] is not None else None
        cells = ("–" if fit is None else _slope(fit.exponent) for fit in found)
        rows.append((training, "–" if law is None else f"{law:.3f}", *cells))
    return _table("exponents of d", ("training", "predicted", *chosen), rows)


def _changes(samples: xr.Dataset) -> Table:
    known = {(c.training, c.reference, c.set, c.quantity): c for c in changes(samples)}
    chosen = _columns(samples)
    pairs = dict.fromkeys((c.reference, c.training) for c in known.values())
    rows = []
    for reference, training in sorted(pairs, key=lambda pair: pair[0] != BEFORE):
        found = [known.get((training, reference, *which)) for which in chosen.values()]
        cells = ("–" if change is None else _slope(change.difference) for change in found)
        rows.append((f"{training} − {reference}", *cells))
    columns = ("trainings", *chosen)
    return _table("differences of exponents, the same seeds compared", columns, rows)


def _vulnerability(samples: xr.Dataset, fitted: list[Fit]) -> Table:
    known = {(fit.training, fit.set, fit.quantity): fit for fit in fitted}
    shown = _shown(samples, "vulnerability")
    chosen = {
        f"{name.removeprefix('vulnerability, ')}, {part}": (part, quantity)
        for part in ("test", "training")
        for name, quantity in shown.items()
    }
    rows = []
    for training in at_several_sides(samples):
        found = (known.get((training, *which)) for which in chosen.values())
        rows.append((training, *(_or_zero(fit, samples.sizes["size"]) for fit in found)))
    title = "exponents of d of the vulnerability, the increase of the 0-1 loss"
    return _table(title, ("training", *chosen), rows)


def _parts(fitted: list[Fit]) -> Table:
    """Exponents of ‖·‖_1 of both parts of the gradient, with what is predicted of them."""
    known = {(fit.training, fit.set, fit.quantity): fit for fit in fitted}
    rows = []
    for training in dict.fromkeys(fit.training for fit in fitted):
        cells: list[str] = []
        for part in PARTS:
            fits = [known.get((training, s, Quantity(part, "1"))) for s in ("test", "training")]
            law = fits[0].predicted if fits[0] is not None else None
            cells += ["–" if law is None else f"{law:.3f}", *map(_or_nothing, fits)]
        rows.append((training, *cells))
    names = [
        f"{name} {part}" for part in PARTS for name in ("predicted,", "test images,", "training,")
    ]
    title = "exponents of d of ‖∂L‖₁, its parts on the data's subspace and off it"
    return _table(title, ("training", *names), rows)


def _margins(samples: xr.Dataset, fitted: list[Fit]) -> Table:
    """Exponents of the factors of ∂L = −(1 − p_y) ∂m, and of damages with a linear margin."""
    known = {(fit.training, fit.set, fit.quantity): fit for fit in fitted}
    p = shown_attack(samples)
    chosen = {
        "1 − p_y, test": ("test", Quantity("residual")),
        "1 − p_y, training": ("training", Quantity("residual")),
        "‖∂m‖₁, test": ("test", Quantity("margin", "1")),
        "on": ("test", Quantity("margin-on", "1")),
        "off": ("test", Quantity("margin-off", "1")),
        "‖∂m‖₁, training": ("training", Quantity("margin", "1")),
    }
    for name, measured in _shown(samples, "damage").items():
        linear = Quantity("linear-damage", None, None, p, measured.eps)
        chosen[name] = ("test", measured)
        chosen[f"if m is linear, ε = {measured.eps:g}"] = ("test", linear)
    rows = [
        (training, *(_or_nothing(known.get((training, *which))) for which in chosen.values()))
        for training in at_several_sides(samples)
    ]
    title = "exponents of d of both factors of ∂L = −(1 − p_y) ∂m, and of damages"
    return _table(title, ("training", *chosen), rows)


def _or_nothing(fit: Fit | None) -> str:
    if fit is None:
        return "–"
    if np.isfinite(fit.exponent.value):
        return _slope(fit.exponent)
    return "0" if fit.zero_at else "–"


def _parts_by_side(samples: xr.Dataset) -> Table:
    """‖·‖_1 of both parts on test images, and the share of ‖∂L‖_2² off the subspace."""
    rows = []
    for training in at_several_sides(samples):
        for size in samples["size"].values.tolist():
            at = samples["parts"].sel(training=training, size=size, set="test")
            if np.isnan(at.sel(part="on")).all():
                continue
            squares = at.sel(q="2") ** 2
            share = squares.sel(part="off") / squares.sum("part", skipna=False)
            off = at.sel(part="off", q="1")
            cells = (_mean(at.sel(part="on", q="1")), _mean(off), _mean(share))
            rows.append((training, str(size), *cells))
    columns = ("training", "side", "‖∂L‖₁ on", "‖∂L‖₁ off", "share of mean ‖∂L‖₂, squared, off")
    return _table("the gradient on and off the data's subspace, test images", columns, rows)


def _or_zero(fit: Fit | None, sides: int) -> str:
    if fit is None:
        return "–"
    if len(fit.zero_at) == sides:
        return "0 at every side"
    if fit.zero_at:
        return f"0 at side {' '.join(map(str, fit.zero_at))}"
    return _slope(fit.exponent) if np.isfinite(fit.exponent.value) else "too few"


def _slope(slope: Slope) -> str:
    return with_error(slope.value, *slope.interval)


def _curve(curves: list[DamageCurve]) -> Table:
    rows = [
        (
            f"{_norm(curve.p)}, ε = {curve.eps:g}",
            f"‖∂L‖{_INDEX[curve.q]}",
            str(curve.trainings),
            _ends(curve.correlation, lambda value: min(1.0, max(-1.0, value))),
            _ends(curve.exponent),
        )
        for curve in curves
    ]
    columns = ("attack", "norm", "trainings", "rank correlation", "damage ∝ norm to the power")
    title = f"one curve? norm and damage over all trainings, side {curves[0].side}"
    return _table(title, columns, rows)


def _factors(curves: list[DamageCurve]) -> Table:
    columns = ("regularizer", *(f"{_norm(curve.p)}, ε = {curve.eps:g}" for curve in curves))
    rows = [
        (kind, *(_ends(curve.factors[kind], math.exp) for curve in curves))
        for kind in curves[0].factors
    ]
    return _table("damage over that power of the norm, by regularizer", columns, rows)


_INDEX = {"1": "₁", "2": "₂", "inf": "_∞"}


def _ends(found: Mean, unit: Callable[[float], float] = lambda value: value) -> str:
    low, high = found.interval
    return with_ends(unit(found.value), unit(low), unit(high))


def _points(samples: xr.Dataset, title: str, trainings: list[str], side: int | None) -> Table:
    p = shown_attack(samples)
    columns = ["training", "side", "accuracy", "‖∂L‖₁", "on training images", "‖∂L‖₂"]
    for eps in samples["eps"].values:
        columns += [f"damage, {_norm(p)}, ε = {eps:g}", "fooled"]
    rows = []
    for training in trainings:
        for size in samples["size"].values.tolist() if side is None else [side]:
            at = samples.sel(training=training, size=size)
            test = at.sel(set="test")
            if np.isnan(test["accuracy"]).all():
                continue
            row = [training, str(size), _mean(test["accuracy"]), _mean(test["norm"].sel(q="1"))]
            row.append(_mean(at["norm"].sel(set="training", q="1")))
            row.append(_mean(test["norm"].sel(q="2")))
            for eps in samples["eps"].values:
                hit = test.sel(attack="pgd", p=p, eps=eps)
                row += [_mean(hit["damage"]), _mean(hit["fooled"])]
            rows.append(tuple(row))
    return _table(title, tuple(columns), rows, keys=2)


def _mean(values: xr.DataArray, digits: int = 3) -> str:
    """Mean over seeds ± standard error."""
    found = mean(values.values)
    if found.seeds < 2:
        return "–"
    if abs(found.value) >= 100:
        digits = 0
    return f"{found.value:.{digits}f} ± {found.standard_error:.{digits}f}"


def _norm(p: str) -> str:
    return "ℓ_∞" if p == "inf" else f"ℓ_{p}"


SPARE = ("‖∂L‖_∞, test", "‖∂L‖₂, test", "training set")
"""Columns that a narrow page does without, the first one first; then damages of small attacks."""


def _table(
    title: str, names: Iterable[str], rows: Iterable[tuple[str, ...]], keys: int = 1
) -> Table:
    """A table whose first column holds text."""
    all_names = tuple(names)
    damages = [name for name in all_names if name.startswith("damage")]
    first, *others = headed(all_names, spare=(*SPARE, *damages[:-1]))
    shown = (replace(first, justify="left", wrap="never"), *others)
    return Table(title, shown, tuple(rows), keys=keys)
