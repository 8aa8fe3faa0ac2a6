"""The README's table of results, measured and predicted again.

`python -m sim.results` runs every command of the table and prints it as Markdown, some minutes;
`--check README.md` compares instead, and ends with status 1 if the file says something else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from sim import cli

if TYPE_CHECKING:
    from sim.scaling import Config
    from sim.statistics import Fit


@dataclass(frozen=True)
class Row:
    """A command `python -m sim.scaling …` whose widest network is a row of the table."""

    flags: str
    remark: str = ""


ROWS = (
    Row("--arch mlp"),
    Row("--arch cnn"),
    Row("--arch resnet"),
    Row("--arch resnet-preact"),
    Row("--arch convnet-avdim", " (the paper's, reflecting border)"),
    Row("--arch cnn --border zero --widths 32"),
    Row("--arch cnn --head avgpool --widths 32"),
    Row("--arch cnn --head gap"),
    Row("--arch cnn --head gmaxpool --widths 32"),
    Row("--arch convnet-avdim --pooling max --widths 32"),
    Row("--arch mlp --init glorot --norms 1"),
    Row("--arch mlp --init he-fan-out --norms 1"),
    Row("--arch mlp --init he-fan-out --norms 1 --quantity logit"),
)

HEAD = ("`python -m sim.scaling …`", "width", "measured", "predicted", "d → ∞", "rests on")

LIMITS = {0.0: "0", 0.5: "½", 1.0: "1"}


def config(row: Row) -> Config:
    """The configuration of a row's command. Exits with status 2 if it does not parse."""
    from sim.scaling import Config, complete

    (found,) = cli.parse((Config,), "python -m sim.scaling", "", row.flags.split())
    return complete(found)


def run(row: Row, advance: Callable[..., None] = lambda done, more=0: None) -> Fit:
    """The fit of the row's ℓ_1 norm in its widest network, by its command."""
    from sim import scaling, statistics

    fits = statistics.fit(scaling.run(config(row), advance))
    return max((fit for fit in fits if fit.q == "1"), key=lambda fit: fit.width)


def widest(config: Config) -> Config:
    """The same with its widest network and the ℓ_1 norm alone."""
    from sim.scaling import networks

    return replace(config, widths=(max(networks(config)),), norms=("1",))


def cells(row: Row, fit: Fit) -> tuple[str, ...]:
    """The row as it stands in the table."""
    from sim.report import with_error

    measured = with_error(fit.exponent.value, *fit.exponent.interval)
    predicted = predicted_cell(fit.predicted)
    if fit.agrees is False or fit.constant_agrees is False:
        predicted += ", **contradicted**"
    limit = limit_cell(fit.limit)
    return (f"`{row.flags}`{row.remark}", str(fit.width), measured, predicted, limit, fit.basis)


def predicted_cell(slope: float | None) -> str:
    """The law's slope over the sizes of the row, to four digits."""
    return "–" if slope is None else f"{slope:.4f}".replace("-0.0000", "0.0000")


def limit_cell(limit: float | None) -> str:
    """The law's exponent as d → ∞."""
    return "–" if limit is None else LIMITS.get(limit, f"{limit:.4g}")


def markdown(rows: list[tuple[str, ...]]) -> str:
    """The table, with its head."""
    lines = ["| " + " | ".join(row) + " |" for row in (HEAD, *rows)]
    return "\n".join([lines[0], "|---" * len(HEAD) + "|", *lines[1:]])


def stated(text: str) -> list[tuple[str, ...]]:
    """The rows of the table of results in a Markdown text. Raises ValueError without one."""
    head = "| " + " | ".join(HEAD) + " |\n"
    if head not in text:
        raise ValueError("there is no table of results in this file.")
    lines = text.split(head, 1)[1].splitlines()[1:]
    rows = []
    for line in lines:
        if not line.startswith("| "):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
    return rows


def same(stated: str, found: str) -> bool:
    """Whether two cells say the same: numbers up to one unit of the last digit, by rounding."""
    number = r"-?\d+\.\d+"
    if re.sub(number, "#", stated) != re.sub(number, "#", found):
        return False
    for one, other in zip(re.findall(number, stated), re.findall(number, found), strict=True):
        digits = min(len(text.partition(".")[2]) for text in (one, other))
        if abs(float(one) - float(other)) > 1.01 * 10.0**-digits:
            return False
    return True


@dataclass(frozen=True)
class Options:
    """Which rows, and what with them."""

    rows: Positional[tuple[int, ...]] = ()
    """Rows by their number, from 1. Unless given: all."""
    check: str | None = None
    """Compare with the table in this file instead of printing it."""


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 a difference, 2 bad usage)."""
    (options,) = cli.parse((Options,), "python -m sim.results", __doc__ or "", args)
    numbers = options.rows or range(1, len(ROWS) + 1)
    with cli.one_sentence():
        for number in numbers:
            if not 1 <= number <= len(ROWS):
                raise ValueError(f"there is no row {number}; the table has rows 1 to {len(ROWS)}.")
        table = stated(_read(options.check)) if options.check is not None else []
        if options.check is not None and len(table) != len(ROWS):
            raise ValueError(
                f"the table in {options.check} has {len(table)} rows, not {len(ROWS)}."
            )
    from sim import compilation
    from sim.scaling import networks, sizes_of

    compilation.keep()
    configs = [config(ROWS[number - 1]) for number in numbers]
    total = sum(len(networks(c)) * len(sizes_of(c)) * c.seeds for c in configs)
    with cli.progress("sampling networks", total) as advance:
        found = [cells(ROWS[n - 1], run(ROWS[n - 1], advance)) for n in numbers]
    if options.check is None:
        print(markdown(found))
        return 0
    differences = [
        f"row {number}: the file says\n{' | '.join(table[number - 1])}\nand the command\n"
        f"{' | '.join(row)}"
        for number, row in zip(numbers, found, strict=True)
        if not all(map(same, table[number - 1], row))
    ]
    print("\n".join(differences) or f"all {len(found)} rows are as in {options.check}.")
    return 1 if differences else 0


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}.") from None


if __name__ == "__main__":
    from theory.console import run as run_main

    sys.exit(run_main(main))
