"""Initialization schemes: which keep the √d law, which do not, and one that bends between them."""

from typing import Any

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import fitting

SCHEMES = {
    "constant": "std 0.02 (ViT, GPT)",
    "he-fan-out": "He fan-out",
    "glorot": "Glorot (Keras)",
    "he": "He fan-in",
    "pytorch": "PyTorch's default",
    "flax": "Flax's default",
}
WIDTH = 64


def draw(runs: Runs) -> Any:
    """E‖∂_x f_k‖_1/√d over its predicted value at the smallest d: level where the law holds."""
    figure, ((law, kept),) = style.panels(1, 2, style.PAGE, 2.9, width_ratios=(1.25, 1))
    ends: dict[Any, list[style.End]] = {law: [], kept: []}
    for i, (scheme, name) in enumerate(SCHEMES.items()):
        config = Config(
            arch="mlp", init=scheme, widths=(WIDTH,), channels=1, quantity=("logit",), norms=("1",),
            sizes=(2, 8) if runs.quick else (2, 4, 8, 16, 32, 64, 128),
            seeds=32 if runs.quick else 512,
        )  # fmt: skip
        found = fitting.points(runs.scaling(f"initializations-{scheme}", config))
        first = found[0]
        unit = float(first.predicted or 0) / first.d**0.5
        panel = kept if scheme in ("he", "pytorch", "flax") else law
        x = [p.d * 1.12 ** (i - 4 if panel is kept else i - 1) for p in found]
        style.points(
            panel, i, x, [p.mean / unit / p.d**0.5 for p in found],
            [[end / unit / p.d**0.5 for end in p.interval] for p in found],
        )  # fmt: skip
        y = [float(p.predicted or 0) / unit / p.d**0.5 for p in found]
        style.line(panel, i, [p.d for p in found], y)
        ends[panel].append(style.End(i, max(x), y[-1], name))
    for panel, labels in ends.items():
        panel.set_xscale("log")
        style.mark_x(panel, [4, 64, 1024, 16384] if not runs.quick else [4, 64])
        panel.set_xlabel(r"input dimension $d$")
        if panel is law:
            panel.set_yscale("log")
            style.plain_y(panel)
            panel.axvline(WIDTH, color="grey", linewidth=0.8, linestyle=":", zorder=0)
            panel.annotate("width", (WIDTH * 1.1, 0.02), xycoords=("data", "axes fraction"),
                           color="grey", fontsize=7.5)  # fmt: skip
        figure.draw_without_rendering()
        style.label_ends(panel, labels)
    figure.suptitle(f"points: {style.MEASURED}; lines: predicted", fontsize="small")
    law.set_ylabel(r"$\mathbb{E}\,\|\partial_x f_k\|_1\,/\,\sqrt{d}$, relative to $d = 4$")
    law.set_title("variance not ∝ 1/fan-in")
    kept.set_title("variance ∝ 1/fan-in: the law")
    return figure
