"""The tables of results in the README and the docs are what their commands print."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim import scaling
from sim.results import __main__ as command
from sim.results import commands, experiment, report, stated
from sim.results.configuration import Row
from sim.scaling.dataset import predictions
from sim.statistics import fitting, numbers, verdicts
from theory.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[3]
TABLES = {name: commands.table(name) for name in commands.NAMES}


def _stated(name):
    table = TABLES[name]
    return stated.stated(table, (ROOT / table.file).read_text(encoding="utf-8"))


STATED = {name: _stated(name) for name in TABLES}
CHEAPEST = [("readme", 4), ("initializers", 2)]


def _row(name, number):
    """Slow if its prediction is sampled."""
    is_slow = "±" in STATED[name][number][3]
    return pytest.param(name, number, marks=[pytest.mark.slow] if is_slow else [])


ROWS = [_row(name, number) for name, table in TABLES.items() for number in range(len(table.rows))]


@pytest.mark.parametrize("name", commands.NAMES)
def test_the_commands_of_the_table_are_those_that_are_measured(name):
    expected = [f"`{row.flags}`" for row in TABLES[name].rows]
    assert [row[0] for row in STATED[name]] == expected


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_predictions(name, number):
    row = Row(TABLES[name], number + 1)
    plan = experiment.widest(experiment.of_command(row))
    predicted = predictions(plan).squeeze()
    limit = float(predicted["limit"])
    _, width, _, says, tends_to, basis, *_ = STATED[name][number]
    expected = numbers.expected_slope(verdicts.expected(predicted, "predicted_slope"))
    assert stated.same(says.removesuffix(", **contradicted**"), expected)
    assert tends_to == report.limit_cell(None if np.isnan(limit) else limit)
    assert basis == report.basis_cell(str(predicted["basis"].item()), plan)
    assert int(width) == int(predicted["width"])


@pytest.mark.parametrize(("name", "number"), CHEAPEST)
def test_the_cheapest_rows_measured_again(name, number):
    row = Row(TABLES[name], number + 1)
    (fit,) = fitting.fit(scaling.run(experiment.widest(experiment.of_command(row))))
    assert all(map(stated.same, STATED[name][number], report.cells(row, fit)))
    broken = replace(fit, exponent=replace(fit.exponent, value=fit.exponent.value + 0.01))
    wrong = report.cells(row, broken)
    assert not all(map(stated.same, STATED[name][number], wrong))


@pytest.mark.slow
@pytest.mark.parametrize("name", commands.NAMES)
def test_the_whole_table(name):
    assert command.main(["--table", name, "--check", str(ROOT / TABLES[name].file)]) == 0


def test_every_architecture_has_its_rows():
    for name in ("heads", "initializers"):
        rows = commands.table(name).rows  # other tests add architectures to the list
        assert {row.flags.split()[1] for row in rows} == set(ARCHITECTURES)


def test_a_stale_table_is_noticed():
    assert stated.same("0.4985 ± 0.0024", "0.4986 ± 0.0024")
    assert not stated.same("0.4985 ± 0.0024", "0.4988 ± 0.0024")
    assert not stated.same("0.5000, **contradicted**", "0.5000")
    assert not stated.same("½", "1")


def test_a_printed_table_is_read_again():
    table = TABLES["patches"]
    text = report.one_table(table, [("a", *"bcdefg")] * len(table.rows))
    assert stated.stated(table, f"before\n\n{text}\n\nafter") == [tuple("abcdefg")] * 6
    with pytest.raises(ValueError, match="patches has 5 rows, not 6"):
        stated.stated(table, text.rsplit("\n", 1)[0])


def test_bad_usage(capsys, tmp_path):
    nowhere = str(tmp_path / "none.md")
    unread = [["--check", nowhere], ["--check", __file__], ["--table", "heads", "--check", nowhere]]
    for args in (["14"], ["7", "--table", "patches"], *unread):
        with pytest.raises(SystemExit) as stop:
            command.main(args)
        assert stop.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
