"""Tables of results as they stand in README.md and docs/architectures.md."""

from collections.abc import Sequence

from sim.plan.plan import Plan
from sim.predictions.prediction import has_exact_energy
from sim.results import experiment
from sim.results.commands import CommandTable
from sim.results.configuration import Row
from sim.results.stated import same
from sim.scaling.configuration import Config
from sim.statistics import numbers
from sim.statistics.fits import Fit
from theory.laws.parts import BASES
from theory.tables import Table, columns, markdown

LIMITS = {0.0: "0", 0.5: "½", 0.75: "¾", 1.0: "1"}

Cells = tuple[str, ...]


def cells(row: Row, fit: Fit) -> Cells:
    """A row as it stands in its table."""
    measured = numbers.with_error(fit.exponent.value, *fit.exponent.interval)
    predicted = numbers.expected_slope(fit.expected)
    if fit.agrees is False or fit.constant_agrees is False:
        predicted += ", **contradicted**"
    width = "–" if fit.width is None else str(fit.width)
    described = f"`{row.command.flags}`"
    rests_on = basis_cell(fit.basis, experiment.widest(experiment.of_command(row)))
    found = (described, width, measured, predicted, limit_cell(fit.limit), rests_on)
    if not row.table.has_ratio:
        return found
    ratio = fit.ratio
    return (*found, numbers.with_ends(ratio.value, *ratio.interval) if ratio else "–")


def basis_cell(basis: str, plan: Plan[Config]) -> str:
    """What the prediction rests on, and whether its energies rest on less."""
    (network,) = plan.networks.values()
    is_law = basis in BASES
    return f"{basis}; energy exact" if is_law and has_exact_energy(network) else basis


def limit_cell(limit: float | None) -> str:
    """The law's exponent as d → ∞."""
    return "–" if limit is None else LIMITS.get(limit, f"{limit:.4g}")


def to_markdown(tables: Sequence[CommandTable], rows: Sequence[Row], found: Sequence[Cells]) -> str:
    """The tables with the rows that were measured.

    Args:
        tables: What is printed, in this order.
        rows: Which rows were measured.
        found: The cells of each of these.
    """
    pairs = list(zip(rows, found, strict=True))
    return "\n\n".join(
        one_table(table, [own for row, own in pairs if row.table == table]) for table in tables
    )


def one_table(table: CommandTable, rows: Sequence[Cells]) -> str:
    """The table with these rows."""
    return markdown(Table(table.title, columns(table.head), tuple(rows)), rule="---")


def differences(
    there: dict[str, list[Cells]], rows: Sequence[Row], found: Sequence[Cells]
) -> list[str]:
    """Where the file says something else, a paragraph for each such row.

    Args:
        there: The rows of every table that the file has, by the table's name.
        rows: Which rows were measured.
        found: The cells of each of these.
    """
    wrong = []
    for row, own in zip(rows, found, strict=True):
        said = there[row.table.name][row.number - 1]
        if not all(map(same, said, own)):
            wrong.append(
                f"{row.table.name}, row {row.number}: the file says\n{' | '.join(said)}\n"
                f"and the command\n{' | '.join(own)}"
            )
    return wrong
