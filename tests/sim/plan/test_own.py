"""A user's own architecture and initialization, by name, without a change of the package."""

import sys

import pytest
import sympy as sp

from sim.running import command_line
from sim.scaling.configuration import Config, planned
from theory import architectures, predict
from theory.initializers import Constant, Scheme, VarianceScaling
from theory.registry import find

MINE = '''
from theory.initializers import VarianceScaling
from theory.network import Dense, Flatten, Network, ReLU, serial

fixed = VarianceScaling(3, "fan_out", "uniform")
number = 3

def he_uniform(scale):
    return VarianceScaling(scale, "fan_in", "uniform")

def net(width, classes=10):
    """One hidden layer."""
    hidden, last = VarianceScaling(2), VarianceScaling(1)
    return Network("net", serial(Flatten(), Dense(width, hidden), ReLU(), Dense(classes, last)))

def narrow(size): ...
def broken(width): raise KeyError("no such layer")
def nothing(width): return None
def no_scheme(scale): return "he"
'''


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    (tmp_path / "of_mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("of_mine", None)


def test_an_architecture_of_ones_own_has_its_law():
    plan = planned(Config(arch="of_mine:net", widths=(8,), quantity=("logit",)))
    (network,) = plan.networks.values()
    assert plan.config.arch == "of_mine:net"
    assert plan.sizes == (8, 16, 32, 64)
    same = architectures.mlp(width=8, depth=1)
    assert network.body == same.body
    law = predict(network, q=1)
    assert (law.exponent, law.basis) == (sp.Rational(1, 2), "exact")
    assert law(768) == predict(same, q=1)(768)


def test_the_flags_that_it_takes_are_given_to_it():
    (network,) = planned(Config(arch="of_mine:net", widths=(8,), classes=3)).networks.values()
    assert network.body.layers[-1].features == 3
    for flag, value in {"depth": 2, "init": "lecun", "channels": 1, "head": "gap"}.items():
        with pytest.raises(ValueError, match=f"of_mine:net takes no --{flag}."):
            planned(Config(arch="of_mine:net", **{flag: value}))


def test_an_initialization_of_ones_own_is_used_in_every_layer():
    network = architectures.cnn(width=8, init=Scheme("of_mine:fixed"))
    inits = [layer.init for layer in network.body.layers if hasattr(layer, "init")]
    assert set(inits) == {VarianceScaling(3, "fan_out", "uniform")}
    (network,) = planned(
        Config(arch="mlp", widths=(8,), init="of_mine:he_uniform")
    ).networks.values()
    hidden, *_, last = (layer.init for layer in network.body.layers if hasattr(layer, "init"))
    assert (hidden.scale, last.scale, hidden.distribution) == (2, 1, "uniform")
    assert planned(Config(arch="mlp", widths=(8,), init="of_mine:he_uniform")).networks == {
        8: network
    }
    assert (
        predict(network, q=2).second_moment
        == predict(architectures.mlp(width=8), q=2).second_moment
    )


def test_a_function_of_a_notebook_has_a_name_too(monkeypatch):
    import __main__

    def wide(width):
        return architectures.mlp(width=2 * width)

    monkeypatch.setattr(__main__, "wide", wide, raising=False)
    (network,) = planned(Config(arch="__main__:wide", widths=(8,))).networks.values()
    assert network == architectures.mlp(width=16)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--arch of_mine:nett", "of_mine has no nett."),
        ("--arch of_nobody:net", "cannot import of_nobody: ModuleNotFoundError: No module named"),
        ("--arch of_mine:", "--arch needs package.module:name, not of_mine:."),
        ("--arch of_mine:number", "--arch needs a function, and of_mine:number is none."),
        ("--arch of_mine:narrow", "--arch of_mine:narrow must take a width."),
        (
            "--arch of_mine:broken",
            "--arch of_mine:broken fails: of_mine.py:17: KeyError: 'no such layer'.",
        ),
        (
            "--arch of_mine:nothing",
            "--arch of_mine:nothing returns a NoneType, which is no Network.",
        ),
        ("--init of_mine:number", "of_mine:number is a value of int, which is no initializer."),
        (
            "--init of_mine:no_scheme",
            "of_mine:no_scheme is a value of str, which is no initializer.",
        ),
        ("--init of_mine:fixed --distribution normal", "of_mine:fixed has its own distribution."),
    ],
)
def test_what_is_wrong_is_one_sentence(flags, sentence):
    (config,) = command_line.parse((Config,), "", "", flags.split())
    with pytest.raises(ValueError) as wrong:
        planned(config)
    assert sentence in str(wrong.value) and "\n" not in str(wrong.value)


def test_a_description_that_has_changed_has_another_digest(monkeypatch):
    import of_mine  # pyright: ignore[reportMissingImports]

    before = planned(Config(arch="of_mine:net", widths=(8, 16))).descriptions
    assert set(before) == {"width 8", "width 16"}
    assert planned(Config(arch="of_mine:net", widths=(8,))).descriptions.items() <= before.items()
    assert planned(Config(arch="mlp")).descriptions == {}
    monkeypatch.setattr(of_mine, "VarianceScaling", Constant)
    after = planned(Config(arch="of_mine:net", widths=(8,))).descriptions
    assert after["width 8"] != before["width 8"]


def test_a_registered_architecture_keeps_its_sizes():
    assert find("theory.architectures:resnet").sizes == find("resnet").sizes
