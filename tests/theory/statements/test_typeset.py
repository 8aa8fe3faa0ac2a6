"""Derivations as LaTeX: every sign has its place, and the document compiles."""

import shutil
import subprocess

import pytest
import sympy as sp

from theory.__main__ import main
from theory.statements import STATEMENTS, render, typeset

ENGINES = {"pdflatex": ("-interaction=nonstopmode", "-halt-on-error"), "tectonic": ()}


@pytest.fixture
def compiled(tmp_path):
    """A function that compiles a document and says whether that went well."""
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        pytest.skip("neither pdflatex nor tectonic is installed")

    def run(text):
        (tmp_path / "document.tex").write_text(text, encoding="utf-8")
        command = [engine, *ENGINES[engine], "document.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        return done.returncode == 0 and (tmp_path / "document.pdf").exists()

    return run


def test_the_document_of_all_statements_compiles(compiled, capsys):
    assert main(["--latex"]) == 0
    assert compiled(capsys.readouterr().out)


def test_a_document_with_a_bare_index_does_not_compile(compiled):
    """The twin: words as people read them in a terminal."""
    text = typeset.document([STATEMENTS["boundary-distance"]])
    assert not compiled(text.replace(r"\end{document}", "f_k is no LaTeX\n\\end{document}"))


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_sign_is_known_and_every_symbol_is_named_before_the_steps(name):
    statement = STATEMENTS[name]
    text = typeset.latex(statement)
    start = text.index("\n1. ")
    named = text[text.index(r"\emph{Symbols}") : start]
    for step in statement.steps:
        for symbol in step.claim.free_symbols:
            assert sp.latex(symbol) in named
    assert sum(map(len, render.symbols(statement).values())) == len(
        set().union(*(step.claim.free_symbols for step in statement.steps))
    )


def test_words_become_mathematics():
    assert typeset.words("d^(1/q)") == r"d\ensuremath{^{1/q}}"
    assert typeset.words("f_label") == r"f\ensuremath{_{\mathrm{label}}}"
    assert typeset.words("`fan_in`") == r"\texttt{fan\_in}"
    assert typeset.words("ε 5 %") == r"\ensuremath{\varepsilon } 5 \%"
    with pytest.raises(ValueError, match="no sign for '☃'"):
        typeset.words("☃")
