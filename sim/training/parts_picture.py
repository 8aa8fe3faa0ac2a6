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
    """A panel for each part: mean ‖·‖_1 on test images, and lines for what is predicted."""
    figure, (panels,) = style.panels(1, 2, 8.4, 3.6, sharey=True)
    ds, own = dimensions(samples), own_dimension(config_of(samples))
    law = predicted_norms(samples, "1")
    names = {"on": "on the data's subspace", "off": "off it"}
    ends: list[list[style.End]] = []
    for panel, part in zip(panels, PARTS, strict=True):
        share = own / ds if part == "on" else 1 - own / ds
        seen = share > 0
        panel.plot(ds[seen], (law * np.sqrt(share))[seen], color=appearance.GRAY, linewidth=0.8)
        ends.append([])
        for i, training in enumerate([BEFORE, *_trained(samples)]):
            values = samples["parts"].sel(training=training, set="test", part=part, q="1")
            middle, reach = means(values, "size")
            there = np.isfinite(middle) & (middle > 0)
            if not there.any():
                continue
            colour = _colour(i, training)
            panel.errorbar(
                ds[there], middle[there],
                yerr=appearance.above_zero(middle[there], reach[:, there]), color=colour,
                marker=style.MARKERS[i % 6], linestyle="none", markerfacecolor="white", capsize=2,
            )  # fmt: skip
            slope = predicted_part(samples, training, Quantity(part, "1"), there)
            if training != BEFORE and slope is not None:
                line = middle[there][0] * (ds[there] / ds[there][0]) ** slope
                panel.plot(ds[there], line, color=colour, linestyle=":", zorder=0)
            last = float(middle[there][-1])
            ends[-1].append(style.End(colour, float(ds[there][-1]), last, training))
        style.logarithmic(panel, list(ds))
        style.plain_y(panel)
        panel.set_title(names[part], loc="left")
        panel.set_xlabel(r"input dimension $d$")
    panels[0].set_ylabel(r"mean $\|\cdot\|_1$ of the part of $\partial_x L$")
    figure.suptitle(
        f"{appearance.heading(samples)}, test images; 95 % intervals\n"
        "gray: the law before training; dotted: predicted growth after it",
        fontsize="small",
    )
    figure.draw_without_rendering()
    for panel, labels in zip(panels, ends, strict=True):
        if labels:
            style.label_ends(panel, labels)
    return figure


def _trained(samples: xr.Dataset) -> list[str]:
    return [training for training in at_several_sides(samples) if training != BEFORE]


def _colour(i: int, training: str) -> str:
    if training == BEFORE:
        return appearance.GRAY
    return "black" if training == ORDINARY else style.COLOURS[i % 6]
