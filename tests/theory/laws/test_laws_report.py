"""What `python -m theory.laws` says: an answer first, then a page."""

import re

import pytest

from theory.laws.__main__ import main


def printed(capsys, *args):
    assert main(list(args)) == 0
    return capsys.readouterr().out


def test_all_laws_are_a_page_that_begins_with_its_answer(capsys):
    lines = printed(capsys).splitlines()
    assert lines[0].startswith("E‖∂f_k/∂x‖₁ grows like √d for 12 of 25 networks.")
    assert "gap, gmaxpool" in " ".join(lines[:3])
    assert max(map(len, lines)) <= 100


def test_one_law_is_shown_layer_by_layer(capsys):
    said = printed(capsys, "cnn", "--head", "gap")
    assert said.startswith("cnn, gap: E‖∂f_k/∂x‖₁ does not grow with d, 5.510 for d → ∞")
    assert re.search(r"GlobalAvgPool\(\) +32 +16/s\*\*2", said)
    assert said.count("Πκ") == 1


def test_several_heads_are_shown_in_full_if_it_is_asked_for(capsys):
    assert "Πκ" not in printed(capsys, "resnet")
    assert printed(capsys, "resnet", "--full").count("Πκ") == 4


@pytest.mark.parametrize("words", [["vit"], ["densenet", "--norm", "batch"]])
def test_networks_without_a_law_say_what_predicts_them(words, capsys):
    said = " ".join(printed(capsys, *words).split())
    assert "python -m sim.scaling samples a prediction" in said
