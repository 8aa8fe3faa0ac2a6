"""Flags in groups: every flag once, in the group of the class that has it first."""

import re
from dataclasses import fields

import pytest

from sim.audit.configuration import Config as Audit
from sim.running import command_line, groups
from sim.scaling.configuration import Config as Scaling
from sim.vulnerability.configuration import Config as Vulnerability


@pytest.mark.parametrize("kind", [Scaling, Audit, Vulnerability])
def test_help_shows_every_flag_once(kind, capsys):
    with pytest.raises(SystemExit):
        command_line.parse((kind,), "python -m sim.x", "", ["--help"])
    shown = re.findall(r"^[│ ] --([a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    names = [one.name.replace("_", "-") for one in fields(kind)]
    assert sorted(shown) == sorted(names)


def test_flags_of_all_groups_come_together():
    (found,) = command_line.parse(
        (Scaling,), "python -m sim.x", "", ["--arch", "mlp", "--seeds", "3", "--norms", "1", "4"]
    )
    assert found == Scaling(arch="mlp", seeds=3, norms=("1", "4"))
    assert type(found) is Scaling


def test_what_belongs_to_another_group_is_left_at_its_default():
    parts = groups.parts(Scaling)
    assert list(parts) == ["network", "sampling", "experiment"]
    twin = [kind(arch="mlp", seeds=3) for kind in parts.values()]
    assert groups.joined(Scaling, twin) == Scaling(arch="mlp", seeds=3)
    twin[0] = parts["network"](seeds=3)  # arch belongs to the network, and only there
    assert groups.joined(Scaling, twin) == Scaling(seeds=3)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--seeds 3.5", "--seeds takes an integer, not '3.5'."),
        ("--until x", "--until takes a number, not 'x'."),
        ("--until it's", '--until takes a number, not "it\'s".'),
        ("--widths 8 x", "--widths takes a list of integers, not ['8', 'x']."),
        ("--quantity foo", "invalid choice 'foo' for argument '--quantity'."),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_sentence(flags, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.parse((Scaling,), "python -m sim.x", "", flags.split())
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert said.startswith(f"python -m sim.x: {sentence}")
