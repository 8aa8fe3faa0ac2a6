"""A study of training: growth with d, norm against damage, accuracy against vulnerability, epochs.

Regularizers are colours, sides are not told apart but in the first panel.
"""

import json
from typing import Any

import numpy as np
import xarray as xr

from figures import style
from figures.runs import Runs
from sim import statistics
from sim.training import BEFORE


def draw(runs: Runs) -> Any:
    """The study in the folder `runs.study`."""
    from sim.training import stored

    samples = stored(str(runs.study))
    runs.used["training"] = json.loads(samples.attrs["config"])
    return figure_of(samples)


def write(samples: xr.Dataset, path: str) -> None:
    """Draw what `sim.training.run` returned; the file's ending (.png, .svg, .pdf) is the format."""
    with style.styled():
        style.save(figure_of(samples), path, {"config": json.loads(samples.attrs["config"])})


def figure_of(samples: xr.Dataset) -> Any:
    """Four panels.

    Damage and vulnerability are those of projected ascent in ℓ_∞, or in the first norm that was
    attacked in, at the largest size.
    """
    config = json.loads(samples.attrs["config"])
    p = "inf" if "inf" in config["attack_norms"] else config["attack_norms"][0]
    eps = float(samples["eps"].max())
    attacked = samples.sel(attack="pgd", p=p, eps=eps)
    figure, ((growth, damage), (accuracy, epochs)) = style.panels(2, 2, 8.2, 6.8)
    _draw_growth(growth, samples)
    _draw_damage(damage, attacked)
    _draw_accuracy(accuracy, attacked, config["compared_size"])
    _draw_epochs(epochs, samples)
    figure.suptitle(
        f"{config['data']}, {config['seeds']} networks each, {config['epochs']} epochs; damage "
        rf"and fooled: projected ascent, {_norm(p)}, $\epsilon$ = {eps:g} per pixel"
        "\nstandard errors over networks; in the first panel 95 % intervals",
        fontsize="small",
    )
    return figure


def _norm(p: str) -> str:
    return r"$\ell_\infty$" if p == "inf" else rf"$\ell_{{{p}}}$"


def _name(training: str) -> str:
    return training.partition(":")[0]


def _colour(training: str) -> tuple[str, str]:
    """Colour and marker of a regularizer; black circles for networks that are not regularized."""
    names = ("pgd-linf", "penalty-l1", "penalty-l2", "step-linf", "step-l2", "cross-lipschitz")
    if _name(training) not in names:
        return ("black", "o") if training != BEFORE else ("gray", "o")
    i = names.index(_name(training))
    return style.COLOURS[i], style.MARKERS[i]


def _trainings(samples: xr.Dataset) -> list[str]:
    return [str(t) for t in samples["training"].values]


def _draw_growth(panel: Any, samples: xr.Dataset) -> None:
    norms = samples["norm"].sel(set="test", q="1")
    ds = norms["d"].values.astype(float)
    several = [t for t in _trainings(samples) if _finite(norms.sel(training=t), "seed").sum() > 1]
    colours = ["gray", "black", *style.COLOURS]
    for i, training in enumerate(several):
        rows = norms.sel(training=training).transpose("seed", "size").values
        there = np.isfinite(rows).any(axis=0)
        means = [statistics.mean(column[np.isfinite(column)]) for column in rows[:, there].T]
        middle = np.array([mean.value for mean in means])
        ends = np.array([mean.interval for mean in means]).T
        panel.errorbar(
            ds[there], middle, yerr=np.abs(ends - middle), color=colours[i % len(colours)],
            marker=style.MARKERS[i % 6], capsize=2, label=training,
        )  # fmt: skip
        if training == BEFORE:
            guide = middle[0] * np.sqrt(ds[there] / ds[there][0])
            panel.plot(ds[there], guide, color="gray", linestyle=":", label=r"$\sqrt{d}$")
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(ds, [f"{d:g}" for d in ds])
    panel.xaxis.minorticks_off()
    panel.set_xlabel(r"input dimension $d$")
    panel.set_ylabel(r"mean $\|\partial_x L\|_1$, test images")
    panel.legend()


def _finite(values: xr.DataArray, dim: str) -> xr.DataArray:
    return xr.DataArray(np.isfinite(values)).any(dim)


def _statistics(values: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Means over seeds and their standard errors."""
    rows = values.transpose("seed", ...).values
    return rows.mean(axis=0), rows.std(axis=0, ddof=1) / np.sqrt(len(rows))


def _draw_damage(panel: Any, attacked: xr.Dataset) -> None:
    test = attacked.sel(set="test")
    drawn: set[str] = set()
    for training in _trainings(test):
        at = test.sel(training=training)
        norm, norm_error = _statistics(at["norm"].sel(q="1"))
        damage, damage_error = _statistics(at["damage"])
        colour, marker = _colour(training)
        label = None if _name(training) in drawn else _name(training)
        drawn.add(_name(training))
        panel.errorbar(
            norm, damage, xerr=norm_error, yerr=damage_error, color=colour, marker=marker,
            linestyle="none", elinewidth=0.6, label=label,
            markerfacecolor="none" if training == BEFORE else None,
        )  # fmt: skip
    eps = float(attacked["eps"])
    measured = test["norm"].sel(q="1").mean("seed").values
    norms = np.array([np.nanmin(measured), np.nanmax(measured)])
    if str(attacked["p"].item()) == "inf":
        panel.plot(norms, eps * norms, color="black", linewidth=0.6, label="first order")
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(r"mean $\|\partial_x L\|_1$, test images")
    panel.set_ylabel("damage, test images")
    panel.legend()


def _draw_accuracy(panel: Any, attacked: xr.Dataset, side: int) -> None:
    test = attacked.sel(set="test", size=side)
    curves: dict[str, list[str]] = {}
    for training in _trainings(test):
        if training != BEFORE and np.isfinite(test["accuracy"].sel(training=training)).any():
            curves.setdefault(_name(training), []).append(training)
    for name, own in curves.items():
        at = test.sel(training=sorted(own, key=lambda t: float(t.partition(":")[2] or 0)))
        accuracy, accuracy_error = _statistics(at["accuracy"])
        fooled, fooled_error = _statistics(at["fooled"])
        colour, marker = _colour(name)
        panel.errorbar(
            fooled, accuracy, xerr=fooled_error, yerr=accuracy_error, color=colour, marker=marker,
            elinewidth=0.6, label=name,
        )  # fmt: skip
    panel.set_xlabel("vulnerability: increase of the 0–1 loss")
    panel.set_ylabel("accuracy")
    panel.set_title(f"side {side}, test images", loc="left")
    panel.legend(loc="lower right")


def _draw_epochs(panel: Any, samples: xr.Dataset) -> None:
    norms = samples["curve_norm"]
    trained = [t for t in _trainings(samples) if t != BEFORE]
    chosen = trained[:1] + [t for t in trained[1:] if _name(t) == "pgd-linf"][1:2]
    there = _finite(norms.sel(training=chosen).isel(epoch=0, set=0), "seed").all("training")
    if not there.any():
        return
    size = max(norms["size"].values[there.values])
    for training in chosen:
        for part, line in (("test", "-"), ("training", "--")):
            mean, error = _statistics(norms.sel(training=training, size=size, set=part))
            epochs = samples["epoch"].values
            colour = _colour(training)[0]
            panel.plot(
                epochs, mean, color=colour, linestyle=line, label=f"{training}, side {size}, {part}"
            )
            panel.fill_between(epochs, mean - error, mean + error, color=colour, alpha=0.2, lw=0)
    panel.set_yscale("log")
    panel.set_xlabel("epoch")
    panel.set_ylabel(r"mean $\|\partial_x L\|_1$")
    panel.legend()
