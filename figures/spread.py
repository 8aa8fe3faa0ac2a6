"""The spread of the norm from network to network: depth over width, with the exact density."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from theory import architectures, predict

SIDE = 8
D = 3 * SIDE**2
SHOWN = ((2, 64), (4, 16), (8, 8))
DEPTHS, WIDTHS = (2, 4, 8), (8, 16, 32, 64)


def draw(runs: Runs) -> Any:
    """Three histograms of ‖∂_x f_k‖_2 with the exact density; the spread at all depths, widths."""
    found = {}
    for depth in DEPTHS:
        config = Config(
            arch="mlp", depth=depth, quantity=("logit",), norms=("2",), sizes=(SIDE, 2 * SIDE),
            widths=tuple(w for d, w in SHOWN if d == depth) if runs.quick else WIDTHS,
            seeds=512 if runs.quick else 16384,
        )  # fmt: skip
        samples = runs.scaling(f"spread-{depth}", config)["norm"].squeeze(("quantity", "q"))
        for width in samples["width"].values:
            found[depth, int(width)] = samples.sel(width=width, size=SIDE).values
    figure, axes = style.panels(2, 2, style.PAGE, 4.4)
    for i, (panel, shape) in enumerate(zip(axes.flat, SHOWN, strict=False)):
        _histogram(panel, i, *shape, found[shape])
    _spread(axes[1][1], found)
    return figure


def _law(depth: int, width: int) -> Any:
    return predict(architectures.mlp(width=width, depth=depth), 2, "logit").distribution(D)


def _histogram(panel: Any, i: int, depth: int, width: int, norms: np.ndarray) -> None:
    law = _law(depth, width)
    alive = norms[norms > 0]
    low, high = np.quantile(np.log(alive), (0.0005, 0.9995))
    edges = np.linspace(low, high, 41)
    heights = np.histogram(np.log(alive), edges)[0] / len(alive) / np.diff(edges)
    panel.stairs(heights, edges, fill=True, color=style.COLOURS[i], alpha=0.35)
    x = np.linspace(edges[0], edges[-1], 400)
    panel.plot(x, np.exp(x) * law.density(np.exp(x)), "k-", linewidth=1)
    shape = f"{depth} layers of {width}, $d$ = {D}\n{len(norms)} networks\nline: exact density"
    dead = f"\nnot drawn: {np.mean(norms == 0):.1%} zero\n(exact: {float(law.dead):.1%})"
    panel.text(
        0.03, 0.97, shape + (dead if float(law.dead) > 5e-4 else ""),
        transform=panel.transAxes, va="top", fontsize=7.5,
    )  # fmt: skip
    panel.set_xlabel(r"$\log\,\|\partial_x f_k\|_2$")
    panel.set_ylabel("density")


def _spread(panel: Any, found: dict[tuple[int, int], np.ndarray]) -> None:
    depths = sorted({depth for depth, _ in found})
    for i, depth in enumerate(depths):
        widths = sorted(width for own, width in found if own == depth)
        logs = [np.log(v[v > 0]) for v in (found[depth, width] for width in widths)]
        variances = np.array([values.var(ddof=1) for values in logs])
        fourth = np.array([np.mean((v - v.mean()) ** 4) for v in logs])
        half = 1.96 * np.sqrt(
            [(m - s**2) / len(v) for m, s, v in zip(fourth, variances, logs, strict=True)]
        )
        x = np.array([depth / width for width in widths])
        ends = np.sqrt(np.maximum([variances - half, variances + half], 0)).T
        style.points(panel, i, x, np.sqrt(variances), ends, label=f"{depth} layers")
        exact = [np.sqrt(_law(depth, width).log_variance(2)) for width in WIDTHS]
        style.line(panel, i, [depth / width for width in WIDTHS], exact)
    panel.set_xscale("log")
    panel.set_yscale("log")
    ratios = sorted({depth / width for depth, width in product(depths, WIDTHS)})
    panel.set_xticks(ratios[::2], [str(Fraction(ratio)) for ratio in ratios[::2]])
    panel.xaxis.minorticks_off()
    panel.set_yticks([0.2, 0.5, 1], ["0.2", "0.5", "1"])
    panel.yaxis.set_minor_formatter(lambda *_: "")
    panel.set_xlabel("depth / width")
    panel.set_ylabel(r"std of $\log\,\|\partial_x f_k\|_2$")
    panel.legend(loc="upper left", title="points: measured, lines: exact")
