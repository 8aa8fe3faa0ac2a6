"""A configuration that is made in Python is checked as one on the command line is."""

import json
import subprocess
import sys

CASES = [
    ({"widths": 16}, "--widths takes a list of integers, not 16."),
    ({"widths": "8"}, "--widths takes a list of integers, not '8'."),
    ({"widths": [8, 2.5]}, "--widths takes a list of integers, not [8, 2.5]."),
    ({"norms": 2}, "--norms takes a list of names, not 2."),
    ({"norms": [None]}, "--norms takes a list of names, not [None]."),
    ({"quantity": "loss"}, "--quantity takes a list of loss or logit, not 'loss'."),
    ({"quantity": ["x"]}, "--quantity takes a list of loss or logit, not ['x']."),
    ({"seeds": "4"}, "--seeds takes an integer, not '4'."),
    ({"seeds": 2.5}, "--seeds takes an integer, not 2.5."),
    ({"seeds": True}, "--seeds takes an integer, not True."),
    ({"until": "x"}, "--until takes a number, not 'x'."),
    ({"arch": 3}, "--arch takes a name, not 3."),
    ({"input": None}, "--input takes a name, not None."),
    ({"dtype": "half"}, "--dtype takes float32 or float64, not 'half'."),
    ({"integrate_first": 1}, "--integrate-first takes True or False, not 1."),
    ({"widths": [8, 4], "norms": [1, 2.5, "inf"], "until": 1, "sizes": None}, "taken"),
]

SCRIPT = """
import json, sys
from sim.scaling.configuration import Config
for given in json.load(sys.stdin):
    try:
        Config(**given)
        print("taken")
    except ValueError as error:
        print(error)
"""


def test_a_value_of_another_kind_is_one_sentence():
    """In a process of its own: while the tests run, types are checked before."""
    given = json.dumps([case for case, _ in CASES])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=given, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [said for _, said in CASES]
