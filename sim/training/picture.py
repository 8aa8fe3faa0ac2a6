"""Growth of gradients and damage with d after training, and how robust training attenuates it."""

from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.statistics import finite
from sim.storage import attributes
from sim.training import appearance
from sim.training.configuration import BEFORE, ORDINARY
from sim.training.dataset import at_several_sides, config_of, dimensions, shown_attack
from sim.training.growth import Quantity, predicted_norms, predictions
from sim.training.means import means


def write(samples: xr.Dataset, path: str) -> None:
    """Draw a study.

    Args:
        samples: What `sim.training.run` returned.
        path: The file; its ending (.png, .svg, .pdf) is the format.
    """
    with style.styled():
        style.save(figure_of(samples), path, {"config": attributes.configuration(samples.attrs)})


def plot(samples: xr.Dataset) -> Any:
    """The picture of any study, for a notebook.

    Args:
        samples: What `sim.training.run` returned, or `sim.training.stored` read.

    Returns:
        A figure of Matplotlib (`figure_of`).
    """
    with style.styled():
        return figure_of(samples)


def figure_of(samples: xr.Dataset) -> Any:
    """Norm, and damage of the smallest and the largest attack, against d; and their exponents."""
    p = shown_attack(samples)
    sizes = sorted({float(samples["eps"].min()), float(samples["eps"].max())})
    shown = {r"$\|\partial_x L\|_1$": Quantity("norm", "1")}
    for eps in sizes:
        name = rf"damage, {style.ell(p)}, $\epsilon$ = {eps:g}"
        damage = Quantity("damage", None, "pgd", p, eps)
        if np.isfinite(damage.of(samples)).any():
            shown[name] = damage
    figure, axes = style.panels(2, 2, 8.4, 6.6)
    panels, law = axes.ravel(), predicted_norms(samples, "1")
    ends = []
    for panel, (name, quantity) in zip(panels, shown.items(), strict=False):
        # to first order the damage of an attack in ℓ_∞ is ε times the norm
        scale = 1.0 if quantity.eps is None else quantity.eps if p == "inf" else np.nan
        ends.append(_draw_growth(panel, samples, quantity, scale * law))
        panel.set_title(f"{name}, test images", loc="left")
    for panel in panels[len(shown) : -1]:
        panel.set_axis_off()
    exponents = _draw_exponents(panels[-1], samples, shown)
    figure.suptitle(
        f"{appearance.heading(samples)}; points: measured, with 95 % intervals, joined for the eye"
        "\ngray lines: predicted by the law before training, to first order",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, labels in zip((*panels[: len(shown)], panels[-1]), (*ends, exponents), strict=True):
        if labels:
            style.label_ends(panel, labels)
    return figure


def _look(i: int, training: str) -> dict[str, Any]:
    if training == BEFORE:
        return {"color": appearance.GRAY, "marker": "o", "linestyle": "none"}
    if training == ORDINARY:
        return {"color": "black", "marker": "o", "linestyle": style.DASHES[0]}
    return {
        "color": style.COLOURS[i % 6],
        "marker": style.MARKERS[(i + 1) % 6],
        "linestyle": style.DASHES[(i + 1) % 6],
    }


def _draw_growth(
    panel: Any, samples: xr.Dataset, quantity: Quantity, law: np.ndarray
) -> list[style.End]:
    """The means of every training at several sides; labels for the ends of their lines."""
    ds, ends = dimensions(samples), []
    panel.plot(ds, law, color=appearance.GRAY, linewidth=0.8, zorder=0)
    robust = 0
    everywhere = [BEFORE, *config_of(samples).trainings]
    for training in at_several_sides(samples) or everywhere:
        values = quantity.of(samples.sel(training=training, set="test"))
        middle, reach = means(values, "size")
        look = _look(robust, training)
        robust += training not in (BEFORE, ORDINARY)
        panel.errorbar(
            ds, middle, yerr=appearance.above_zero(middle, reach), capsize=2, elinewidth=0.8,
            markerfacecolor="white", **look,
        )  # fmt: skip
        for last in np.flatnonzero(np.isfinite(middle))[-1:]:
            ends.append(style.End(look["color"], float(ds[last]), float(middle[last]), training))
    style.logarithmic(panel, list(ds))
    style.plain_y(panel)
    panel.set_xlabel(r"input dimension $d$")
    return ends


def _draw_exponents(panel: Any, samples: xr.Dataset, shown: dict[str, Quantity]) -> list[style.End]:
    """Exponents by training, the strengths of a regularizer beside one another."""
    names, ds = at_several_sides(samples), dimensions(samples)
    ends: list[style.End] = []
    if not names:  # one side
        panel.set_axis_off()
        return ends
    for i, (name, quantity) in enumerate(shown.items()):
        slopes = []
        for training in names:
            rows = quantity.of(samples.sel(training=training, set="test"))
            rows = rows.transpose("seed", "size").values
            there = np.isfinite(rows).any(axis=0)
            slopes.append(finite.exponent(rows[:, there], ds[there]))
        places = np.arange(len(names)) + 0.12 * (i - (len(shown) - 1) / 2)
        values = [slope.value for slope in slopes]
        style.points(panel, i, places, values, [slope.interval for slope in slopes])
        style.line(panel, i, places, values, linewidth=0.8)
        ends.append(style.End(style.COLOURS[i], float(places[-1]), values[-1], name))
    law = predictions(samples).get("1")
    if law is not None:
        panel.axhline(law, color=appearance.GRAY, linewidth=0.8, zorder=0)
    panel.axhline(0, color="black", linewidth=0.5, zorder=0)
    panel.set_xticks(range(len(names)), [name.replace(":", "\n") for name in names], fontsize=7)
    panel.set_title("exponents of $d$", loc="left")
    return ends
