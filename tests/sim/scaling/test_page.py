"""`--html`: one page without a network, whose picture and table are the report's."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from sim.scaling import page
from sim.scaling.configuration import Config, planned
from sim.scaling.dataset import labelled, predictions
from sim.scaling.report import Report, to_json, verdict
from sim.scaling.table import norm_name

PLAN = planned(Config(arch="mlp", widths=(8, 16), sizes=(4, 8, 16), seeds=20, norms=("1", "inf")))
SESSION = {"started": "2020-01-01T00:00:00+00:00", "versions": {"jax": "1.2.3"}, "commit": None}


@pytest.fixture(scope="module")
def result():
    norms = np.random.default_rng(0).uniform(1, 2, (2, 3, 20, 1, 2))
    return Report.of(labelled(PLAN, norms, predictions(PLAN)))


class Parts(HTMLParser):
    """The text of a page, the addresses that it names, and whether its elements are closed."""

    VOID = ("meta", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.texts, self.addresses, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href", "action", "srcset", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1] not in ("script", "style"):
            self.texts.append(data.strip())


def test_nothing_is_fetched_and_no_script_runs(result):
    text = page.page(result, [SESSION])
    parts = Parts(text)
    assert parts.addresses == []
    assert parts.open == []
    names = r'xmlns(:xlink)?="[^"]*"'  # of formats, which nobody fetches
    assert not re.search(r"https?:|url\((?!#)|@import|<script", re.sub(names, "", text))


def test_all_values_of_the_report_are_in_the_page(result):
    text = page.page(result, [SESSION])
    (values,) = re.findall(r"<details>.*?<tbody>\n(.*?)</tbody>", text, re.S)
    rows = [re.findall(r"<td.*?>(.*?)</td>", row) for row in values.splitlines()]
    points = json.loads(to_json(result))["points"]
    assert len(rows) == len(points)
    for row, point in zip(rows, points, strict=True):
        assert row[0] == norm_name(point["quantity"], point["q"])
        assert row[1:4] == [str(point[key]) for key in ("width", "size", "d")]
        found = [float(x) for x in re.findall(r"[\d.]+", row[4])]
        np.testing.assert_allclose(found, [point["mean"], *point["ci"]], atol=5e-4)
        assert float(row[5]) == pytest.approx(point["predicted"], rel=1e-3)
        assert row[6] == str(point["seeds"])


def test_the_picture_is_the_figure_and_always_the_same_text(result):
    (drawn,) = re.findall(r"<svg.*</svg>", page.page(result, [SESSION]), re.S)
    ids = [element.get("id", "") for element in ElementTree.fromstring(drawn).iter()]
    assert sum(name.startswith("axes_") for name in ids) == 2
    assert page.page(result, [SESSION]) == page.page(result, [SESSION])


def test_text_from_outside_is_escaped(result):
    evil = "</script><img src=x onerror=alert(1)>"
    config = result.config | {"arch": evil, "model": evil}
    hurt = replace(result, config=config, points=[replace(p, arch=evil) for p in result.points])
    parts = Parts(page.page(hurt, [SESSION | {"commit": evil}]))
    assert parts.addresses == []
    assert parts.open == []
    assert any(evil in text for text in parts.texts)


def test_verdicts_and_remarks_are_those_of_the_report(result):
    text = page.page(replace(result, rests=["the labels stay coupled."]), [SESSION])
    words = [verdict(fit) for fit in result.fits]
    assert any("; norm " in said for said in words)
    for said in set(words):
        assert text.count(f">{said}</td>") == words.count(said)
    assert '<p class="remark">the labels stay coupled.</p>' in text
    assert "says which layers.</p>" in text


def test_a_model_has_no_width(result):
    fits, points = (
        [replace(x, width=None) for x in rows if x.width == 8]
        for rows in (result.fits, result.points)
    )
    config = result.config | {"model": "mine:model", "widths": None}
    text = page.page(replace(result, config=config, fits=fits, points=points), [SESSION])
    words = " ".join(Parts(text).texts)
    assert "width" not in words.replace("widths –", "")
    assert "None" not in words


def test_values_that_cannot_be_drawn_leave_a_page(result):
    for mean, interval in ((np.nan, (np.nan, np.nan)), (1.0, (-1.0, 2.0))):
        points = [replace(p, mean=mean, interval=interval, predicted=None) for p in result.points]
        text = page.page(replace(result, points=points), [SESSION])
        assert ("no values to draw" in text) is bool(np.isnan(mean))
        assert "NaN" not in text


def test_the_page_of_a_command(tmp_path):
    run, first, again = tmp_path / "run", tmp_path / "first.html", tmp_path / "again.html"
    quick = "--arch mlp --widths 8 --sizes 8 4 --seeds 20 --input gaussian --norms 1"
    done = call("sim.scaling", *quick.split(), "--out", run, "--html", first)
    assert done.returncode == 0, done.stderr
    assert call("sim.report", run, "--html", again).returncode == 0
    assert again.read_text() == first.read_text()
    texts = Parts(first.read_text()).texts
    assert "jaxlib" in " ".join(texts)
    refused = call("sim.scaling", *quick.split(), "--html", "-")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


def call(module, *arguments):
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
