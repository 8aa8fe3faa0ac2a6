"""Wrong versions of a claim: a derivation that is really checked rejects every one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from theory.statements.derivation import Claim, Statement, Step, differ, eq


@dataclass(frozen=True)
class Mutant:
    """An altered claim and what was altered."""

    change: str
    claim: Claim


def mutants(claim: Claim) -> list[Mutant]:
    """Altered versions of an equation: coefficients, exponents, signs, factors, symbols.

    One side is altered at a time. An alteration that leaves the value of its side as it was is no
    mutant, so if the claim is true, then each of its mutants is false.
    """
    found: dict[Claim, Mutant] = {}
    for index, name in enumerate(("left", "right")):
        side = claim.args[index]
        for change, altered in _alterations(side):
            sides = list(claim.args)
            sides[index] = altered
            mutant = eq(*sides)
            if mutant not in found and differ(side, altered):
                found[mutant] = Mutant(f"{name} side: {change}", mutant)
    return list(found.values())


def mutated_steps(step: Step) -> list[tuple[str, Step]]:
    """The step with each mutant of its claim in turn, the check unchanged."""
    return [(mutant.change, replace(step, claim=mutant.claim)) for mutant in mutants(step.claim)]


def without_check(statement: Statement, index: int) -> Statement:
    """The statement with the check of one step removed."""
    steps = list(statement.steps)
    steps[index] = replace(steps[index], check=None)
    return replace(statement, steps=tuple(steps))


def _alterations(side: Any) -> Iterator[tuple[str, Any]]:
    yield "doubled", 2 * side
    yield "sign flipped", -side
    yield "one added", side + 1
    for path, parent, part in _parts(side):
        for change, altered in _altered_part(part, parent, side.free_symbols):
            try:
                yield f"{change} in {part}", _put(side, path, altered)
            except (TypeError, ValueError, ArithmeticError):
                continue  # not an expression at all, such as the zeroth derivative


def _altered_part(part: Any, parent: Any, free: set[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(part, sp.Rational):
        yield "number raised by one", part + 1
    elif isinstance(part, sp.Symbol) and part in free and not isinstance(parent, sp.Tuple):
        yield "symbol doubled", 2 * part
    elif isinstance(part, sp.Pow):
        yield "exponent raised by one", part.base ** (part.exp + 1)
    elif isinstance(part, sp.Mul | sp.Add):
        word = "factor dropped" if isinstance(part, sp.Mul) else "term dropped"
        for i in range(len(part.args)):
            yield word, part.func(*part.args[:i], *part.args[i + 1 :])
        if isinstance(part, sp.Add):
            yield "sign of a term flipped", part - 2 * part.args[-1]
    elif isinstance(part, sp.Max):
        yield "minimum for maximum", sp.Min(*part.args)
    elif isinstance(part, sp.Min):
        yield "maximum for minimum", sp.Max(*part.args)


def _parts(expression: Any) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """All proper and improper subexpressions with their paths and parents."""
    stack: list[tuple[tuple[int, ...], Any, Any]] = [((), None, expression)]
    while stack:
        path, parent, part = stack.pop()
        yield path, parent, part
        stack += [((*path, i), part, inner) for i, inner in enumerate(part.args)]


def _put(expression: Any, path: tuple[int, ...], part: Any) -> Any:
    if not path:
        return part
    args = list(expression.args)
    args[path[0]] = _put(args[path[0]], path[1:], part)
    return expression.func(*args)
