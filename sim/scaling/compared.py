"""What a comparison of scaling runs says, to people and as JSON."""

from collections.abc import Mapping

import xarray as xr
from rich.text import Text

from sim.scaling.comparison import Difference
from sim.scaling.table import norm_name
from sim.statistics import numbers
from sim.statistics.numbers import fields, with_ends, with_error
from sim.statistics.verdicts import FALSE_ALARM
from sim.storage import attributes
from theory.printout import Line, Printout
from theory.tables import Table, columns


def printout(found: list[Difference], runs: Mapping[str, xr.Dataset]) -> Printout:
    """The comparison for people."""
    names = (
        *("run", "width", "norm", "exponent of the first", "of the run", "difference"),
        *("norm over first", "shared seeds", "verdict"),
    )
    rows = tuple(
        (
            *(
                row.run,
                "–" if row.width is None else str(row.width),
                norm_name(row.quantity, row.q),
            ),
            *(with_error(x.value, *x.interval) for x in (row.exponent, row.other, row.difference)),
            *(with_ends(row.ratio.value, *row.ratio.interval), str(row.shared)),
            Text(_verdict(row), style="bold" if row.differs else ""),
        )
        for row in found
    )
    shown = columns(names, ("run", "norm", "verdict"), ("of the run", "exponent of the first"))
    first = found[0].first
    notes = (
        "difference: the run's exponent of d less that of the first, over the sizes that both "
        "have, with its 95 % interval over seeds.",
        f"norm over first: of the mean norms at d = {found[0].d}, the largest that both have.",
        "shared seeds: compared in pairs; none where the runs have different --seed.",
        f"verdict: where all exponents are equal, {FALSE_ALARM:.0%} of comparisons find one that "
        "differs.",
    )
    extended = [name for name, run in runs.items() if attributes.extended_from(run.attrs)]
    remarks = tuple(
        Line(f"note: {name} was extended by more seeds; intervals take its number as fixed.")
        for name in extended
    )
    table = Table(f"runs compared with {first}", shown, rows, keys=3)
    return Printout(answer(found), (table,), notes=notes, remarks=remarks)


def answer(found: list[Difference]) -> str:
    """What was compared, the largest difference, the verdict, and what to do next."""
    measured = [row for row in found if row.differs is not None]
    if not measured:
        return "Nothing could be compared: the exponents of at least one run are not measured."
    far = max(measured, key=_distance)
    gap, ratio = far.difference, far.ratio
    differ = sum(bool(row.differs) for row in measured)
    pairs = f"{far.shared} shared seeds" if far.shared else "independent seeds"
    at = "" if far.width is None else f" at width {far.width}"
    verdict = f"{differ} of {len(measured)} exponents DIFFER" if differ else "no exponent differs"
    norm, by = norm_name(far.quantity, far.q), with_error(gap.value, *gap.interval)
    return (
        f"{far.run} against {far.first}, {pairs}: {verdict}. The farthest is that of {norm}{at}, "
        f"by {by}; its norm is {with_ends(ratio.value, *ratio.interval)} times as large at "
        f"d = {far.d}. {_next(far)}"
    )


def _distance(row: Difference) -> float:
    return abs(row.difference.value) / (row.difference.half_width or 1)


def _next(far: Difference) -> str:
    if not far.shared:
        return "Runs of the same --seed are compared in pairs, which gives shorter intervals."
    return "--figure FILE draws all of them in one picture."


def _verdict(row: Difference) -> str:
    return {True: "differs", False: "same", None: "not measured"}[row.differs]


def to_json(found: list[Difference], runs: Mapping[str, xr.Dataset]) -> str:
    """One JSON object {"runs": {name: configuration}, "differences": [...]}."""
    return numbers.to_json(
        {
            "runs": {name: attributes.configuration(x.attrs) for name, x in runs.items()},
            "differences": [
                {
                    **fields(row, "run", "first", "width", "quantity", "q"),
                    "exponents": [row.exponent.value, row.other.value],
                    "difference": row.difference.value,
                    "ci": row.difference.interval,
                    "d": row.d,
                    "ratio": row.ratio.value,
                    "ratio_ci": row.ratio.interval,
                    **fields(row, "shared", "differs"),
                }
                for row in found
            ],
        }
    )
