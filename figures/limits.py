"""The order of limits: local exponents of tanh networks at fixed widths leave 3/4 for 1/2."""

from typing import Any

import numpy as np

from figures.runs import Runs
from sim.drawing import style
from sim.scaling import Config
from sim.statistics import estimates
from theory import predict
from theory.architectures import mlp
from theory.initializers import Scheme

SCHEMES = {"constant": "constant variance, std 0.3", "he-fan-out": "He fan-out"}
WIDTHS = (16, 64, 256)
WIDE = 2**30
"""Units of a layer in the limit of large width."""


def draw(runs: Runs) -> Any:
    """The exponent of E‖∂_x f_k‖_1 between neighbouring d against d, one hidden layer."""
    figure, (panels,) = style.panels(1, 2, style.PAGE, 2.9, sharey=True)
    for panel, (scheme, title) in zip(panels, SCHEMES.items(), strict=True):
        config = Config(
            arch="mlp", init=scheme, std=0.3, activation="tanh", depth=1, channels=1,
            widths=WIDTHS, quantity=("logit",), norms=("1",), integrate_first=True,
            sizes=(4, 8, 16) if runs.quick else (4, 8, 16, 32, 64, 128, 256, 512),
            seeds=32 if runs.quick else 2048,
        )  # fmt: skip
        samples = runs.scaling(f"limits-{scheme}", config)
        ds = samples["d"].values.astype(float)
        middles = np.sqrt(ds[1:] * ds[:-1])
        for i, width in enumerate(WIDTHS):
            norms = samples["norm"].sel(width=width, quantity="logit", q="1")
            rows = norms.transpose("seed", "size").values.astype(float)
            slopes = [
                estimates.exponent(rows[:, j : j + 2], ds[j : j + 2]) for j in range(len(middles))
            ]
            values, ends = [x.value for x in slopes], [x.interval for x in slopes]
            style.points(panel, i, middles * 1.08 ** (i - 1), values, ends, label=f"width {width}")
            style.line(panel, i, middles, _predicted(width, scheme, ds))
        panel.plot(
            middles, _predicted(WIDE, scheme, ds), color="black", linewidth=0.8, zorder=0,
            label="width → ∞ first",
        )  # fmt: skip
        for limit in (0.5, 0.75):
            panel.axhline(limit, color="grey", linewidth=0.6, linestyle=":", zorder=0)
        panel.set_xscale("log")
        panel.set_xlabel(r"input dimension $d$")
        panel.set_title(title)
    panels[0].set_ylabel(r"local exponent of $\mathbb{E}\,\|\partial_x f_k\|_1$")
    panels[0].legend(loc="upper right")
    figure.suptitle(
        "points: measured exponents with 95 % intervals; lines: predicted", fontsize="small"
    )
    return figure


def _predicted(width: int, scheme: str, ds: np.ndarray) -> list[float]:
    """The law's slopes between neighbouring d."""
    law = predict(mlp(width, 1, channels=1, activation="tanh", init=Scheme(scheme, std=0.3)), 1)
    return [float(law.slope(ds[j : j + 2].tolist()) or np.nan) for j in range(len(ds) - 1)]
