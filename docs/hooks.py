"""What MkDocs adds to this folder: the README as first page, notebooks, pictures, a page a module
and a page a statement, and pages that are made of the code (`generated.py`).

`mkdocs build --strict` calls these hooks; no copy of anything is kept in the repository. Formulas
become MathML, which browsers show without a script.
"""

import re
import tomllib
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from generated import PACKAGES, commands, contents, json_fields, modules, named
from latex2mathml.converter import convert
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

from theory.statements import STATEMENTS, render

ROOT = Path(__file__).parent.parent
FONT = "fonts/STIXTwoMath-Regular.ttf"
"""Of the package ziamath; `site.css` names it."""
MADE = {"README.md": "index.md", "sim/scaling/report.schema.json": "json.md"}
"""Pages that files of the repository become."""
COPIED = (
    "figures/pictures/*.svg",
    "notebooks/[0-9]_*.ipynb",
    "notebooks/solutions/*.ipynb",
    "CITATION.cff",
    "examples/*.py",
)


def on_config(config: Any) -> Any:
    """The address of the repository, which pyproject.toml has, if there is one."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        config.repo_url = tomllib.load(file)["project"].get("urls", {}).get("Repository")
    return config


@event_priority(100)  # before the plugin that reads notebooks
def on_files(files: Any, config: Any) -> Any:
    """Adds the pages and files that lie elsewhere in the repository."""
    for pattern in COPIED:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    fonts = find_spec("ziamath").submodule_search_locations[0]
    files.append(File(FONT, fonts, config.site_dir, config.use_directory_urls))
    pages = {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8"),
        "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        "commands.md": commands(),
        "json.md": json_fields(),
        "reference.md": contents(),
        **{f"reference/{name}.md": f"::: {name}\n" for name in modules()},
        **{f"statements/{name}.md": _statement(name) for name in STATEMENTS},
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=_linked(text)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links from this folder to the rest of the repository, and to the statements that it names."""
    if page.file.src_uri not in _HERE:
        return markdown
    if page.file.src_uri == "python.md":
        return named(markdown)
    # elsewhere a single word in code type may be something else
    name = r"[\w-]+" if page.file.src_uri == "statements.md" else r"\w+-[\w-]+"
    return _named(_linked(re.sub(r"\]\(\.\./", "](", markdown)), name, "statements/")


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Links from notebooks to the pages of this folder; formulas as MathML."""
    html = re.sub(r'href="((?:\.\./)+)docs/([\w-]+)\.md"', r'href="\1\2.html"', html)
    return _with_formulas(html, dollars=page.file.src_uri.endswith(".ipynb"))


def _with_formulas(text: str, dollars: bool) -> str:
    """Formulas that an extension has marked, and with `dollars` those between dollar signs."""

    def formula(match: re.Match[str]) -> str:
        display, inline = match["display"], match["inline"]
        if display is None and inline is None:
            return match[0]  # code, or a script
        latex = unescape(inline if display is None else display).strip()
        return convert(latex, display="inline" if display is None else "block")

    copied = r"<div[^>]*clipboard-copy-txt.*?</div>"  # code once more, for a button
    left = rf"<(pre|code|script|style)\b.*?</\1>|{copied}"
    display, inline = r"\\\[(?P<display>.*?)\\\]", r"\\\((?P<inline>.*?)\\\)"
    if dollars:
        display, inline = r"\$\$(?P<display>.+?)\$\$", r"\$(?P<inline>[^$]+?)\$"
    return re.sub(f"{left}|{display}|{inline}", formula, text, flags=re.DOTALL)


def _statement(name: str) -> str:
    """The derivation of a statement as a page, with links to the statements that it names."""
    return _named(render.markdown(STATEMENTS[name]).removeprefix("##"), r"[\w-]+", "") + "\n"


def _named(text: str, name: str, folder: str) -> str:
    """The same text where names of statements in code type lead to their pages."""

    def linked(match: re.Match[str]) -> str:
        return f"[{match[0]}]({folder}{match[1]}.md)" if match[1] in STATEMENTS else match[0]

    return re.sub(rf"(?<!\[)`({name})`(?!\])", linked, text)


_HERE = {path.name for path in Path(__file__).parent.glob("*.md")}


def _linked(text: str) -> str:
    """The same text with links to the repository's files pointing to the pages of the site."""

    def target(match: re.Match[str]) -> str:
        link, anchor = match[1], match[2] or ""
        if link.startswith("docs/"):
            return f"]({link.removeprefix('docs/')}{anchor})"
        package = link.split("/")[0]
        if package in PACKAGES and (link.endswith(".py") or "." not in link):
            name = link.removesuffix(".py").strip("/").replace("/", ".")
            return f"](reference/{name}.md)"
        if link in MADE:
            return f"]({MADE[link]}{anchor})"
        return match[0]

    return re.sub(r"\]\(([^)#:]+)(#[^)]*)?\)", target, text)
