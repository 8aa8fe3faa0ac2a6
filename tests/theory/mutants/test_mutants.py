"""The code that predicts, altered in one place: a statement or a comparison must notice."""

from importlib import import_module

import pytest

from mutants import comparisons
from mutants.patching import altered
from mutants.table import MUTANTS, QUICK

LEAST = 60
NAMES = [f"{x.module}: {x.old.strip()[:40]} > {x.new.strip()[:40]}" for x in MUTANTS]


def agrees(by):
    """Whether a statement or a comparison finds nothing wrong with the `theory` that is loaded."""
    name, *rows = by.split()
    if hasattr(comparisons, name):
        return getattr(comparisons, name)(*map(int, rows))
    statements = import_module("theory.statements")
    return statements.holds(statements.STATEMENTS[name])


def is_caught(mutant):
    with altered(mutant.module, mutant.old, mutant.new):
        try:
            return not agrees(mutant.by)
        except Exception:  # a prediction that cannot be made is noticed as well
            return True


def test_there_are_enough_different_mutants():
    assert len({(x.module, x.old, x.new) for x in MUTANTS}) == len(MUTANTS) >= LEAST


@pytest.mark.parametrize("mutant", MUTANTS[::QUICK], ids=NAMES[::QUICK])
def test_a_sample_of_mutants_is_caught(mutant):
    assert is_caught(mutant)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_mutants_are_caught(mutant):
    assert is_caught(mutant)


@pytest.mark.slow
@pytest.mark.parametrize("by", sorted({x.by for x in MUTANTS}))
def test_what_catches_them_agrees_with_the_code_as_it_is(by):
    assert agrees(by)


def test_a_place_that_is_not_there_is_no_mutant():
    with pytest.raises(LookupError), altered("theory.fans", "no such text", ""):
        pass
