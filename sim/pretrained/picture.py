"""The gradients of a trained network against d, beside those at initialization."""

from typing import Any

import numpy as np
import xarray as xr

from sim.drawing import style
from sim.pretrained.growth import Point, points
from sim.storage import attributes

TITLES = {"logit": r"logit $f_y$", "margin": r"margin $m$", "loss": r"loss $L$"}


def write(samples: xr.Dataset, path: str) -> None:
    """Draw a measurement.

    Args:
        samples: What `sim.pretrained.run` returned.
        path: The file; its ending (.png, .svg, .pdf) is the format.
    """
    with style.styled():
        style.save(figure_of(samples), path, {"config": attributes.configuration(samples.attrs)})


def figure_of(samples: xr.Dataset) -> Any:
    """A panel for the logit, the margin and the loss: the first norm against d."""
    q, found = str(samples["q"].values[0]), points(samples)
    config = attributes.configuration(samples.attrs)
    figure, (panels,) = style.panels(1, len(TITLES), 8.4, 3.3, sharex=True)
    for panel, (quantity, title) in zip(panels, TITLES.items(), strict=True):
        _draw(panel, [x for x in found if (x.quantity, x.q) == (quantity, q)])
        panel.set_title(title, loc="left")
        panel.set_xlabel(r"input dimension $d$")
    order = r"\infty" if q == "inf" else q
    panels[0].set_ylabel(rf"mean $\|\partial_x \cdot\|_{{{order}}}$")
    panels[0].legend(loc="upper left")
    figure.suptitle(
        f"{config['model']}, {config['count']} images; points: {style.MEASURED}\n"
        "band: 90 % of the images; dotted: the law's growth, from the first point at "
        "initialization",
        fontsize="small",
    )
    return figure


def _draw(panel: Any, found: list[Point]) -> None:
    ds = np.array([x.d for x in found], float)
    low, _, high = np.array([x.quantiles for x in found]).T
    panel.fill_between(ds, low, high, color=style.COLOURS[1], alpha=0.2, linewidth=0)
    for i, (label, means) in enumerate(
        (("at initialization", [x.initial for x in found]), ("trained", [x.mean for x in found]))
    ):
        ends = [x.interval for x in means]
        style.points(panel, i, ds, [x.value for x in means], ends, label=label)
    start = found[0].initial.value
    power = 1 / float(found[0].q) - 1 / 2
    panel.plot(ds, start * (ds / ds[0]) ** power, color="0.4", linestyle=":", zorder=0)
    style.logarithmic(panel, list(ds))
    style.plain_y(panel)
    bottom, top = panel.get_ylim()
    panel.set_ylim(bottom, top * (top / bottom) ** 0.25)
