"""A derivation as plain text and as Markdown; as LaTeX: `theory.statements.typeset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sympy as sp

if TYPE_CHECKING:
    from theory.statements.derivation import Statement


def text(statement: Statement) -> str:
    """The derivation for a terminal, in Unicode."""
    lines = [f"{statement.name}: {statement.title}", statement.source, ""]
    lines += [f"{label}: {words}" for label, words in terms(statement)]
    lines += [f"Symbols: {_named(statement, sp.pretty)}", ""]
    for i, step in enumerate(statement.steps, start=1):
        formula = sp.pretty(step.claim, use_unicode=True, wrap_line=False)
        lines += [f"{i}. {step.reason} [{step.kind}]", ""]
        lines += [*(f"     {line}" for line in formula.splitlines()), ""]
    return "\n".join(lines).rstrip()


def markdown(statement: Statement) -> str:
    """The derivation as Markdown with mathematics between dollar signs."""
    lines = [f"### {statement.title}", "", f"`{statement.name}`, {statement.source}", ""]
    lines += [f"- **{label}**: {words}" for label, words in terms(statement)]
    lines += [f"- **Symbols**: {_named(statement, lambda symbol: f'${sp.latex(symbol)}$')}", ""]
    lines += ["The steps, and how each is checked:", ""]  # or else they go on with the list above
    for i, step in enumerate(statement.steps, start=1):
        lines += [f"{i}. {step.reason} *({step.kind})*", "", f"    $${sp.latex(step.claim)}$$", ""]
    return "\n".join(lines).rstrip()


def terms(statement: Statement) -> list[tuple[str, str]]:
    """What the statement says of itself, as far as it does."""
    terms = [("Hypotheses", "; ".join(statement.hypotheses)), ("Claim", statement.claim)]
    terms += [("Proof", statement.proof), ("Corrects the paper", statement.corrects)]
    return [(label, words) for label, words in terms if words]


DOMAINS = {
    "positive integers": lambda symbol: symbol.is_integer and symbol.is_positive,
    "positive": lambda symbol: symbol.is_positive,
    "real": lambda symbol: symbol.is_real,
}
"""What SymPy assumes of the symbols, the narrowest first."""


def symbols(statement: Statement) -> dict[str, list[sp.Symbol]]:
    """The free symbols of all claims by their domains, which are named before the steps."""
    free: set[Any] = {symbol for step in statement.steps for symbol in step.claim.free_symbols}
    found: dict[str, list[sp.Symbol]] = {}
    for symbol in sorted(free, key=str):
        domain = next(name for name, holds in DOMAINS.items() if holds(symbol))
        found.setdefault(domain, []).append(symbol)
    return {domain: found[domain] for domain in DOMAINS if domain in found}


def _named(statement: Statement, write: Callable[[sp.Symbol], str]) -> str:
    groups = symbols(statement).items()
    return "; ".join(f"{domain} {', '.join(map(write, names))}" for domain, names in groups)
