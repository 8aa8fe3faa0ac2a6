"""The result of a calibration as tables, as a Markdown page and as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sim.calibration.configuration import Config
from sim.calibration.coverage import Share
from sim.calibration.peeking import LOOKS
from sim.statistics import numbers
from theory.printout import Printout
from theory.tables import Table, columns, markdown


@dataclass(frozen=True)
class Section:
    """One table of the page, with what is to be known of it."""

    title: str
    explained: str
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    """Cells are text, numbers or shares."""

    @property
    def table(self) -> Table:
        """Its rows as text."""
        rows = tuple(tuple(map(_text, row)) for row in self.rows)
        return Table(self.title, columns(self.header, text=self.header[:1]), rows)


def sections(results: dict[str, list[Any]]) -> list[Section]:
    """The results of `sim.calibration.run`, explained."""
    return [_SECTIONS[name](rows) for name, rows in results.items()]


BAND = (0.935, 0.965)
"""Where the coverage of a 95 % interval should lie."""


def within(share: Share) -> bool:
    """Whether a coverage lies in `BAND`, or outside by no more than two of its standard errors."""
    low, high = BAND
    return low - 2 * share.standard_error <= share.value <= high + 2 * share.standard_error


def _judged(rows: list[Any]) -> list[Share]:
    """The coverages in rows where fewer than half of the runs are warned."""
    judged = [row for row in rows if row.warned.value < 0.5]
    return [x for row in judged for x in (row.exponent, row.log_exponent, row.mean, row.ratio)]


def _coverage(rows: list[Any]) -> Section:
    shares = _judged(rows)
    outside = sum(not within(x) for x in shares)
    return Section(
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


def _methods(rows: list[Any]) -> Section:
    exponents, means = list(rows[0].exponents), list(rows[0].means)

    def summary(name: str, read: Callable[[Any], Any]) -> str:
        shares = [read(row) for row in rows]
        return f"{sum(map(within, shares))} of {len(shares)}"

    last = [summary(k, lambda row, k=k: row.exponents[k]) for k in exponents]
    last += [summary(k, lambda row, k=k: row.means[k]) for k in means]
    return Section(
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


def _two_stages(rows: list[Any]) -> Section:
    return Section(
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


def _peeking(rows: list[Any]) -> Section:
    return Section(
        "Looking again and again",
        f"""\
Per cent of runs of an analyst who looks {LOOKS} times, each time after as many more seeds as there
were at the first look. `covers`: the 95 % interval contains the truth at every look; `alarms`: the
exponent is contradicted at some look, by a test at 1 %, although it is right. `fixed`: as if the
number of seeds had been known beforehand; `any time`: what reports of runs that were extended have
beside it, and verdicts use (`sim/statistics/anytime.py`). `times as wide`: its price, the length of
the exponent's interval at any time over that of a fixed sample, at the first and at the last
look.""",
        (
            "truth",
            "first look",
            *(f"{x} covers, {y}" for x in ("exponent", "mean") for y in ("fixed", "any time")),
            *("alarms, fixed", "alarms, any time", "times as wide"),
        ),
        [
            (
                *(x.truth, x.first, *x.exponent, *x.mean, *x.alarms),
                " to ".join(f"{ratio:.2f}" for ratio in x.width),
            )
            for x in rows
        ],
    )


def _false_alarms(rows: list[Any]) -> Section:
    return Section(
        "False alarms",
        """\
Per cent of reports that contradict a law although all hold; stated is 1 %. Each report has three
widths and the norms q = 1, 2, ∞ of the same gradients of a logit. `exponents`: nine verdicts, as
where no law claims its constant; `all`: eighteen, with those on the constants. `warned`: reports
with a warning in one row at least.""",
        ("report", "seeds", "exponents", "all", "warned"),
        [(x.report, x.seeds, x.exponents, x.all, x.warned) for x in rows],
    )


def _power(rows: list[Any]) -> Section:
    first = rows[0]
    return Section(
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


_SECTIONS: dict[str, Callable[[list[Any]], Section]] = {
    "coverage": _coverage,
    "methods": _methods,
    "two-stages": _two_stages,
    "peeking": _peeking,
    "false-alarms": _false_alarms,
    "power": _power,
}


def _marked(share: Share) -> str:
    return _text(share) + ("" if within(share) else " *")


def _text(cell: Any) -> str:
    if isinstance(cell, Share):
        return f"{100 * cell.value:.1f} ± {100 * cell.standard_error:.1f}"
    return str(cell)


def to_json(config: Config, results: dict[str, list[Any]]) -> str:
    """One JSON object {"config", "coverage", "methods", ...}, shares as numbers from 0 to 1."""
    rows = {name: [asdict(row) for row in found] for name, found in results.items()}
    return numbers.to_json({"config": asdict(config), **rows})


def printout(results: dict[str, list[Any]]) -> Printout:
    """What the calibration says to people: the shortest table, and with --full all of them."""
    found = sections(results)
    first = min(found, key=lambda section: len(section.rows))
    notes = (
        f"{section.title}: {' '.join(section.explained.split())}" for section in (first, *found)
    )
    others = tuple(section.table for section in found if section != first)
    return Printout(_answer(results), (first.table,), others, tuple(dict.fromkeys(notes)))


def _answer(results: dict[str, list[Any]]) -> str:
    """What was measured, what should be, and where to look."""
    sentences = []
    if "coverage" in results:
        judged = [row for row in results["coverage"] if row.warned.value < 0.5]
        shares = [
            x for row in judged for x in (row.exponent, row.log_exponent, row.mean, row.ratio)
        ]
        good = sum(map(within, shares))
        sentences.append(
            f"{good} of {len(shares)} coverages of 95 % intervals lie within 93.5 to 96.5 %, two "
            "standard errors allowed for, in reports without a warning."
        )
    if "false-alarms" in results:
        worst = max((row.all for row in results["false-alarms"]), key=lambda share: share.value)
        sentences.append(
            f"Reports whose laws all hold contradict one in at most {_text(worst)} % of runs; "
            "1 % is stated."
        )
    if not sentences:
        tables = ", ".join(section.title.lower() for section in sections(results))
        sentences.append(f"Measured: {tables}.")
    return " ".join([*sentences, "docs/calibration.md has what this means for a run."])


def page(results: dict[str, list[Any]]) -> str:
    """The tables as a Markdown page."""
    parts = [f"# Calibration\n\n{_PAGE}"]
    for section in sections(results):
        parts.append(f"## {section.title}\n\n{section.explained}\n\n{markdown(section.table)}")
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
