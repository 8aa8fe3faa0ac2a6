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


def test_nothing_is_fetched(result):
    text = page.page(result, [SESSION])
    parts = Parts(text)
    assert parts.addresses == []
    assert parts.open == []
    assert not re.search(r"https?:|url\(|@import|fetch\(|import\(", text)


def test_marks_titles_and_data_are_those_of_the_report(result):
    text = page.page(result, [SESSION])
    points = json.loads(to_json(result))["points"]
    (data,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', text)
    read = json.loads(data)["points"]
    for key in ("width", "size", "d", "mean", "ci", "predicted", "seeds"):
        assert [point[key] for point in read] == [point[key] for point in points]
    svgs = [
        ElementTree.fromstring(svg) for svg in re.findall(r"<svg viewBox=\"0.*?</svg>", text, re.S)
    ]
    assert len(svgs) == 2
    marks = [g for svg in svgs for g in svg.iter("g") if g.get("class") == "point"]
    assert sorted(int(g.get("data-point")) for g in marks) == list(range(len(points)))
    for mark in marks:
        point = points[int(mark.get("data-point"))]
        title = mark.findtext("title")
        assert f"{norm_name(point['quantity'], point['q'])}, width {point['width']}" in title
        assert f"{point['mean']:.4g} [{point['ci'][0]:.4g}, {point['ci'][1]:.4g}]" in title


def test_a_mark_lies_where_its_mean_is(result):
    """On a logarithmic axis: equal ratios are equal distances."""
    text = page.page(result, [SESSION])
    places = re.findall(r'data-point="(\d+)" transform="translate\(([\d.]+) ([\d.]+)\)"', text)
    for q in ("1", "inf"):
        own = [
            (result.points[int(i)], float(x), float(y))
            for i, x, y in places
            if result.points[int(i)].q == q
        ]
        for at, logs in (
            (1, [np.log(p.d) for p, *_ in own]),
            (2, [np.log(p.mean) for p, *_ in own]),
        ):
            pixels = [place[at] for place in own]
            line = np.polyfit(logs, pixels, 1)
            np.testing.assert_allclose(np.polyval(line, logs), pixels, atol=0.11)
            assert (line[0] > 0) == (at == 1)


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
    body = text.split("<script")[0]
    words = " ".join([*Parts(text).texts, *re.findall("<title>(.*?)</title>", body)])
    assert "width" not in words.replace("widths –", "")
    assert "None" not in words
    assert 'type="checkbox"' not in body


def test_values_that_cannot_be_drawn_leave_a_page(result):
    nothing = replace(
        result,
        points=[
            replace(p, mean=np.nan, interval=(np.nan,) * 2, predicted=None) for p in result.points
        ],
    )
    assert "no values to draw" in page.page(nothing, [SESSION])
    zero = replace(result, points=[replace(p, interval=(-1.0, 2.0)) for p in result.points])
    assert "NaN" not in page.page(zero, [SESSION])


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
