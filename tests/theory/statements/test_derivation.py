"""What a step accepts: empty cases prove nothing, and a universal step has no named cases."""

import sympy as sp

from theory.statements.derivation import compute, derive, eq, evaluate

x, y = sp.symbols("x y", positive=True)


def passes(step):
    return step.check(step.claim)


def test_empty_cases_prove_nothing():
    assert not passes(derive(eq(x, x + 1), "false", lambda: {}))
    assert not passes(derive(eq(x + 1, 1 + x), "true, but of nothing", lambda: {}))
    assert not passes(derive(eq(x, y), "without a meaning", meaning=lambda: {}))
    assert not passes(compute(eq(x, 1), "nothing computed", lambda: {}))
    assert not passes(evaluate(eq(x, 1), "nothing evaluated", lambda: {}))


def test_a_meaning_keeps_a_step_universal():
    step = derive(eq(x, y**2 + 2 * y + 1), "a square", meaning=lambda: {x: (y + 1) ** 2})
    assert step.universal and passes(step)
    assert not passes(derive(eq(x, y**2), "no square", meaning=lambda: {x: (y + 1) ** 2}))
    on_cases = derive(eq(x, 4), "a case", lambda: {"y = 1": {x: 4}})
    assert not on_cases.universal and passes(on_cases)
    assert not compute(eq(x, 4), "a number", lambda: {"4": {x: 4}}).universal
