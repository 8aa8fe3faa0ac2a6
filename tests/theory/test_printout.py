"""A report begins with its answer, and fits a page whatever its tables are."""

from dataclasses import replace

import pytest
from rich.cells import cell_len

from theory.printout import WIDTH, Line, Printout, show
from theory.tables import Table, columns

NAMES = ("width", "norm", *(f"long name {i}" for i in range(9)), "last")


def printout(spare=("long name 3", "long name 1")):
    """A report with a table that is far too wide, and one that is not."""
    cells = tuple(f"{i}.12345 ± 0.00{i}" for i in range(len(NAMES) - 2))
    rows = (("8", "‖∂L‖₁", *cells), ("16", "‖∂L‖₂", *cells))
    wide = Table("wide", columns(NAMES, ("norm",), spare), rows, keys=2)
    small = Table("small", columns(("a", "b")), (("1", "2"),))
    return Printout(
        "It is so [bold].",
        (wide,),
        (small,),
        ("a, x: meaning.", "last: the end."),
        (Line("Mind."),),
    )


def lines(capsys, **options):
    show(printout(), **options)
    said = capsys.readouterr()
    return (said.err if options.get("to_stderr") else said.out).splitlines()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("to_stderr", [False, True])
def test_the_answer_comes_first_and_no_line_is_too_long(full, to_stderr, capsys):
    said = lines(capsys, full=full, to_stderr=to_stderr)
    assert said[0].strip() == "It is so [bold]."
    assert max(map(cell_len, said)) <= WIDTH
    assert "Mind." in [line.strip() for line in said]


def test_a_wide_table_goes_on_below_with_its_keys_and_breaks_no_number(capsys):
    text = lines(capsys, full=True)
    rows = [line.split() for line in text if line.split()[:2] == ["8", "‖∂L‖₁"]]
    assert len(rows) > 1
    cells = [" ".join(row[2:]) for row in rows]
    assert " ".join(cells) == " ".join(printout().tables[0].rows[0][2:])
    assert sum("wide (continued)" in line for line in text) == len(rows) - 1


def test_what_is_left_out_is_said_and_full_has_it(capsys):
    short, full = ("\n".join(lines(capsys, full=full)) for full in (False, True))
    assert "--full adds a table." in short and "--full" not in full
    assert "small" not in short and "small" in full
    assert "1.12345" not in short and "3.12345" not in short and "3.12345" in full
    assert "2.12345" in short  # not dispensable
    assert "the end" in short and "meaning" not in short and "meaning" in full


def test_columns_go_in_their_order_and_only_if_they_must(capsys):
    table = Table("t", columns(("k", "aaaa", "bbbb"), spare=("bbbb", "aaaa")), (("1", "2", "3"),))
    show(Printout("So.", (table,)))
    said = capsys.readouterr().out
    assert "aaaa" in said and "bbbb" in said and "--full" not in said
    wide = tuple(f"{cell:>45}" for cell in ("1", "2", "3"))
    show(Printout("So.", (replace(table, rows=(wide,)),)))
    said = capsys.readouterr().out
    assert "aaaa" in said and "bbbb" not in said and "--full adds columns." in said
