"""The result of a training study as tables for people and as JSON for programs.

`python -m sim.training_report runs/NAME` reports what is finished of a stored study.
"""

import json
import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from tyro.conf import Positional

from sim import cli, first_order, statistics
from sim.report import with_error
from sim.statistics import Slope
from sim.training import BEFORE, SETS, Config, Report, design

ENOUGH = 0.97
"""Accuracy on test digits that ordinary training must reach at every side."""


@dataclass(frozen=True)
class Fit:
    """An exponent in d after one training, or at initialization."""

    training: str
    set: str
    quantity: str
    """norm: mean ‖∂_x L‖_q; damage: increase of the loss by an attack."""
    q: str | None
    """Order of the norm of the gradient, for a norm."""
    attack: str | None
    """step or pgd, for a damage."""
    p: str | None
    """Order of the attack's norm, for a damage."""
    eps: float | None
    exponent: Slope
    predicted: float | None
    """The law's slope over the same sizes, for norms at initialization."""


@dataclass(frozen=True)
class Table:
    """Cells of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def fits(samples: xr.Dataset) -> list[Fit]:
    """Exponents of norms and damages of every training that has two sizes or more."""
    predicted = predictions(samples)
    found = []
    for training in _everywhere(samples):
        for part in SETS:
            at = samples.sel(training=training, set=part)
            for q in samples["q"].values:
                law = predicted.get(str(q)) if training == BEFORE else None
                slope = _slope(at["norm"].sel(q=q))
                found.append(Fit(training, part, "norm", str(q), None, None, None, slope, law))
            for attack in samples["attack"].values:
                for p in samples["p"].values:
                    for eps in samples["eps"].values:
                        damage = at["damage"].sel(attack=attack, p=p, eps=eps)
                        if np.isnan(damage).all():
                            continue
                        which = (str(attack), str(p), float(eps))
                        slope = _slope(damage)
                        found.append(Fit(training, part, "damage", None, *which, slope, None))
    return found


def predictions(samples: xr.Dataset) -> dict[str, float]:
    """The law's slope of E‖∂_x L‖_q over the sizes, at initialization, by q.

    Batch normalization with mean 0 and variance 1 changes nothing, so the law is that of the
    network without it. Labels do not depend on a network that has not been trained.
    """
    from sim import trained
    from sim.intervals import slope_weights
    from theory.law import predict

    config = json.loads(samples.attrs["config"])
    ds = samples["d"].values.astype(float)
    if len(ds) < 2:
        return {}
    plain = {
        side: trained.without_batch_norm(config["data"], side, config["width"], config["depth"])
        for side in samples["size"].values.tolist()
    }
    found = {}
    for q in samples["q"].values:
        laws = [predict(net, str(q), "loss")(d) for net, d in zip(plain.values(), ds, strict=True)]
        if all(value is not None for value in laws):
            found[str(q)] = float(np.log(np.array(laws, float)) @ slope_weights(ds))
    return found


def _slope(values: xr.DataArray) -> Slope:
    """Over the sizes that are finished."""
    rows, ds = values.transpose("seed", "size").values, values["d"].values.astype(float)
    there = np.isfinite(rows).any(axis=0)
    return first_order.exponent(rows[:, there], ds[there])


def _everywhere(samples: xr.Dataset) -> list[str]:
    """Trainings with more than one size."""
    accuracy = samples["accuracy"].sel(set="test").transpose("training", "size", "seed").values
    sides = np.isfinite(accuracy).any(axis=2).sum(axis=1)
    return [str(t) for t, n in zip(samples["training"].values, sides, strict=True) if n > 1]


def tables(samples: xr.Dataset) -> list[Table]:
    """What there is to read."""
    found = [_growth(samples), _attacked(samples)] if len(samples["size"]) > 1 else []
    return [*found, _compared(samples)]


def _growth(samples: xr.Dataset) -> Table:
    sizes = [float(eps) for eps in samples["eps"].values]
    columns = (
        "training",
        "predicted",
        "‖∂L‖₁, test",
        "training set",
        "‖∂L‖₂, test",
        "‖∂L‖_∞, test",
    )
    rows, all_fits = [], fits(samples)

    def cell(training: str, **which: Any) -> str:
        for fit in all_fits:
            if fit.training == training and all(getattr(fit, k) == v for k, v in which.items()):
                return with_error(fit.exponent.value, *fit.exponent.interval)
        return "–"

    p = "inf" if "inf" in samples["p"].values else str(samples["p"].values[0])
    for training in _everywhere(samples):
        law = predictions(samples).get("1") if training == BEFORE else None
        rows.append(
            (
                training,
                "–" if law is None else f"{law:.3f}",
                cell(training, set="test", quantity="norm", q="1"),
                cell(training, set="training", quantity="norm", q="1"),
                cell(training, set="test", quantity="norm", q="2"),
                cell(training, set="test", quantity="norm", q="inf"),
                *(
                    cell(training, set="test", quantity="damage", attack="pgd", p=p, eps=eps)
                    for eps in sizes
                ),
            )
        )
    damages = [f"damage, {_norm(p)}, ε = {eps:g}" for eps in sizes]
    return Table("exponents of d", (*columns, *damages), tuple(rows))


def _attacked(samples: xr.Dataset) -> Table:
    """Every side of every training that has several."""
    return _points(samples, "by side, on test images", _everywhere(samples), None)


def _compared(samples: xr.Dataset) -> Table:
    config = json.loads(samples.attrs["config"])
    side = config["compared_size"]
    trainings = [str(t) for t in samples["training"].values]
    return _points(samples, f"side {side}, on test images", trainings, side)


def _points(samples: xr.Dataset, title: str, trainings: list[str], side: int | None) -> Table:
    p = "inf" if "inf" in samples["p"].values else str(samples["p"].values[0])
    columns = ["training", "side", "accuracy", "‖∂L‖₁", "on training images", "‖∂L‖₂"]
    for eps in samples["eps"].values:
        columns += [f"damage, {_norm(p)}, ε = {eps:g}", "fooled"]
    rows = []
    for training in trainings:
        for size in samples["size"].values.tolist() if side is None else [side]:
            at = samples.sel(training=training, size=size)
            test = at.sel(set="test")
            if np.isnan(test["accuracy"]).all():
                continue
            row = [training, str(size), _mean(test["accuracy"]), _mean(test["norm"].sel(q="1"))]
            row.append(_mean(at["norm"].sel(set="training", q="1")))
            row.append(_mean(test["norm"].sel(q="2")))
            for eps in samples["eps"].values:
                hit = test.sel(attack="pgd", p=p, eps=eps)
                row += [_mean(hit["damage"]), _mean(hit["fooled"])]
            rows.append(tuple(row))
    return Table(title, tuple(columns), tuple(rows))


def _mean(values: xr.DataArray, digits: int = 3) -> str:
    """Mean over seeds ± standard error."""
    finite = values.values[np.isfinite(values.values)]
    if len(finite) < 2:
        return "–"
    mean, error = finite.mean(), finite.std(ddof=1) / math.sqrt(len(finite))
    if abs(mean) >= 100:
        return f"{mean:.0f} ± {error:.0f}"
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _norm(p: str) -> str:
    return "ℓ_∞" if p == "inf" else f"ℓ_{p}"


def warnings(samples: xr.Dataset) -> list[str]:
    """A sentence for each training that was not finite, or not as accurate as it should be."""
    found = []
    failed = samples["failed"]
    for training in samples["training"].values:
        for size in samples["size"].values:
            at = failed.sel(training=training, size=size).values
            seeds = np.flatnonzero(at >= 0)
            if len(seeds):
                found.append(
                    f"{training} at side {size}: the loss of seed {' '.join(map(str, seeds))} is "
                    f"not finite from epoch {int(at[seeds].min()) + 1} on; it is left out."
                )
    return found


def unfinished(samples: xr.Dataset) -> list[str]:
    """A sentence if trainings of the design are not finished, as in a study under way."""
    cells = design(Config(**_fields(samples)))
    missing = [
        cell
        for cell in cells
        if np.isnan(samples["failed"].sel(training=cell[0], size=cell[1])).all()
    ]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(cells)} trainings are not finished; exponents are over the sides "
        "that are."
    ]


def _fields(samples: xr.Dataset) -> dict[str, Any]:
    fields = json.loads(samples.attrs["config"])
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def inaccurate(samples: xr.Dataset) -> list[str]:
    """Sides at which ordinary training on digits is less accurate than `ENOUGH`."""
    config = json.loads(samples.attrs["config"])
    if config["data"] != "digits" or "ordinary" not in samples["training"].values:
        return []
    accuracy = samples["accuracy"].sel(training="ordinary", set="test").mean("seed")
    return [
        f"ordinary training at side {int(size)} leaves an accuracy of {value:.4f} on test images."
        for size, value in zip(samples["size"].values, accuracy.values, strict=True)
        if value < ENOUGH
    ]


NOTES = (
    "exponents with 95 % intervals over seeds (Student's t); means ± standard errors over seeds.",
    "predicted: the law's slope over the same sides, for the network before training. ε: change "
    "per pixel, in units of the root mean square of the image.",
    "damage, fooled: increase of the loss and of the 0-1 loss under projected ascent.",
)


def title(samples: xr.Dataset) -> str:
    """What was trained."""
    c = json.loads(samples.attrs["config"])
    return (
        f"{c['data']}, {c['depth']} convolutions of {c['width']} channels, {c['epochs']} epochs, "
        f"batches of {c['batch']}, {c['seeds']} seeds"
    )


def show(samples: xr.Dataset, to_stderr: bool = False) -> None:
    """Print the tables, on standard output or on standard error."""
    from rich import box
    from rich import table as rich_table
    from rich.console import Console

    console = Console(stderr=to_stderr)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, width=170)
    console.print(title(samples), highlight=False)
    for table in tables(samples):
        drawn = rich_table.Table(title=table.title, box=box.SIMPLE_HEAD)
        for i, column in enumerate(table.columns):
            drawn.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    for note in NOTES:
        console.print(note, style="dim", highlight=False)
    for line in (*unfinished(samples), *warnings(samples), *inaccurate(samples)):
        console.print(line, style="bold red", highlight=False)


def to_markdown(samples: xr.Dataset) -> str:
    """The same as Markdown."""
    lines = [f"{title(samples)}.", ""]
    for table in tables(samples):
        lines += [f"**{table.title[0].upper()}{table.title[1:]}**", ""]
        rows = (table.columns, ("---",) * len(table.columns), *table.rows)
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    lines += [f"- {note}" for note in NOTES]
    lines += [
        f"- {line}" for line in (*unfinished(samples), *warnings(samples), *inaccurate(samples))
    ]
    return "\n".join(lines) + "\n"


def to_json(samples: xr.Dataset) -> str:
    """One JSON object {"config", "fits", "points"}; its schema: `sim/training.schema.json`."""
    content = {
        "config": json.loads(samples.attrs["config"]),
        "fits": [
            {
                "training": fit.training,
                "set": fit.set,
                "quantity": fit.quantity,
                "q": fit.q,
                "attack": fit.attack,
                "p": fit.p,
                "eps": fit.eps,
                "exponent": _number(fit.exponent.value),
                "ci": [_number(end) for end in fit.exponent.interval],
                "predicted": fit.predicted,
                "seeds": fit.exponent.seeds,
            }
            for fit in fits(samples)
        ],
        "points": _json_points(samples),
        "warnings": [*unfinished(samples), *warnings(samples), *inaccurate(samples)],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _json_points(samples: xr.Dataset) -> list[dict[str, Any]]:
    found = []
    for training in samples["training"].values:
        for size in samples["size"].values:
            for part in SETS:
                at = samples.sel(training=training, size=size, set=part)
                if np.isnan(at["accuracy"]).all():
                    continue
                found.append(
                    {
                        "training": str(training),
                        "size": int(size),
                        "d": int(at["d"]),
                        "set": part,
                        "accuracy": _summary(at["accuracy"]),
                        "loss": _summary(at["loss"]),
                        "norms": {str(q): _summary(at["norm"].sel(q=q)) for q in at["q"].values},
                        "attacks": [
                            {
                                "attack": str(attack),
                                "p": str(p),
                                "eps": float(eps),
                                "damage": _summary(at["damage"].sel(attack=attack, p=p, eps=eps)),
                                "fooled": _summary(at["fooled"].sel(attack=attack, p=p, eps=eps)),
                            }
                            for attack in at["attack"].values
                            for p in at["p"].values
                            for eps in at["eps"].values
                        ],
                    }
                )
    return found


def _summary(values: xr.DataArray) -> dict[str, float | int | None]:
    finite = values.values[np.isfinite(values.values)]
    found = statistics.mean(finite)
    error = found.standard_error
    return {"mean": _number(found.value), "sem": _number(error), "seeds": len(finite)}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def deliver(samples: xr.Dataset, output: Report) -> int:
    """Print the tables, write what is asked for; the exit status."""
    if output.figure is not None:
        from figures import training as picture

        picture.write(samples, output.figure)
    to_standard = "-" in (output.json, output.markdown)
    show(samples, to_stderr=to_standard)
    if output.json is not None:
        cli.write_text(output.json, to_json(samples))
    if output.markdown is not None:
        cli.write_text(output.markdown, to_markdown(samples))
    return 1 if output.check and (warnings(samples) or inaccurate(samples)) else 0


@dataclass(frozen=True)
class Stored:
    """Which study."""

    run: Positional[str]
    """The folder that python -m sim.training --out has written."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 with --check, 2 bad usage)."""
    kinds = (Stored, Report)
    which, output = cli.parse(kinds, "python -m sim.training_report", __doc__ or "", args)
    with cli.one_sentence():
        output.refuse()
        from sim.training import stored

        samples = stored(which.run)
    return deliver(samples, output)


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
