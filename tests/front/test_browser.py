"""The site in a real browser: formulas are drawn, and nothing is cut off on a narrow screen."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no browser here")

PAGES = ("index", "statements/theorem-5", "architectures", "notebooks/1_law", "commands")
WIDTHS = (390, 1280)
WITH_FORMULAS = ("statements/theorem-5", "notebooks/1_law")

PROBE = """<script>addEventListener("load", () => document.fonts.ready.then(() => {
  const box = element => element.getBoundingClientRect();
  const scrolls = element => element !== document.body
    && (["auto", "scroll"].includes(getComputedStyle(element).overflowX)
      || scrolls(element.parentElement));
  const maths = [...document.querySelectorAll(".md-content math")];
  const fractions = [...document.querySelectorAll(".md-content mfrac")];
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - innerWidth,
    maths: maths.length,
    empty: maths.filter(math => box(math).width < 3 || box(math).height < 3).length,
    fractions: fractions.length,
    flat: fractions.filter(f => box(f.children[0]).top >= box(f.children[1]).top).length,
    font: document.fonts.check("16px Formulas"),
    cut: [...document.querySelectorAll(".md-content table, .md-content pre, .md-content math")]
      .filter(wide => box(wide).right > innerWidth + 1 && !scrolls(wide)).length,
  }), "*");
}));</script>"""
FRAME = """<iframe width="{width}" height="900" src="{source}"></iframe><script>
addEventListener("message", message => document.documentElement.dataset.probe = message.data);
</script>"""
"""A window of any width: that of the browser has 500 pixels at least."""


def measured(site, page, width, tmp_path, change=lambda text: text):
    """What a browser of this width makes of a page of the site."""
    source = site / f"{page}.html"
    probe = source.with_suffix(".probe.html")
    text = change(source.read_text(encoding="utf-8")).replace("</body>", f"{PROBE}</body>")
    probe.write_text(text, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width, source=probe.as_uri()), encoding="utf-8")
    try:
        done = subprocess.run(
            [
                BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
                f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000",
                "--virtual-time-budget=20000", frame.as_uri(),
            ],
            capture_output=True, text=True, check=True, timeout=300,
        )  # fmt: skip
    finally:
        probe.unlink()
    (found,) = re.findall(r'data-probe="([^"]*)"', done.stdout)
    return json.loads(unescape(found))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole(site, page, width, tmp_path):
    found = measured(site, page, width, tmp_path)
    assert found["width"] == width
    assert found["overflow"] <= 0 and found["cut"] == 0
    assert found["empty"] == 0 and found["flat"] == 0
    if page in WITH_FORMULAS:
        assert found["maths"] > 10 and found["fractions"] > 0 and found["font"]


def test_formulas_that_are_not_drawn_are_noticed(site, tmp_path):
    def as_text(text):
        return re.sub(r"<(/?)m(ath|frac)\b", r"<\1x-\2", text)

    assert measured(site, "statements/theorem-5", 1280, tmp_path, as_text)["maths"] == 0


def test_what_is_cut_off_is_noticed(site, tmp_path):
    def widened(text):
        return text.replace("<h1", '<pre style="width: 900px"></pre><h1', 1)

    found = measured(site, "statements/theorem-5", 390, tmp_path, widened)
    assert found["cut"] == 1
