"""Every statement holds, and every step of it fails when its claim is altered or unchecked."""

import subprocess
import sys
from dataclasses import replace

import pytest

from theory.__main__ import CORE, universal_steps
from theory.statements import STATEMENTS, holds, verify
from theory.statements.mutation import mutated_steps, without_check

NAMES = list(STATEMENTS)
LEAST_MUTANTS = 4


@pytest.mark.parametrize("name", NAMES)
def test_statement_holds(name):
    failed = [(r.step.reason, r.problem) for r in verify(STATEMENTS[name]) if not r.passed]
    assert STATEMENTS[name].steps
    assert not failed


@pytest.mark.parametrize("name", NAMES)
def test_every_mutant_of_every_step_is_caught(name):
    caught, survivors = 0, []
    for index, step in enumerate(STATEMENTS[name].steps, start=1):
        altered = mutated_steps(step)
        assert len(altered) >= LEAST_MUTANTS, f"step {index} has {len(altered)} mutants"
        for change, mutant in altered:
            if _passes(mutant):
                survivors.append((index, change, mutant.claim))
            else:
                caught += 1
    print(f"{name}: {caught} of {caught + len(survivors)} mutants caught")
    assert not survivors


@pytest.mark.parametrize("name", NAMES)
def test_no_claim_is_true_by_its_form(name):
    assert all(step.claim.lhs != step.claim.rhs for step in STATEMENTS[name].steps)


def _passes(step):
    # a mutant is to be judged false: a check that merely breaks on it would hide a blind spot
    return step.check(step.claim)


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_says_what_it_assumes_claims_and_proves(name):
    statement = STATEMENTS[name]
    assert statement.hypotheses and statement.claim
    assert statement.proof.startswith(("proved for all", "checked on", "numeric"))
    if statement.proof.startswith("proved for all"):
        assert any(step.universal for step in statement.steps)


def test_the_core_statements_are_mostly_universal():
    some, steps = universal_steps(CORE)
    assert some > steps / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_removed_check_is_caught(name):
    statement = STATEMENTS[name]
    for index in range(len(statement.steps)):
        result = verify_step(without_check(statement, index), index)
        assert not result.passed
        assert result.problem == "it has no check"


def verify_step(statement, index):
    return verify(replace(statement, steps=statement.steps[index : index + 1]))[0]


def test_a_statement_without_steps_does_not_hold():
    assert not holds(replace(STATEMENTS["lemma-2"], steps=()))


def test_an_unknown_statement_is_a_key_error():
    with pytest.raises(KeyError):
        STATEMENTS["theorem-7"]


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "theory", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_lists_all_statements():
    done = command()
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES
    assert "None was run now" in done.stderr


def test_command_checks_one_statement():
    done = command("theorem-5", "--check")
    assert done.returncode == 0
    assert "✓ theorem-5" in done.stdout


@pytest.mark.parametrize(("option", "sign"), [("--latex", r"\["), ("--markdown", "$$")])
def test_command_renders(option, sign):
    done = command("theorem-4", option)
    assert done.returncode == 0
    assert done.stdout.count(sign) >= len(STATEMENTS["theorem-4"].steps)


def test_command_shows_a_derivation_in_unicode():
    done = command("lemma-2")
    assert done.returncode == 0
    assert "ε" in done.stdout


def test_command_suggests_the_nearest_name():
    done = command("theorem5")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "did you mean 'theorem-5'?" in done.stderr


def test_command_fails_when_a_check_fails(monkeypatch, capsys):
    from theory import __main__ as program

    broken = {"theorem-4": without_check(STATEMENTS["theorem-4"], 2)}
    monkeypatch.setattr(program, "STATEMENTS", broken)
    assert program.main(["theorem-4", "--check"]) == 1
    assert "it has no check" in capsys.readouterr().out
