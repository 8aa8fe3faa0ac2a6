"""How every figure looks: colours that survive colour blindness and grey print, typeset text."""

import io
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image, PngImagePlugin

from sim.running.files import replacing

# Okabe and Ito's palette without its yellow, from dark to light in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    "-.",
    (0, (8, 2, 1, 2, 1, 2)),
    (0, (3, 3)),
)

MEASURED = "measured means with 95 % intervals"
"""What points are in every picture, which says it of them."""

PAGE = 7.0
"""Inches: the width of a page of two columns."""

SETTINGS: dict[Any, Any] = {
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "savefig.dpi": 200,
    "svg.hashsalt": "figures",
}


@contextmanager
def styled() -> Generator[None, None, None]:
    """Matplotlib with the settings of this file."""
    with matplotlib.rc_context(SETTINGS):
        yield


class Picture(Figure):
    """A figure that a notebook shows wherever it was made."""

    def _repr_png_(self) -> bytes:
        found = io.BytesIO()
        with styled():
            self.savefig(found, format="png", dpi=100)
        return found.getvalue()


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Any, Any]:
    """A figure of so many inches and its axes as an array (rows, columns)."""
    figure = Picture(figsize=(width, height))
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save(figure: Any, path: str, description: dict[str, Any]) -> None:
    """Write the figure with its provenance; the file's ending is its format.

    PNGs have a palette of 128 colours, which a third of the bytes hold.
    """
    text = json.dumps(description)
    with replacing(path) as part:
        if Path(path).suffix.lower() != ".png":
            figure.savefig(part, metadata=metadata(path, text))
            return
        buffer, about = io.BytesIO(), PngImagePlugin.PngInfo()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        about.add_itxt("Description", text)
        Image.open(buffer).convert("RGB").quantize(128).save(part, pnginfo=about, optimize=True)


def element(figure: Any) -> str:
    """The figure as an SVG element of a page: without provenance, which the page has."""
    text = io.StringIO()
    figure.savefig(
        text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    return text.getvalue()[text.getvalue().index("<svg") :]


def metadata(path: str, description: str) -> dict[str, Any]:
    """A figure's provenance for the file's own metadata fields, without a date."""
    if path.lower().endswith(".pdf"):
        return {"Subject": description, "CreationDate": None}
    if path.lower().endswith(".svg"):
        return {"Description": description, "Date": None}
    return {"Description": description}


def norm(quantity: str, q: str) -> str:
    """E‖∂_x L‖_q or E‖∂_x f_k‖_q, typeset."""
    what = "L" if quantity == "loss" else "f_k"
    order = r"\infty" if q == "inf" else q
    return rf"$\mathbb{{E}}\,\|\partial_x {what}\|_{{{order}}}$"


def ell(p: str) -> str:
    """The name of ℓ_p, typeset."""
    return r"$\ell_\infty$" if p == "inf" else rf"$\ell_{{{p}}}$"


def logarithmic(panel: Any, ds: Sequence[float | int] | None = None) -> None:
    """Logarithmic axes; along x, the values `ds` alone are marked where there are few of them."""
    panel.set_xscale("log")
    panel.set_yscale("log")
    if ds is not None:
        mark_x(panel, ds)


def mark_x(panel: Any, values: Sequence[float | int]) -> None:
    """Ticks of a logarithmic x axis at these values alone, with numbers where there is room.

    The last one always has its number.
    """
    labels, last = [], np.inf
    for value in sorted(values, reverse=True):
        labels.append("" if last < 2.5 * value and last > 1000 else f"{value:g}")
        last = value if labels[-1] else last
    panel.set_xticks(sorted(values), labels[::-1])
    panel.xaxis.minorticks_off()


def plain_y(panel: Any) -> None:
    """`plain` for the y axis."""
    plain(panel.yaxis)


def plain(axis: Any) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten, in plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def points(panel: Any, i: int, x: Any, values: Any, intervals: Any, **options: Any) -> None:
    """The i-th series: open marks with their intervals [(low, high), ...]."""
    middle, (low, high) = np.asarray(values), np.asarray(intervals).T
    panel.errorbar(
        x, middle, yerr=(middle - low, high - middle), color=COLOURS[i % 6], marker=MARKERS[i % 6],
        linestyle="none", markerfacecolor="white", markeredgewidth=1, capsize=2, elinewidth=1,
        **options,
    )  # fmt: skip


def line(panel: Any, i: int, x: Any, y: Any, **options: Any) -> None:
    """The line of the i-th series, told apart by its dashes too."""
    chosen = {"linestyle": DASHES[i % 6], "zorder": 0} | options
    panel.plot(x, y, color=COLOURS[i % 6], **chosen)


def handle(i: int, label: str) -> Line2D:
    """The i-th series in a legend: a point on a line."""
    return Line2D(
        [], [], color=COLOURS[i % 6], marker=MARKERS[i % 6], linestyle=DASHES[i % 6],
        markerfacecolor="white", label=label,
    )  # fmt: skip


class End(NamedTuple):
    """Where the line of a series ends."""

    series: int | str
    """Its number, or its colour."""
    x: float | int
    y: float | int
    label: str


def label_ends(panel: Any, ends: Sequence[End], gap: float | int = 9) -> None:
    """Writes a label to the right of each end, in its colour, moved so that none overlap.

    Call it when the limits of the axes are final.

    Args:
        panel: The axes.
        ends: The ends of lines in it.
        gap: The least distance between the labels' lines, in points.
    """
    to_points = 72 / panel.figure.dpi
    order = sorted(ends, key=lambda end: end.y)
    height = panel.transAxes.transform([(0, 0), (0, 1)])[:, 1] * to_points
    places = [float(panel.transData.transform((end.x, end.y))[1]) * to_points for end in order]
    moved = spread(places, gap, float(height[0]), float(height[1]))
    right = max(end.x for end in ends)
    for (i, _, y, label), old, new in zip(order, places, moved, strict=True):
        panel.annotate(
            label, (right, y), xytext=(7, new - old), textcoords="offset points",
            color=i if isinstance(i, str) else COLOURS[i % 6], va="center", fontsize=7.5,
            annotation_clip=False,
        )  # fmt: skip


def spread(
    places: Sequence[float | int], gap: float | int, low: float | int, high: float | int
) -> list[float]:
    """Increasing places moved as little as need be to lie `gap` apart, from `low` to `high`."""
    found = list(places)
    for _ in range(200):
        for j in range(len(found) - 1):
            lack = gap - (found[j + 1] - found[j])
            if lack > 0:
                found[j] -= lack / 2
                found[j + 1] += lack / 2
        found = [min(max(place, low), high) for place in found]
    return found
