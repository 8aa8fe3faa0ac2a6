"""Derivations as LaTeX: a document that pdflatex compiles as it is.

Needs amsmath and amssymb. What people read in a terminal, such as E‖∂f‖_2² or d^(1/q), is typeset
as mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sympy as sp

from theory.statements import render

if TYPE_CHECKING:
    from theory.statements.derivation import Statement

HEAD = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=2.5cm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt plus 2pt}
\allowdisplaybreaks
\begin{document}
"""
FOOT = r"\end{document}"

MATHEMATICS = {
    "‖": r"\|", "−": "-", "∂": r"\partial ", "√": r"\surd ", "→": r"\to ", "Σ": r"\Sigma ",
    "Π": r"\Pi ", "ℓ": r"\ell ", "×": r"\times ", "…": r"\ldots ", "≤": r"\le ", "≥": r"\ge ",
    "∞": r"\infty ", "·": r"\cdot ", "≠": r"\ne ", "∝": r"\propto ", "±": r"\pm ",
    "⋯": r"\cdots ", "≪": r"\ll ", "≫": r"\gg ", "∫": r"\textstyle\int ", "≈": r"\approx ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "½": r"\tfrac12 ", "¼": r"\tfrac14 ", "¾": r"\tfrac34 ",
    "²": "^2", "³": "^3", "⁴": "^4", "ᵀ": r"^{\top}", "₁": "_1", "₂": "_2", "ĥ": r"\hat h ",
    "<": "<", ">": ">", "~": r"\sim ", "|": r"\vert ", "∈": r"\in ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\varepsilon ",
    "η": r"\eta ", "Θ": r"\Theta ",
    "θ": r"\theta ", "κ": r"\kappa ", "λ": r"\lambda ", "ξ": r"\xi ", "π": r"\pi ",
    "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\varphi ", "χ": r"\chi ",
    "ψ": r"\psi ", "Γ": r"\Gamma ", "Φ": r"\Phi ",
}  # fmt: skip
"""What stands for a character of the statements' words in mathematics."""

ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "–": "--"}
"""What stands for a character in text."""

_RAISED = re.compile(
    r"`(?P<code>[^`]*)`"
    r"|(?P<sign>[_^])(?:\{(?P<braces>[^{}]*)\}|\((?P<parens>[^()]*)\)|(?P<word>[A-Za-z]+|\d+|.))"
)


def words(text: str) -> str:
    """A sentence as LaTeX: with indices, powers and signs as mathematics, and code as code.

    Raises ValueError for a character that has no place in `MATHEMATICS` or `ESCAPED`.
    """
    found, last = [], 0
    for match in _RAISED.finditer(text):
        found.append(_plain(text[last : match.start()]))
        last = match.end()
        if match["code"] is not None:
            found.append(rf"\texttt{{{_plain(match['code']).replace('_', chr(92) + '_')}}}")
            continue
        inner = next(x for x in (match["braces"], match["parens"], match["word"]) if x is not None)
        name = inner.isalpha() and inner.isascii() and len(inner) > 1
        raised = rf"\mathrm{{{inner}}}" if name else words(inner)
        found.append(rf"\ensuremath{{{match['sign']}{{{raised}}}}}")
    return "".join((*found, _plain(text[last:])))


def _plain(text: str) -> str:
    found = []
    for character in text:
        if character in MATHEMATICS:
            found.append(rf"\ensuremath{{{MATHEMATICS[character]}}}")
        elif character.isascii() or (character.isalpha() and ord(character) < 256):
            found.append(ESCAPED.get(character, character))
        elif character in ESCAPED:
            found.append(ESCAPED[character])
        else:
            raise ValueError(f"LaTeX has no sign for {character!r} in {text!r} here.")
    return "".join(found)


def latex(statement: Statement) -> str:
    """The derivation as LaTeX, one displayed equation for each step, without a document."""
    lines = [rf"\textbf{{{words(statement.title)}}} ({words(statement.source)})", ""]
    for label, term in render.terms(statement):
        lines += [rf"\emph{{{label}}}: {words(term)}", ""]
    named = "; ".join(
        f"{domain} ${', '.join(map(sp.latex, symbols))}$"
        for domain, symbols in render.symbols(statement).items()
    )
    lines += [rf"\emph{{Symbols}}: {named}", ""]
    for i, step in enumerate(statement.steps, start=1):
        lines += [f"{i}. {words(step.reason)} (checked: {step.kind})"]
        lines += [rf"\[{sp.latex(step.claim)}\]"]
    return "\n".join(lines)


def document(statements: Iterable[Statement]) -> str:
    """A whole document with the derivations, one behind the other."""
    separator = "\n\n\\bigskip\\hrule\\bigskip\n\n"
    return HEAD + separator.join(map(latex, statements)) + "\n" + FOOT
