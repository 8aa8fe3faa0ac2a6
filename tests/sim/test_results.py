"""The README's table of results is what its commands print."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim import results, scaling, statistics
from sim.results import ROWS

README = Path(__file__).parents[2] / "README.md"
TABLE = results.stated(README.read_text(encoding="utf-8"))

CHEAPEST = [12]


def test_the_commands_of_the_table_are_those_that_are_measured():
    assert [row[0] for row in TABLE] == [f"`{row.flags}`{row.remark}" for row in ROWS]


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_predictions(number):
    config = results.widest(results.config(ROWS[number]))
    predicted = scaling.predictions(config).squeeze()
    slope, limit = (float(predicted[name]) for name in ("predicted_slope", "limit"))
    _, width, _, says, tends_to, basis = TABLE[number]
    expected = results.predicted_cell(None if np.isnan(slope) else slope)
    assert results.same(says.removesuffix(", **contradicted**"), expected)
    assert tends_to == results.limit_cell(limit)
    assert basis == str(predicted["basis"].item())
    assert int(width) == int(predicted["width"])


@pytest.mark.parametrize("number", CHEAPEST)
def test_the_cheapest_rows_measured_again(number):
    config = results.widest(results.config(ROWS[number]))
    (fit,) = statistics.fit(scaling.run(config))
    assert all(map(results.same, TABLE[number], results.cells(ROWS[number], fit)))
    wrong = results.cells(ROWS[number], replace(fit, exponent=replace(fit.exponent, value=0.5)))
    assert not all(map(results.same, TABLE[number], wrong))


@pytest.mark.slow
def test_the_whole_table():
    assert results.main(["--check", str(README)]) == 0


def test_a_stale_table_is_noticed():
    assert results.same("0.4985 ± 0.0024", "0.4986 ± 0.0024")
    assert not results.same("0.4985 ± 0.0024", "0.4988 ± 0.0024")
    assert not results.same("0.5000, **contradicted**", "0.5000")
    assert not results.same("½", "1")


def test_bad_usage(capsys, tmp_path):
    for args in (["14"], ["--check", str(tmp_path / "none.md")], ["--check", __file__]):
        with pytest.raises(SystemExit) as stop:
            results.main(args)
        assert stop.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
