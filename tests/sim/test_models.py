"""Users' models: what a factory may return, what is refused, and one run from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from sim import models
from sim.scaling import Config, complete, networks
from theory.network import output_shape

QUICK = "--sizes 2 4 --seeds 32 --input gaussian --norms 1 --json -"

SOURCE = """
import jax, jax.numpy as jnp

def linear(shape):
    d = shape[0] * shape[1] * shape[2]
    def init(key):
        return jax.random.normal(key, (d, 3)) / d**0.5
    return init, lambda w, x: x.ravel() @ w

def sorting(shape):
    init, apply = linear(shape)
    return init, lambda w, x: apply(w, jnp.sort(x, axis=0))

def number(shape):
    return 7

def matrix(shape):
    return linear(shape)[0], lambda w, x: x[0] * w[0, 0]
"""


def call(folder, *arguments):
    (folder / "mine.py").write_text(SOURCE)
    command = [sys.executable, "-m", "sim.scaling", *arguments]
    environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def test_a_model_of_the_current_directory_is_measured_and_predicted(tmp_path):
    done = call(tmp_path, "--model", "mine:linear", *QUICK.split(), "--quantity", "logit")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (fit,) = result["fits"]
    assert fit["arch"] == "mine:linear"
    assert fit["basis"] == "hypothesis-H"
    assert fit["limit"] is None
    assert fit["agrees"]
    # E‖∂f_k‖_1 = √d E|z|
    last = result["points"][-1]
    assert last["predicted"] == pytest.approx((48 * 2 / 3.14159265) ** 0.5, rel=0.01)


def test_what_cannot_be_predicted_is_measured(tmp_path):
    done = call(tmp_path, "--model", "mine:sorting", *QUICK.split())
    assert done.returncode == 0, done.stderr
    assert "no prediction: mine.py:12: there is no rule for the primitive sort." in done.stderr
    (fit,) = json.loads(done.stdout)["fits"]
    assert (fit["predicted"], fit["agrees"], fit["basis"]) == (None, None, "none")


BAD = {
    "mine": "--model needs package.module:factory",
    "nowhere:linear": "cannot import nowhere: ModuleNotFoundError",
    "mine:nothing": "mine has no function nothing",
    "mine:number": "neither a pair (init, apply) nor a module",
    "mine:matrix": "not a vector of logits",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_model_is_one_sentence(name, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("mine", None)
    with pytest.raises(ValueError) as caught:
        network = models.network(name, 3)
        output_shape(network.body, (2, 2, 3))
    assert BAD[name] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_and_an_architecture_or_its_options_are_refused(tmp_path):
    done = call(tmp_path, "--model", "mine:linear", "--arch", "mlp")
    assert done.returncode == 2
    assert done.stderr == "choose --arch mlp or --model mine:linear, not both.\n"
    with pytest.raises(ValueError, match="--model takes no --init"):
        complete(Config(model="mine:linear", init="lecun"))
    assert complete(Config()).arch == "resnet"


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("plain_mlp", "jax"),
        ("linen_cnn", "flax"),
        ("nnx_resnet", "flax"),
        ("equinox_mlp", "equinox"),
        ("equinox_vit", "equinox"),
    ],
)
def test_every_example_draws_weights_and_gives_logits(name, library):
    pytest.importorskip(library)
    (network,) = networks(Config(model=f"examples.models:{name}")).values()
    (own,) = network.body.layers
    shape = (8, 8, 3)
    assert output_shape(network.body, shape) == (10,)
    init, apply = models.pair(own, shape)

    def logits(key):
        return apply(init(key), jnp.ones(shape))

    one, other = jax.jit(jax.vmap(logits))(jax.random.split(jax.random.key(0)))
    assert not jnp.any(one == other)
