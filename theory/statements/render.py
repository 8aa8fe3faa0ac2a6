"""A derivation as plain text, as LaTeX and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

if TYPE_CHECKING:
    from theory.statements.derivation import Statement


def text(statement: Statement) -> str:
    """The derivation for a terminal, in Unicode."""
    lines = [f"{statement.name}: {statement.title}", statement.source, ""]
    lines += [f"{label}: {words}" for label, words in _terms(statement)] + [""]
    for i, step in enumerate(statement.steps, start=1):
        formula = sp.pretty(step.claim, use_unicode=True, wrap_line=False)
        lines += [f"{i}. {step.reason} [{step.kind}]", ""]
        lines += [*(f"     {line}" for line in formula.splitlines()), ""]
    return "\n".join(lines).rstrip()


def latex(statement: Statement) -> str:
    """The derivation as LaTeX, one displayed equation for each step."""
    lines = [rf"\textbf{{{statement.title}}} ({statement.source})", ""]
    for label, words in _terms(statement):
        lines += [rf"\emph{{{label}}}: {words}", ""]
    for i, step in enumerate(statement.steps, start=1):
        lines += [f"{i}. {step.reason} (checked: {step.kind})", rf"\[{sp.latex(step.claim)}\]"]
    return "\n".join(lines)


def markdown(statement: Statement) -> str:
    """The derivation as Markdown with mathematics between dollar signs."""
    lines = [f"### {statement.title}", "", f"`{statement.name}`, {statement.source}", ""]
    lines += [f"- **{label}**: {words}" for label, words in _terms(statement)] + [""]
    for i, step in enumerate(statement.steps, start=1):
        lines += [f"{i}. {step.reason} *({step.kind})*", "", f"   $${sp.latex(step.claim)}$$", ""]
    return "\n".join(lines).rstrip()


def _terms(statement: Statement) -> list[tuple[str, str]]:
    """What the statement says of itself, as far as it does."""
    terms = [("Hypotheses", "; ".join(statement.hypotheses)), ("Claim", statement.claim)]
    terms += [("Proof", statement.proof), ("Corrects the paper", statement.corrects)]
    return [(label, words) for label, words in terms if words]
