"""What was found of public architectures, for people, as Markdown and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from sim.atlas.configuration import Config, models
from sim.atlas.experiment import Failed
from sim.atlas.rows import Row
from sim.statistics import numbers
from sim.statistics.numbers import between, fields, plain, with_error
from theory.printout import Line, Printout
from theory.tables import Table, columns, markdown

SYMBOLS = {"1": "‖∂L‖₁", "2": "‖∂L‖₂", "inf": "‖∂L‖_∞"}

NOTES = (
    "exponent of d: of the mean norm over these sides, with its 95 % interval. predicted: under "
    "gradient independence, with its 95 % interval.",
    "like √d: yes if the interval has ½ in it and not 0; unclear if it has both. ratio: measured "
    "over predicted mean norm at the largest side.",
    "mean: E‖∂L‖ at the largest side, with its 95 % interval over networks. over √d: that of "
    "‖∂L‖₁ divided by √d.",
    "processor s: compiling, measuring and predicting at all sides, of all norms together. MiB: "
    "the most memory that the process had.",
)


def to_json(config: Config, rows: Sequence[Row], failed: Sequence[Failed] = ()) -> str:
    """One JSON object {"config", "rows", "failed"}; its schema is `report.schema.json`."""
    return numbers.to_json(
        {
            "config": asdict(config) | {"models": models(config)},
            "rows": [_row(row) for row in rows],
            "failed": [one._asdict() for one in failed],
        }
    )


def _row(row: Row) -> dict[str, Any]:
    return {
        **fields(row, "model", "end", "q", "seeds", "seed"),
        "sizes": [int(side) for side in row.sizes.split()],
        "exponent": row.exponent,
        "ci": (row.low, row.high),
        **fields(row, "predicted", "predicted_error", "mean"),
        "mean_ci": (row.mean_low, row.mean_high),
        "ratio": row.ratio,
        "ratio_ci": (row.ratio_low, row.ratio_high),
        **fields(row, "verdict", "seconds", "mebibytes", "remark"),
    }


def to_markdown(rows: Sequence[Row]) -> str:
    """All tables, each below its title."""
    parts = [f"**{table.title}**\n\n{markdown(table)}" for table in _tables(rows)]
    return "\n\n".join(parts) + "\n"


def printout(rows: Sequence[Row], failed: Sequence[Failed] = ()) -> Printout:
    """What the atlas says to people.

    Args:
        rows: What `sim.atlas.run` returned.
        failed: And what it could not measure.
    """
    first, *more = _tables(rows)
    said = dict.fromkeys(f"{row.model}: {row.remark}" for row in rows if row.remark)
    return Printout(_answer(rows, failed), (first,), tuple(more), NOTES, tuple(map(Line, said)))


def _answer(rows: Sequence[Row], failed: Sequence[Failed]) -> str:
    found = [row for row in rows if row.q == "1" and isfinite(row.exponent)]
    like = sum(row.grows == "yes" for row in found)
    slower = [row for row in found if row.grows == "slower"]
    what = "1 architecture" if len(found) == 1 else f"{len(found)} architectures"
    parts = [
        f"{what} at initialization: ‖∂L‖₁ grows like √d in {like}, more slowly in {len(slower)}."
    ]
    predicted = [row for row in rows if isfinite(row.predicted) and isfinite(row.exponent)]
    wrong = sum("CONTRADICTS" in row.verdict for row in predicted)
    off = sum("norm " in row.verdict for row in predicted)
    parts.append(
        f"Of {len(predicted)} predicted exponents {wrong} are contradicted; in {off} of these rows "
        "the norm is off its prediction at some side."
    )
    if failed:
        parts.append(f"{len(failed)} could not be measured.")
    return " ".join(parts)


def _tables(rows: Sequence[Row]) -> list[Table]:
    by_norm = [_exponents([row for row in rows if row.q == q], q) for q in SYMBOLS]
    return [*by_norm, _constants(rows)]


def _exponents(rows: Sequence[Row], q: str) -> Table:
    like = ("like √d",) if q == "1" else ()
    names = ("model", "exponent of d", "predicted", *like, "ratio", "verdict", "last features")
    cells = tuple(
        (
            row.model,
            with_error(row.exponent, row.low, row.high) if isfinite(row.exponent) else "–",
            _predicted(row),
            *(row.grows for _ in like),
            _ratio(row),
            row.verdict,
            row.end or "–",
        )
        for row in rows
    )
    sizes = ", ".join(dict.fromkeys(row.sizes for row in rows))
    spare = ("last features", "verdict")
    shown = columns(names, ("model", "verdict", "last features", "like √d"), spare)
    return Table(f"{SYMBOLS[q]}, sides {sizes}", shown, cells)


def _predicted(row: Row) -> str:
    if not isfinite(row.predicted):
        return "–"
    half = 1.96 * row.predicted_error
    return with_error(row.predicted, row.predicted - half, row.predicted + half)


def _ratio(row: Row) -> str:
    if not isfinite(row.ratio):
        return "–"
    return between(row.ratio, row.ratio_low, row.ratio_high, ".3f")


def _constants(rows: Sequence[Row]) -> Table:
    by_model: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_model.setdefault(row.model, {})[row.q] = row
    means = tuple(f"mean {symbol}" for symbol in SYMBOLS.values())
    names = ("model", *means, "over √d", "processor s", "MiB")
    cells = []
    for model, found in by_model.items():
        first = next(iter(found.values()))
        side = int(first.sizes.split()[-1])
        one = found.get("1")
        cells.append(
            (
                model,
                *(_mean(found.get(q)) for q in SYMBOLS),
                plain(one.mean / (3 * side**2) ** 0.5 if one else None, ".3g"),
                f"{first.seconds:.0f}",
                str(first.mebibytes),
            )
        )
    return Table(
        "E‖∂L‖ at the largest side, time and memory", columns(names, ("model",)), tuple(cells)
    )


def _mean(row: Row | None) -> str:
    if row is None or not isfinite(row.mean):
        return "–"
    return between(row.mean, row.mean_low, row.mean_high, ".3g")
