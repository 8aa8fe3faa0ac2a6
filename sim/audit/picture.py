"""An audit as a picture: E g² over the input, and the ladder's factor at every place."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from sim.audit import analysis
from sim.audit.sentence import norm_of, sentence
from sim.drawing import style
from sim.running.files import replacing

KINDS = (("mask", "true masks, instead of coins"), ("weights", "own weights, instead of copies"))


def write(samples: xr.Dataset, path: str) -> None:
    """Draw an audit at its largest size; the file's ending (.png, .svg, .pdf) is the format."""
    found = analysis.analysed(samples)
    last = samples.isel(size=-1)
    places = found.last.places
    about = {"alt": sentence(found), "config": json.loads(samples.attrs["config"])}
    with style.styled():
        figure = Figure(figsize=(8.5, max(3.4, 1.6 + 0.2 * len(places))))
        parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.9))
        left, right = parts
        _draw_maps(left, last)
        panel = right.subplots()
        _draw_factors(panel, places)
        panel.set_xlabel(
            f"factor in {norm_of(found.quantity)}, 95 % intervals; filled: differs from 1"
        )
        figure.suptitle(f"{found.arch}, side {found.last.side}")
        with replacing(path) as part:
            figure.savefig(part, metadata=style.metadata(path, json.dumps(about)))


def _draw_maps(figure: Any, last: xr.Dataset) -> None:
    """E g² over the image, of the network and under gradient independence, over their means."""
    maps = [np.asarray(last[name].mean("seed"), float) for name in ("map", "independent_map")]
    relative = [image / np.nanmean(image) for image in maps]
    top = max(float(np.nanmax(image)) for image in relative)
    titles = ("the network", "gradient independence")
    for panel, image, title in zip(figure.subplots(2, 1), relative, titles, strict=True):
        shown = panel.imshow(image, vmin=0, vmax=top, cmap="viridis")
        panel.set_title(rf"$\mathbb{{E}}\,g_i^2$, {title}")
        panel.set_xticks([])
        panel.set_yticks([])
        figure.colorbar(shown, ax=panel, label="1 = mean")


def _draw_factors(panel: Any, places: list[analysis.Place]) -> None:
    """The factor of every place, from the input at the top to the logits."""
    for i, (kind, label) in enumerate(KINDS):
        colour, marker = style.COLOURS[i], style.MARKERS[i]
        for row, place in enumerate(places):
            low, high = place.norm.interval
            if place.kind != kind or not np.isfinite(place.norm.value):
                continue
            panel.errorbar(
                place.norm.value, row,
                xerr=[[place.norm.value - low], [high - place.norm.value]],
                fmt=marker, color=colour, capsize=2, elinewidth=1, markeredgewidth=1,
                markerfacecolor=colour if place.differs else "white",
            )  # fmt: skip
        panel.plot([], [], marker, color=colour, label=label, markerfacecolor="white")
    panel.axvline(1, color="0.6", linewidth=0.8, zorder=0)
    panel.set_yticks(range(len(places)), [_short(place.name) for place in places])
    panel.invert_yaxis()
    panel.figure.legend(loc="outside upper right", ncols=2)


def _short(name: str) -> str:
    return name if len(name) <= 34 else name[:33] + "…"
