"""An audit as a picture: E g² over the input, measured and predicted, and every layer's gain."""

from typing import Any

import numpy as np
import xarray as xr

from figures import style
from sim import findings
from sim.cli import replacing


def write(samples: xr.Dataset, path: str) -> None:
    """Draw an audit at its largest size; the file's ending (.png, .svg, .pdf) is the format."""
    from matplotlib.figure import Figure

    found = findings.of(samples)
    last = samples.isel(size=-1)
    layers = [layer for layer in found.layers if layer.measured.value > 0 and layer.predicted > 0]
    with style.styled():
        figure = Figure(figsize=(8.5, max(3.2, 1.2 + 0.2 * len(layers))))
        parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.6))
        left, right = parts
        panels = left.subplots(2, 1)
        mean = float(last["predicted_map"].mean())
        maps = [last["map"].mean("seed"), last["predicted_map"]]
        relative = [np.asarray(image, float) / mean for image in maps]
        top = max(float(np.nanmax(image)) for image in relative)
        for panel, image, title in zip(panels, relative, ("measured", "predicted"), strict=True):
            shown = panel.imshow(image, vmin=0, vmax=top, cmap="viridis")
            panel.set_title(rf"$\mathbb{{E}}\,g_i^2$, {title}")
            panel.set_xticks([])
            panel.set_yticks([])
            left.colorbar(shown, ax=panel, label="1 = mean")
        _draw_gains(right.subplots(), layers)
        figure.suptitle(f"{found.arch}, side {found.sizes[-1]}")
        with replacing(path) as part:
            figure.savefig(part, metadata=style.metadata(path, samples.attrs["config"]))


def _draw_gains(panel: Any, layers: list[findings.Layer]) -> None:
    """Measured over predicted gain of every layer, from the input at the top to the logits."""
    for i, layer in enumerate(layers):
        ratio = layer.measured.value / layer.predicted
        low, high = (end / layer.predicted for end in layer.measured.interval)
        colour = style.COLOURS[1] if layer.differs else style.COLOURS[0]
        panel.errorbar(
            ratio, i, xerr=[[ratio - low], [high - ratio]], fmt="o", color=colour, capsize=2
        )
        if np.isfinite(layer.paper) and abs(layer.paper / layer.predicted - 1) > 1e-3:
            panel.plot(layer.paper / layer.predicted, i, "x", color="0.4")
    panel.axvline(1, color="0.6", linewidth=0.8, zorder=0)
    panel.set_yticks(range(len(layers)), [_short(layer.name) for layer in layers])
    panel.invert_yaxis()
    panel.set_xlabel(
        "measured / predicted gain, 95 % intervals;\norange: differs;\n"
        "×: the paper's hypotheses alone, if other"
    )


def _short(name: str) -> str:
    return name if len(name) <= 34 else name[:33] + "…"
