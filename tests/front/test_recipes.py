"""The first recipes of CONTRIBUTING.md, followed literally in a copy of the project."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Z_BOUND = 4


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy with a layer, an architecture, an initialization, an experiment and a figure more."""
    here = tmp_path_factory.mktemp("copy")
    for folder in ("theory", "sim", "figures"):
        shutil.copytree(ROOT / folder, here / folder)
    append(here / "theory/network.py", LAYER)
    append(here / "theory/laws/energy.py", ENERGY)
    append(here / "sim/networks/layers.py", APPLY)
    append(here / "theory/architectures.py", ARCHITECTURE)
    schemes = here / "theory/initializers.py"
    replace(
        schemes, "SCHEMES: ", "SCHEMES: ", '"he-fan-out":', '"twice": _twice,\n    "he-fan-out":'
    )
    replace(schemes, "def _constant(", f"{SCHEME}\n\ndef _constant(")
    (here / "sim/zeros").mkdir()
    for name, text in EXPERIMENT.items():
        (here / "sim/zeros" / name).write_text(text, encoding="utf-8")
    (here / "figures/zeros.py").write_text(FIGURE, encoding="utf-8")
    replace(here / "figures/__main__.py", "FIGURES = (\n", 'FIGURES = (\n    "zeros",\n')
    return here


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def replace(path, *pairs):
    text = path.read_text(encoding="utf-8")
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert text.count(old) >= 1, (path, old)
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def call(copy, command):
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


LAYER = '''

@dataclass(frozen=True, repr=False)
class Scale(Layer):
    """Multiplies by a number."""

    factor: int = 1
'''
ENERGY = """

from theory.network import Scale


@connection.register
def _(layer: Scale, shape: Shape) -> Connection:
    return Connection(sp.Integer(layer.factor) ** 2)
"""
APPLY = """

from theory.network import Scale


@apply.register
def _(layer: Scale, weights: Weights, x: Array) -> Array:
    return layer.factor * x
"""
ARCHITECTURE = '''

from theory.network import Flatten, ReLU, Scale


@architecture(widths=(8,), sizes=(4, 8))
def scaled_mlp(width: int = 8, classes: int = 10, channels: int = 3, init: str | Scheme = "he"):
    """A dense network that reads its image three times as large."""
    scheme = scheme_of(init)
    hidden = Dense(width, scheme.hidden(sp.Rational(1, 2)))
    body = serial(Scale(3), Flatten(), hidden, ReLU(), Dense(classes, scheme.last()))
    return Network("scaled-mlp", body, channels)


import sympy as sp
'''
SCHEME = """def _twice(scheme: Scheme, scale: Any) -> Initializer:
    distribution: Any = scheme.distribution or "normal"
    return VarianceScaling(2 * scale, "fan_in", distribution)

"""
EXPERIMENT = {
    "__init__.py": '"""Pixels without gradient."""\n',
    "configuration.py": '''"""The configuration."""

from dataclasses import dataclass

from sim.plan.configuration import Experiment


@dataclass(frozen=True)
class Config(Experiment):
    """What to sample."""
''',
    "experiment.py": '''"""The share of pixels that a logit does not depend on."""

import jax
import numpy as np
import xarray as xr

from sim.networks import layers
from sim.plan.plan import planned
from sim.sampling import engine
from sim.sampling.draws import Draws


def run(config, advance=lambda done: None):
    plan = planned(config)
    draws, found = Draws(("logit",), (), config.input, seed=config.seed, lazy=False), []
    for network in plan.networks.values():

        def measure(weights, xs, labels, key, body=network.body):
            return (jax.grad(lambda x: layers.apply(body, weights, x)[0])(xs[0]) == 0).mean()

        draw = engine.sampler(network, plan.sizes, draws, lambda side: measure, config.seeds)
        found.append(draw(range(config.seeds), advance))
    return xr.Dataset({"zeros": (("width", "size", "seed"), np.array(found))})
''',
    "__main__.py": '''"""The command line."""

import sys

from sim.running import command_line
from sim.zeros.configuration import Config


def main() -> int:
    (config,) = command_line.parse((Config,), "python -m sim.zeros", "Pixels without gradient.")
    from sim.zeros.experiment import run

    print(float(run(config)["zeros"].mean()))
    return 0


sys.exit(main())
''',
}
FIGURE = '''"""Pixels without gradient."""

from sim.drawing import style


def draw(runs):
    figure, ((panel,),) = style.panels(1, 1, 3, 2)
    panel.plot([1, 2], [1, 2])
    return figure
'''


def test_a_layer_and_an_architecture_have_a_law(copy):
    """A factor 3 in front of a dense network is nine times the energy."""
    assert "9" in call(copy, "theory.laws scaled-mlp").split("Πκ")[-1].split("\n")[0]


def test_an_architecture_and_an_initialization_are_measured(copy):
    """Two layers of twice He's variance: norms are twice and, in front of them, thrice as large."""
    quick = "--widths 8 --sizes 4 8 --seeds 64 --input gaussian --norms 2 --quantity logit --json -"
    points = {}
    for arch, init in (("mlp --depth 1", "he"), ("scaled-mlp", "twice")):
        text = call(copy, f"sim.scaling --arch {arch} --init {init} {quick}")
        points[init] = json.loads(text)["points"]
    for plain, scaled in zip(points["he"], points["twice"], strict=True):
        # a layer in front of the flattening makes the law one of images, which is not exact
        assert scaled["predicted"] == pytest.approx(6 * plain["predicted"], rel=0.01)
        assert abs(scaled["mean"] - scaled["predicted"]) < Z_BOUND * scaled["sem"]


def test_an_experiment_runs(copy):
    options = "--arch cnn --head gmaxpool --widths 4 --sizes 8 16 --seeds 4 --input gaussian"
    assert 0 < float(call(copy, f"sim.zeros {options}")) < 1


def test_a_figure_is_drawn(copy):
    call(copy, "figures zeros --folder .")
    assert (copy / "zeros.svg").exists()
