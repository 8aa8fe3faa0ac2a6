"""Whether intervals and verdicts mean what they say, by simulations whose truth is known.

`python -m sim.calibration` measures how often the intervals of a report cover, how often a report
whose laws all hold contradicts one, and how small a violation it finds with how many seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from theory.console import for_tables

if TYPE_CHECKING:
    from sim.calibration.coverage import Share

TABLES = ("coverage", "methods", "two-stages", "false-alarms", "power")


@dataclass(frozen=True)
class Config:
    """What to simulate."""

    tables: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="TABLE")]] = ()
    """Of coverage, methods, two-stages, false-alarms, power. Unless given: all."""
    seeds: tuple[int, ...] = (16, 32, 64, 128, 256, 1024)
    """Numbers of seeds of a run, in the tables of coverage and of false alarms."""
    replicates: int = 2500
    """Runs simulated for each row of a table; half as many in those of methods, two stages
    and power, fewer from 1024 seeds on in those of false alarms and power."""
    seed: int = 0
    """Key of all simulations; the same key gives the same figures."""


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    markdown: bool = False
    """Print the page docs/calibration.md instead of the tables."""


@dataclass(frozen=True)
class Table:
    """Rows of cells that are text, numbers or shares."""

    title: str
    explained: str
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def check(config: Config) -> None:
    """Raises ValueError, with one sentence, if the configuration cannot be run."""
    from theory.initializers import unknown

    for name in config.tables:
        if name not in TABLES:
            raise ValueError(unknown("table", name, TABLES))
    for name, values in (("TABLE", config.tables), ("--seeds", config.seeds)):
        if len(set(values)) < len(values):
            raise ValueError(f"{name} lists a value twice: {' '.join(map(str, values))}.")
    if not config.seeds:
        raise ValueError("--seeds needs at least one value.")
    if min(config.seeds) < 3:
        raise ValueError(f"a skewness needs at least three seeds, not {min(config.seeds)}.")
    if config.replicates < 16:
        raise ValueError(f"a share needs at least 16 --replicates, not {config.replicates}.")
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"--seed must lie between 0 and 2^32 - 1, not {config.seed}.")


COMPARED = (16, 64)
PILOTS = (16, 32, 128)
TWO_STAGES = ("mild", "correlated", "deep", "student", "pareto")
POWER = ("wide", "medium", "mild")
POWER_SEEDS = (16, 64, 256, 1024, 4096, 16384)


def cells(config: Config) -> dict[str, list[Callable[[], Any]]]:
    """What is to be simulated, one function for each row, by table."""
    from functools import partial

    from sim.calibration import coverage
    from sim.calibration.known_laws import REPORTS, TRUTHS

    many, some, key = config.replicates, config.replicates // 2, config.seed

    def rows(
        measure: Callable[..., Any], names: Any, seeds: Any, count: int, fewer: int | None = None
    ) -> list[Any]:
        numbers = {n: count if n < 1024 or fewer is None else fewer for n in seeds}
        return [partial(measure, name, n, numbers[n], key) for name in names for n in seeds]

    tables = {
        "coverage": rows(coverage.coverage, TRUTHS, config.seeds, many),
        "methods": rows(coverage.compare, TRUTHS, COMPARED, some),
        "two-stages": rows(coverage.two_stages, TWO_STAGES, PILOTS, some),
        "false-alarms": rows(coverage.false_alarms, REPORTS, config.seeds, many, many // 4),
        "power": rows(coverage.power, POWER, POWER_SEEDS, some, many // 8),
    }
    return {name: tables[name] for name in TABLES if name in (config.tables or TABLES)}


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> dict[str, list[Any]]:
    """The rows of each table, dataclasses of `sim.calibration.coverage`.

    Raises ValueError for a configuration that makes no sense. `advance` is called with 1 after
    each row.
    """
    check(config)
    found: dict[str, list[Any]] = {}
    for name, measures in cells(config).items():
        found[name] = []
        for measure in measures:
            found[name].append(measure())
            advance(1)
    return found


def tables(results: dict[str, list[Any]]) -> list[Table]:
    """The results as tables to print."""
    return [_TABLES[name](rows) for name, rows in results.items()]


BAND = (0.935, 0.965)
"""Where the coverage of a 95 % interval should lie."""


def within(share: Share) -> bool:
    """Whether a coverage lies in `BAND`, or within two of its standard errors."""
    low, high = BAND
    return low - 2 * share.standard_error <= share.value <= high + 2 * share.standard_error


def _coverage(rows: list[Any]) -> Table:
    judged = [row for row in rows if row.warned.value < 0.5]
    shares = [x for row in judged for x in (row.exponent, row.log_exponent, row.mean, row.ratio)]
    outside = sum(not within(x) for x in shares)
    return Table(
        "Coverage of the 95 % intervals of a report",
        f"""\
Per cent of runs in which the interval covers the truth, ± standard error. `mean`: of the points,
over all four sizes; `ratio`: mean over law at the largest; `of logs`: of the geometric mean's
exponent. `warned`: runs whose report says that its intervals may cover less. Of the
{len(shares)} coverages in rows where fewer than half of the runs are warned, {outside} lie outside
of 93.5 to 96.5 % by more than two standard errors; they are marked by a star, as are those in the
other rows.""",
        ("truth", "seeds", "exponent", "of logs", "mean", "ratio", "warned"),
        [
            (
                row.truth,
                row.seeds,
                *map(_marked, (row.exponent, row.log_exponent, row.mean, row.ratio)),
                row.warned,
            )
            for row in rows
        ],
    )


def _methods(rows: list[Any]) -> Table:
    exponents, means = list(rows[0].exponents), list(rows[0].means)

    def summary(name: str, read: Callable[[Any], Any]) -> str:
        shares = [read(row) for row in rows]
        return f"{sum(map(within, shares))} of {len(shares)}"

    last = [summary(k, lambda row, k=k: row.exponents[k]) for k in exponents]
    last += [summary(k, lambda row, k=k: row.means[k]) for k in means]
    return Table(
        "Methods",
        """\
Coverage of 95 % intervals by method, for the exponent and for the mean at the largest size, on the
same norms. Reports use the first of either. The criterion: the most coverages between 93.5 and
96.5 % (within two standard errors; last row), among methods without random numbers.""",
        (
            "truth",
            "seeds",
            *(f"exponent: {name}" for name in exponents),
            *(f"mean: {name}" for name in means),
        ),
        [
            *((row.truth, row.seeds, *row.exponents.values(), *row.means.values()) for row in rows),
            ("within the band", "", *last),
        ],
    )


def _two_stages(rows: list[Any]) -> Table:
    return Table(
        "Two stages (`--until`)",
        """\
Coverage of the exponent's interval if the pilot asks for about four times its seeds. `Stein`: with
the pilot's spread alone; `reported`: with the spread of all seeds where the second stage varies
significantly more (F test at 1 %), since a pilot misses the tail of heavy-tailed norms. `reached`:
the interval is as narrow as was asked for.""",
        ("truth", "pilot", "seeds in all", "Stein", "reported", "reached"),
        [
            (x.truth, x.pilot, f"{x.seeds:.0f}", _marked(x.stein), _marked(x.reported), x.reached)
            for x in rows
        ],
    )


def _false_alarms(rows: list[Any]) -> Table:
    return Table(
        "False alarms",
        """\
Per cent of reports that contradict a law although all hold; stated is 1 %. Each report has three
widths and the norms q = 1, 2, ∞ of the same gradients of a logit. `exponents`: nine verdicts, as
where no law claims its constant; `all`: eighteen, with those on the constants. `warned`: reports
with a warning in one row at least.""",
        ("report", "seeds", "exponents", "all", "warned"),
        [(x.report, x.seeds, x.exponents, x.all, x.warned) for x in rows],
    )


def _power(rows: list[Any]) -> Table:
    first = rows[0]
    return Table(
        "Power",
        """\
Per cent of reports that contradict a law that is wrong, among the eighteen verdicts of a report.
`exponent + δ`: norms grow by d^δ more than predicted; `norm + δ`: they are larger by that part at
every size, which leaves the exponent as it is and is seen by the verdict on the constant alone.
`spread`: standard deviation of the slope of one seed. The number of seeds that a violation needs
grows like (spread / δ)² for exponents, and like the variance of the norm for constants: about
1/width at fixed depth. Laws that are not exact have no verdict on the constant.""",
        (
            "truth",
            "spread",
            "seeds",
            *(f"exponent + {off}" for off in first.exponents),
            *(f"norm + {off:.0%}" for off in first.constants or {}),
        ),
        [
            (
                row.truth,
                f"{row.spread:.4f}",
                row.seeds,
                *row.exponents.values(),
                *(row.constants or dict.fromkeys(first.constants, "–")).values(),
            )
            for row in rows
        ],
    )


_TABLES: dict[str, Callable[[list[Any]], Table]] = {
    "coverage": _coverage,
    "methods": _methods,
    "two-stages": _two_stages,
    "false-alarms": _false_alarms,
    "power": _power,
}


def _marked(share: Share) -> str:
    return _text(share) + ("" if within(share) else " *")


def _text(cell: Any) -> str:
    if hasattr(cell, "standard_error"):
        return f"{100 * cell.value:.1f} ± {100 * cell.standard_error:.1f}"
    return str(cell)


def to_json(config: Config, results: dict[str, list[Any]]) -> str:
    """One JSON object {"config", "coverage", "methods", ...}, shares as numbers from 0 to 1."""
    rows = {name: [asdict(row) for row in found] for name, found in results.items()}
    return json.dumps({"config": asdict(config), **rows}, indent=1, allow_nan=False) + "\n"


def show(results: dict[str, list[Any]], to_stderr: bool = False) -> None:
    """Print the tables, on standard output or on standard error."""
    from rich import box
    from rich.table import Table as Printed

    console = for_tables(180, to_stderr)
    for table in tables(results):
        printed = Printed(title=table.title, box=box.SIMPLE_HEAD)
        for i, name in enumerate(table.header):
            printed.add_column(name, justify="left" if i == 0 else "right")
        for row in table.rows:
            printed.add_row(*map(_text, row))
        console.print(printed)
        console.print(" ".join(table.explained.split()), style="dim", highlight=False)


def markdown(results: dict[str, list[Any]]) -> str:
    """The tables as a Markdown page."""
    parts = [f"# Calibration\n\n{_PAGE}"]
    for table in tables(results):
        lines = [table.header, ["---"] * len(table.header), *table.rows]
        cells = "\n".join("| " + " | ".join(map(_text, line)) + " |" for line in lines)
        parts.append(f"## {table.title}\n\n{table.explained}\n\n{cells}")
    return "\n\n".join(parts) + "\n"


_PAGE = """\
This page is printed by `python -m sim.calibration --markdown`: how often the intervals of a report
cover, how often its verdicts are wrong if all laws hold, and what they find if one does not. The
truth is known in every row: the exact law of the logits of dense ReLU networks (`mlp WIDTH ×
HIDDEN LAYERS`, `theory/laws/dense.py`), and power laws with heavy-tailed noise that the sizes of a
seed share in part (`sim/calibration/known_laws.py`). Sizes are those of `python -m sim.scaling
--arch mlp`.

An exponent's interval is Student's, with the jackknife's standard error; a mean's is Hall's, with
an allowance for the skewness of the norms (`sim/statistics/intervals.py`). No method covers as it
says if the norms of a few seeds outweigh all others and the next such seed has not been seen yet. A
report therefore warns if the skewness of the norms, divided by √seeds, exceeds 0.3 at some size, or
if
there are fewer than 16 seeds; the verdict on the constant is then withheld."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 2 bad usage)."""
    from sim.running import command_line, files

    config, output = command_line.parse(
        (Config, Output), "python -m sim.calibration", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
        if output.markdown and output.json == "-":
            raise ValueError("--markdown and --json - both write to standard output: choose one.")
    total = sum(map(len, cells(config).values()))
    with command_line.progress("simulating runs", total) as advance:
        results = run(config, advance)
    if output.markdown:
        sys.stdout.write(markdown(results))
    else:
        show(results, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, to_json(config, results))
    return 0
