"""One curve? Gradient norm against damage, over all regularizers and strengths at one side."""

from typing import Any

import numpy as np
import xarray as xr

from figures import study
from figures.runs import Runs
from sim.drawing import style
from sim.training import appearance
from sim.training.damage_curve import damage_curves
from sim.training.dataset import by_regularizer, config_of, shown_attack
from sim.training.means import means


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    return figure_of(study.read(runs))


def figure_of(samples: xr.Dataset) -> Any:
    """A panel for the smallest and the largest attack; strengths of a regularizer are joined."""
    side, p = config_of(samples).compared_size, shown_attack(samples)
    sizes = sorted({float(samples["eps"].min()), float(samples["eps"].max())})
    q = {"1": "inf", "2": "2", "inf": "1"}[p]
    at = samples.sel(size=side, set="test", attack="pgd", p=p)
    correlations = {c.eps: c.correlation.value for c in damage_curves(samples) if c.p == p}
    figure, (panels,) = style.panels(1, len(sizes), 1.4 + 3.6 * len(sizes), 3.9)
    for panel, eps in zip(panels, sizes, strict=True):
        here = at.sel(eps=eps)
        norms, radius = here["norm"].sel(q=q), eps * float(here["d"]) ** (1 / float(p))
        known = []
        for name, own in by_regularizer(samples, side).items():
            x, x_reach = means(norms.sel(training=own), "training")
            y, y_reach = means(here["damage"].sel(training=own), "training")
            colour, marker = appearance.colour_and_marker(name)
            panel.errorbar(
                x, y, xerr=appearance.above_zero(x, x_reach),
                yerr=appearance.above_zero(y, y_reach), color=colour, marker=marker,
                elinewidth=0.6, linewidth=0.6, label=name,
            )  # fmt: skip
            known += list(x)
        ends = np.array([np.nanmin(known), np.nanmax(known)])
        panel.plot(ends, radius * ends, color="black", linewidth=0.8, linestyle=":", zorder=0)
        title = rf"attacked in {style.ell(p)} with $\epsilon$ = {eps:g}"
        if eps in correlations:
            title += f"\nrank correlation {correlations[eps]:.2f}"
        panel.set_title(title, loc="left")
        style.logarithmic(panel)
        style.plain(panel.xaxis)
        style.plain(panel.yaxis)
        order = r"\infty" if q == "inf" else q
        panel.set_xlabel(rf"mean $\|\partial_x L\|_{{{order}}}$")
    panels[0].set_ylabel("damage: increase of the loss")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center")
    figure.suptitle(
        f"{appearance.heading(samples)}, side {side}, test images; 95 % intervals\n"
        "points: measured, joined by strength; dotted line: predicted to first order",
        fontsize="small",
    )
    return figure
