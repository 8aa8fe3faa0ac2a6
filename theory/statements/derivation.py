"""Derivations that run: a statement is a sequence of steps, and each step checks its own claim.

A check takes the claim as its argument, so a claim that is altered is judged as altered. Steps are
made by `derive`, `compute` and `evaluate`, one for each kind of check:

    symbolic   SymPy decides the claim for all values of its symbols, or in each of the named cases
    exact      rational arithmetic, on named instances
    numeric    40 digits, of which 30 must agree, on named instances; or numbers fitted in floats
    definition a rule that the library applies, compared with the rule as the text writes it: it
               proves nothing, but a library that departs from the text is found out

A symbolic step without named cases is universal: it holds for all values of the symbols that are
left once `meaning` has said what some of them stand for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from theory.statements.render import markdown
from theory.statements.typeset import latex

Kind = Literal["symbolic", "exact", "numeric", "definition"]
Claim = Relational
Check = Callable[[Claim], bool]
Instances = Callable[[], Mapping[str, Mapping[sp.Symbol, Any]]]
"""Named instances: a name, and what each symbol of the claim stands for there."""
Meaning = Callable[[], Mapping[sp.Symbol, Any]]
"""What symbols of a claim stand for in general."""

DIGITS = 40
AGREE = sp.Float(10, DIGITS) ** -30


@dataclass(frozen=True)
class Step:
    """One claim, the reason for it in a sentence, and the check that decides it.

    A step whose `check` is None never passes.
    """

    claim: Claim
    reason: str
    check: Check | None
    kind: Kind
    instances: Instances | None = None
    """What the claim is checked on; None if it is checked for all values of its symbols."""

    @property
    def universal(self) -> bool:
        """True if SymPy decides the claim for all values of its symbols, without named cases."""
        return self.kind == "symbolic" and self.instances is None


@dataclass(frozen=True)
class Statement:
    """A statement with its derivation; `source` says where it is stated."""

    name: str
    title: str
    source: str
    steps: tuple[Step, ...]
    hypotheses: tuple[str, ...] = ()
    """What is assumed, one sentence each."""
    claim: str = ""
    """What follows, in one sentence."""
    proof: str = ""
    """What it is proved for, and what is only checked on instances, or in numbers."""
    corrects: str = ""
    """Where the paper says something else; empty where it does not."""

    def _repr_latex_(self) -> str:
        return latex(self)

    def _repr_markdown_(self) -> str:
        return markdown(self)


@dataclass(frozen=True)
class Result:
    """What became of one step; `problem` is empty if it passed."""

    step: Step
    passed: bool
    problem: str


def verify(statement: Statement) -> list[Result]:
    """Run the check of every step on the step's claim, in order."""
    return [_run(step) for step in statement.steps]


def holds(statement: Statement) -> bool:
    """True if the statement has steps and all of them pass."""
    results = verify(statement)
    return bool(results) and all(result.passed for result in results)


def _run(step: Step) -> Result:
    if step.check is None:
        return Result(step, False, "it has no check")
    try:
        passed = step.check(step.claim)
    except Exception as error:  # a check that cannot be carried out has not passed
        return Result(step, False, f"{type(error).__name__}: {error}")
    return Result(step, passed, "" if passed else "the claim is false")


def eq(left: Any, right: Any) -> Claim:
    """left = right as a claim, not evaluated."""
    claim: Any = sp.Eq(left, right, evaluate=False)
    return claim


def derive(
    claim: Claim,
    reason: str,
    cases: Instances | None = None,
    meaning: Meaning | None = None,
) -> Step:
    """A step that SymPy decides, for all values of the symbols that are left.

    Args:
        claim: What is claimed.
        reason: Why, in a sentence.
        cases: Named cases, each with what symbols of the claim stand for; the claim must hold in
            every one of them. Without it the step is universal.
        meaning: What symbols of the claim stand for in general, as expressions in other symbols.

    Returns:
        The step. It fails where `cases` or `meaning` turns out to be empty.
    """

    def check(claim: Claim) -> bool:
        readings = list(cases().values()) if cases else [{}]
        general = meaning() if meaning else None
        if not readings or general == {}:
            return False
        return all(_symbolic(_read(claim, {**(general or {}), **x})) for x in readings)

    return Step(claim, reason, check, "symbolic", cases)


def define(claim: Claim, reason: str, cases: Instances) -> Step:
    """A rule that the library applies, beside the same rule as it is written here."""
    return replace(derive(claim, reason, cases), kind="definition")


def fitted(claim: Claim, reason: str, cases: Instances) -> Step:
    """A claim on rational numbers that were found by rounding slopes between floats."""
    return replace(derive(claim, reason, cases), kind="numeric")


def compute(claim: Claim, reason: str, instances: Instances) -> Step:
    """A step decided by rational arithmetic on every one of the named instances."""

    def check(claim: Claim) -> bool:
        found = instances()
        return bool(found) and all(_exact(claim, values) for values in found.values())

    return Step(claim, reason, check, "exact", instances)


def evaluate(claim: Claim, reason: str, instances: Instances | None = None) -> Step:
    """A step decided by 40-digit evaluation on the named instances (none: a claim on numbers)."""

    def check(claim: Claim) -> bool:
        found = instances() if instances else {"as it stands": {}}
        return bool(found) and all(_numeric(claim, values) for values in found.values())

    return Step(claim, reason, check, "numeric", instances)


GUARD = 10
"""Digits that are computed and not shown."""


def number(expression: Any, digits: int = DIGITS) -> sp.Expr:
    """A SymPy expression without free symbols as a number; integrals by quadrature."""
    expression = sp.sympify(expression).doit(integrals=False)
    known = {x: _quadrature(x, digits + GUARD) for x in expression.atoms(sp.Integral)}
    expression = expression.xreplace({x: value for x, value in known.items() if value is not None})
    # more guard digits are of no use: it is divergent integrals that ask for them
    return sp.N(expression, digits, maxn=digits + GUARD)


def _quadrature(integral: sp.Integral, digits: int) -> sp.Expr | None:
    """A definite integral of one variable as a number; None for what SymPy must look at itself.

    SymPy evaluates an integrand term by term with bounds of errors, many times slower. Here three
    times the digits make up for what cancels near the ends.
    """
    limits: Any = integral.limits
    if integral.free_symbols or len(limits) > 1 or integral.function.has(sp.Integral):
        return None
    variable, low, high = limits[0]
    function = sp.lambdify(variable, integral.function, "mpmath")
    ends = sp.lambdify((), [low, high], "mpmath")

    def precisely(x: Any) -> Any:
        with mpmath.workdps(3 * digits):
            return function(x)

    with mpmath.workdps(digits):
        try:
            value, error = mpmath.quad(precisely, ends(), error=True)
        except (ArithmeticError, ValueError, TypeError, NameError):
            return None
        if (
            not isinstance(value, mpmath.mpf)
            or not mpmath.isfinite(value)
            or error > mpmath.mpf(10) ** (GUARD - digits) * abs(value)
        ):
            return None
    return sp.Float(value, digits)


def generic_point(*expressions: sp.Basic) -> dict[Any, Any]:
    """Unremarkable values above 1 for all free symbols, integers for integer symbols."""
    symbols = sorted(set().union(*(e.free_symbols for e in expressions)), key=str)
    return {
        s: sp.Integer(i + 3) if s.is_integer else sp.Float(100 + 37 * i, 20) / 71
        for i, s in enumerate(symbols)
    }


def concrete(expression: Any) -> Any:
    """The expression with unremarkable functions in the place of those that it leaves open."""
    for k, name in enumerate(sorted({f.func.__name__ for f in expression.atoms(AppliedUndef)})):
        expression = expression.replace(
            lambda f, name=name: isinstance(f, AppliedUndef) and f.func.__name__ == name,
            lambda f, k=k: sp.sqrt(k + 2 + sp.Add(*((j + 2) * x for j, x in enumerate(f.args)))),
        )
    return expression


def differ(left: Any, right: Any, tolerance: Any = 1e-9) -> bool:
    """True if two expressions have different values at a generic point; False if undecided."""
    # limits are taken before any symbol becomes a rounded number
    left, right = (concrete(_without_limits(sp.sympify(side))) for side in (left, right))
    point = generic_point(left, right)
    try:
        a, b = (_rough(side.subs(point)) for side in (left, right))
    except (TypeError, ValueError, ArithmeticError, NotImplementedError):
        return False
    if a.is_infinite or b.is_infinite:
        return a != b
    if not (a.is_finite and b.is_finite):
        return False
    return bool(abs(a - b) > tolerance * (1 + abs(a) + abs(b)))


@lru_cache(maxsize=4096)
def _without_limits(expression: sp.Expr) -> sp.Expr:
    return expression.doit(integrals=False) if expression.has(sp.Limit) else expression


def _read(expression: Any, values: Mapping[sp.Symbol, Any]) -> Any:
    return sp.sympify(expression).subs(dict(values))


@lru_cache(maxsize=4096)
def _rough(expression: sp.Expr) -> sp.Expr:
    return number(expression, 15)


def _symbolic(claim: Any) -> bool:
    if claim in (sp.true, sp.false):
        return claim == sp.true
    left, right = claim.args
    if differ(left, right, 1e-6):
        return False
    return _vanishes((left - right).doit())


def _vanishes(expression: sp.Expr) -> bool:
    powers = sp.powsimp(sp.together(sp.powsimp(sp.expand_power_base(expression))))
    # general simplification is slow on sums of symbolic powers and so comes last
    return powers == 0 or sp.simplify(powers) == 0


def _exact(claim: Claim, values: Mapping[sp.Symbol, Any]) -> bool:
    left, right = (_read(side, values).doit() for side in claim.args)
    return left.is_Rational and right.is_Rational and bool(claim.func(left, right))


def _numeric(claim: Claim, values: Mapping[sp.Symbol, Any]) -> bool:
    left, right = (number(_read(side, values)) for side in claim.args)
    if not (left.is_Float or left.is_Rational) or not (right.is_Float or right.is_Rational):
        return False
    return bool(abs(left - right) <= AGREE * (abs(left) + abs(right)))
