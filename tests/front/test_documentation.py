"""The pages: their code runs, their links resolve, and the site builds without a warning."""

import re
import sys
import types
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import theory
from sim.__main__ import COMMANDS
from sim.networks import layers
from theory import architectures, registry
from theory.laws import energy
from theory.statements import STATEMENTS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_how_to_add_a_layer_an_architecture_and_an_experiment(monkeypatch, capsys):
    """All code of docs/extending.md, one block after the other, as a module of its own."""
    page = types.ModuleType("extending")
    monkeypatch.setitem(sys.modules, "extending", page)
    known = dict(architectures.ARCHITECTURES)
    monkeypatch.setattr(registry, "ARCHITECTURES", known)
    found = blocks(ROOT / "docs/extending.md")
    assert len(found) == 5
    for i, code in enumerate(found):
        exec(compile(code, f"docs/extending.md, block {i + 1}", "exec"), vars(page))
    assert "scaled-cnn" in known
    assert page.Scale in energy.connection.registry and page.Scale in layers.apply.registry
    assert "width" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_files_of_the_repository(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not urlsplit(link).scheme and not link.startswith("#"):
            assert (page.parent / urlsplit(link).path).exists(), f"{page.name}: {link}"


class Links(HTMLParser):
    """The addresses and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for key, value in attrs:
            if key in ("id", "name") and value:
                self.anchors.add(value)
            if key in ("href", "src") and value and tag not in ("base",):
                self.links.add(value)


def test_every_link_of_the_site_resolves(site):
    pages = {page: Links(page.read_text(encoding="utf-8")) for page in site.rglob("*.html")}
    assert len(pages) > 60
    broken = []
    for page, found in pages.items():
        if page.name == "404.html":  # its links are absolute
            continue
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                broken.append((page.name, link))
            elif parts.fragment and target in pages:
                anchors = pages[target].anchors
                if unquote(parts.fragment) not in anchors and not parts.fragment.startswith("__"):
                    broken.append((page.name, link))
    assert not broken


def test_formulas_are_shown_without_a_script(site):
    """As MathML: on the page of every statement and in notebooks, and nowhere as TeX."""
    pages = [*site.glob("statements/*.html"), *site.glob("notebooks/*_*.html")]
    assert {page.stem for page in pages} > set(STATEMENTS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert page.stem not in STATEMENTS or "<math" in text, page
        code = r"<(pre|code|script|style|math)\b.*?</\1>|<div[^>]*clipboard-copy-txt.*?</div>"
        words = re.sub(rf"{code}|<[^>]*>", "", text, flags=re.S)
        assert not re.search(r"\$|\\[a-z(\[]", words), page
        assert not re.search(r'(src|href)="https?://[^"]*\.(js|css)"', text), page


@pytest.mark.parametrize("page", ["hypotheses", "limits", "statements"])
def test_statements_that_a_page_names_lead_to_their_pages(site, page):
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    assert 'href="statements/shared-kernels.html"' in text or page == "hypotheses"
    assert 'href="statements/theorem-4.html"' in text or page == "limits"


def test_steps_are_numbered_through(site):
    """A formula between them belongs to its step, and does not begin the list again."""
    text = (site / "statements/theorem-5.html").read_text(encoding="utf-8")
    (steps,) = re.findall(r"<ol>.*?</ol>", text, re.DOTALL)
    assert steps.count("<li>") == len(STATEMENTS["theorem-5"].steps)
    assert steps.count("<li>") == steps.count('display="block"')


def test_pages_that_are_made_of_the_code(site):
    commands = (site / "commands.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in commands for name in COMMANDS)
    assert "--integrate-first" in commands and "Traceback" not in commands
    fields = (site / "json.html").read_text(encoding="utf-8")
    assert "<code>constant_agrees</code>" in fields and "<code>hypothesis-H</code>" in fields
    names = (site / "python.html").read_text(encoding="utf-8")
    assert "theory.predict" in names and 'id="theory.laws.prediction.predict"' in names


def test_the_readme_is_short():
    """Two screens, and eight words that are explained."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    (words,) = re.findall(r"^\| word \| meaning \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.M)
    assert len(words.splitlines()) == 8
    assert f"version = {{{theory.__version__}}}" in text


def test_the_site_shows_what_lies_elsewhere(site):
    assert "√d" in (site / "index.html").read_text(encoding="utf-8")
    law = (site / "reference/theory.laws.law.html").read_text(encoding="utf-8")
    assert "least-squares slope" in law.lower()
    assert "image/png;base64" in (site / "notebooks/1_law.html").read_text(encoding="utf-8")
    assert (site / "figures/pictures/scaling.svg").exists()
