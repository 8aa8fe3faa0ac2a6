"""The gradient on the data's subspace and off it against d, before training and after."""

from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.storage import attributes
from sim.training import appearance
from sim.training.configuration import BEFORE, ORDINARY, PARTS
from sim.training.dataset import at_several_sides, config_of, dimensions
from sim.training.growth import Quantity, own_dimension, predicted_norms, predicted_part
from sim.training.means import means


def write(samples: xr.Dataset, path: str) -> None:
    """Draw the parts of a study.

    Args:
        samples: What `sim.training.run` returned.
        path: The file; its ending (.png, .svg, .pdf) is the format.
    """
    with style.styled():
        style.save(figure_of(samples), path, {"config": attributes.configuration(samples.attrs)})


def figure_of(samples: xr.Dataset) -> Any:
    """A panel for each part, of ∂_x L and of ∂_x m: mean ‖·‖_1 on test images, and predictions."""
    figure, rows = style.panels(2, 2, 8.4, 6.4, sharex=True, sharey="row")
    ends: dict[Any, list[style.End]] = {}
    for panels, kind in zip(rows, ("", "margin-"), strict=True):
        for panel, part in zip(panels, PARTS, strict=True):
            ends[panel] = _draw(panel, samples, f"{kind}{part}")
            style.logarithmic(panel, list(dimensions(samples)))
            style.plain_y(panel)
    for panel, name in zip(rows[0], ("on the subspace of copied pixels", "off it"), strict=True):
        panel.set_title(name, loc="left")
    for panel in rows[1]:
        panel.set_xlabel(r"input dimension $d$")
    rows[0][0].set_ylabel(r"mean $\|\cdot\|_1$ of the part of $\partial_x L$")
    rows[1][0].set_ylabel(r"… of the margin's gradient $\partial_x m$")
    figure.suptitle(
        f"{appearance.heading(samples)}, test images\npoints: measured, with 95 % intervals; "
        "gray line: the law before training; dotted: predicted growth",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, labels in ends.items():
        if labels:
            style.label_ends(panel, labels)
    return figure


def _draw(panel: Any, samples: xr.Dataset, kind: str) -> list[style.End]:
    """One part of one gradient after every training; returns the ends of its curves."""
    ds, ends = dimensions(samples), []
    if kind in PARTS:
        own = own_dimension(config_of(samples))
        share = own / ds if kind == "on" else 1 - own / ds
        law = predicted_norms(samples, "1") * np.sqrt(share)
        panel.plot(ds[share > 0], law[share > 0], color=appearance.GRAY, linewidth=0.8)
    quantity = Quantity(kind, "1")
    for i, training in enumerate([BEFORE, *_trained(samples)]):
        middle, reach = means(quantity.of(samples).sel(training=training, set="test"), "size")
        there = np.isfinite(middle) & (middle > 0)
        if not there.any():
            continue
        colour = _colour(i, training)
        panel.errorbar(
            ds[there], middle[there], yerr=appearance.above_zero(middle[there], reach[:, there]),
            color=colour, marker=style.MARKERS[i % 6], linestyle="none", markerfacecolor="white",
            capsize=2,
        )  # fmt: skip
        slope = predicted_part(samples, training, quantity, there)
        if slope is not None and (training != BEFORE or kind not in PARTS):
            line = middle[there][0] * (ds[there] / ds[there][0]) ** slope
            panel.plot(ds[there], line, color=colour, linestyle=":", zorder=0)
        ends.append(style.End(colour, float(ds[there][-1]), float(middle[there][-1]), training))
    return ends


def _trained(samples: xr.Dataset) -> list[str]:
    return [training for training in at_several_sides(samples) if training != BEFORE]


def _colour(i: int, training: str) -> str:
    if training == BEFORE:
        return appearance.GRAY
    return "black" if training == ORDINARY else style.COLOURS[i % 6]
