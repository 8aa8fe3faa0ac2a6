"""How every figure looks: colours that survive colour blindness and grey print, typeset text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito's palette without its yellow, from dark to light in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")

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


def check_format(path: str) -> None:
    """Raises ValueError unless the file's ending is one that can be drawn."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"a figure's name must end in {', '.join(FORMATS)}, unlike '{path}'.")


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib without a display and with the settings of this file."""
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        matplotlib.use("Agg")
        yield


def metadata(path: str, description: str) -> dict[str, Any]:
    """A figure's provenance for the file's own metadata fields, without a date."""
    if path.lower().endswith(".pdf"):
        return {"Subject": description, "CreationDate": None}
    if path.lower().endswith(".svg"):
        return {"Description": description, "Date": None}
    return {"Description": description}
