"""Users' models: what a factory may return, what is refused, and one run from the command line."""

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sim.models import loading
from sim.plan.plan import completed
from sim.scaling.configuration import Config, planned
from sim.scaling.experiment import run
from sim.storage import descriptions
from sim.storage.folder import folder
from sim.storage.merge import merge, read
from sim.storage.refusals import RunError
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

def broken(shape):
    return linear(shape)[0], lambda w, x: jnp.dot(x, w)

def endless(shape):
    init, apply = linear(shape)
    halves = lambda x: jax.lax.while_loop(lambda x: x[0] > 1, lambda x: x / 2, x)
    return init, lambda w, x: halves(apply(w, x))

def undefined(shape):
    return unknown(shape)

def matrix(shape):
    return linear(shape)[0], lambda w, x: x[0] * w[0, 0]

@jax.custom_vjp
def tanh(w, x):
    return jnp.tanh(x.ravel() @ w)

def forward(w, x):
    return tanh(w, x), (w, x)

def backward(saved, g):
    w, x = saved
    return w, (w @ (g * (1 - tanh(w, x) ** 2))).reshape(x.shape)

tanh.defvjp(forward, backward)

def opaque(shape):
    return linear(shape)[0], tanh

def half_opaque(shape):
    def init(key):
        last = linear(shape)[0](key)
        return jax.random.normal(key, (len(last), len(last))) / len(last)**0.5, last
    return init, lambda both, x: tanh(both[1], x.ravel() @ both[0])
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
    assert fit["basis"] == "gradient-independence"
    assert fit["limit"] is None
    assert fit["agrees"]
    # E‖∂f_k‖_1 = √d E|z|
    last = result["points"][-1]
    assert last["predicted"] == pytest.approx((48 * 2 / 3.14159265) ** 0.5, rel=0.01)


def test_weights_that_cannot_be_copied_are_named_and_all_is_measured(tmp_path):
    done = call(tmp_path, "--model", "mine:half_opaque", *QUICK.split())
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (sentence,) = result["rests"]
    assert re.match(r"mine.py:\d+: a backward pass of its own \(jax.custom_vjp\)", sentence)
    (fit,) = result["fits"]
    assert fit["basis"] == "gradient-independence"


def test_what_is_coupled_altogether_is_measured_and_not_predicted(tmp_path):
    """Its prediction would be the measurement, and agree with itself."""
    done = call(tmp_path, "--model", "mine:opaque", *QUICK.split())
    assert done.returncode == 0, done.stderr
    assert "no prediction: no weight can be copied: mine.py:" in done.stderr
    (fit,) = json.loads(done.stdout)["fits"]
    assert (fit["basis"], fit["predicted"], fit["agrees"]) == ("none", None, None)
    assert fit["exponent"] is not None


BAD = {
    "mine": "--model needs package.module:factory",
    "nowhere:linear": "cannot import nowhere: ModuleNotFoundError",
    "mine:nothing": "mine has no nothing",
    "mine:number": "neither a pair (init, apply) nor a module",
    "mine:matrix": "not a vector of logits",
    "mine:broken": "mine:broken fails at the input shape (2, 2, 3): mine.py:18: TypeError: dot_gen",
    "mine:endless": "no input gradient at the input shape (2, 2, 3): ValueError: Reverse-mode",
    "mine:undefined": "fails at the input shape (2, 2, 3): mine.py:26: NameError: name 'unknown'",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_model_is_one_sentence(name, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("mine", None)
    with pytest.raises(ValueError) as caught:
        network = loading.network(name, 3)
        output_shape(network.body, (2, 2, 3))
    assert BAD[name] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_debug_shows_the_traceback_of_an_error_besides_its_sentence(tmp_path):
    flags = ("--model", "mine:broken", *QUICK.split())
    plain, debugged = call(tmp_path, *flags), call(tmp_path, *flags, "--debug")
    assert (plain.returncode, debugged.returncode) == (2, 2)
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in debugged.stderr
    assert 'mine.py", line 18' in debugged.stderr
    assert debugged.stderr.endswith(plain.stderr)


def test_a_model_and_an_architecture_or_its_options_are_refused(tmp_path):
    done = call(tmp_path, "--model", "mine:linear", "--arch", "mlp")
    assert done.returncode == 2
    assert done.stderr == "choose --arch mlp or --model mine:linear, not both.\n"
    with pytest.raises(ValueError, match="--model takes no --init"):
        completed(Config(model="mine:linear", init="lecun"))
    assert completed(Config()).arch == "resnet"


def test_a_factory_may_make_arrays_whenever_it_is_called():
    def factory(shape):
        table = jnp.arange(12.0)
        return lambda key: jax.random.normal(key, (12, 3)), lambda w, x: (x.ravel() * table) @ w

    own = loading.Own("table", factory)
    weights = jnp.ones((12, 3))
    first = jax.jit(lambda x: loading.pair(own, x.shape)[1](weights, x))(jnp.ones((2, 2, 3)))
    again = loading.pair(own, (2, 2, 3))[1](weights, jnp.ones((2, 2, 3)))
    np.testing.assert_array_equal(first, again)


def loaded(folder, monkeypatch, source):
    """The configuration of a small run of the module `mine` as it is now."""
    (folder / "mine.py").write_text(source)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("mine", None)
    importlib.invalidate_caches()
    return Config(
        model="mine:linear", sizes=(2, 4), seeds=4, norms=("1",), input="gaussian",
        quantity=("logit",),
    )  # fmt: skip


def test_a_stored_run_does_not_go_on_with_a_model_that_has_changed(tmp_path, monkeypatch):
    out = str(tmp_path / "run")
    config = loaded(tmp_path, monkeypatch, SOURCE)
    first = run(config, out=out)
    other_words = SOURCE.replace("d =", "d = 0 +").replace("w, x", "weights, x") + "# a comment\n"
    other_words = other_words.replace("x.ravel() @ w", "x.ravel() @ weights")
    config = loaded(tmp_path, monkeypatch, other_words)
    again = run(dataclasses.replace(config, sizes=(2, 4, 6)), out=out)
    np.testing.assert_array_equal(again["norm"].sel(size=[2, 4]), first["norm"])
    stored = descriptions.described(folder(out))["computations"]
    assert list(stored) == ["2", "4", "6"]

    for broken in (SOURCE.replace("@ w", "@ w * 2"), SOURCE.replace("/ d**0.5", "/ d")):
        config = loaded(tmp_path, monkeypatch, broken)
        with pytest.raises(RunError) as refused:
            run(config, out=out)
        assert str(refused.value) == (
            f"{out} holds samples of another mine:linear: what it computes at size 2 has changed "
            "since; choose another --out."
        )
    run(dataclasses.replace(config, sizes=(2, 4, 6)), out=f"{out} of another")
    with pytest.raises(RunError, match="different models of one name, mine:linear"):
        merge([(name, read(name)) for name in (out, f"{out} of another")])


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("nnx_resnet", "equinox_vit")]


@pytest.mark.parametrize("name", ["linen_cnn", "equinox_mlp", *SLOW])
def test_the_whole_command_for_models_of_libraries(name):
    pytest.importorskip("flax" if name in ("linen_cnn", "nnx_resnet") else "equinox")
    options = "--sizes 8 16 --seeds 32 --input gaussian --norms 1 --quantity logit --json -"
    command = [sys.executable, "-m", "sim.scaling", "--model", f"examples.models:{name}"]
    done = subprocess.run([*command, *options.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (fit,) = result["fits"]
    assert fit["basis"] == "gradient-independence"
    assert fit["agrees"]
    assert abs(fit["exponent"] - fit["predicted"]) < 0.1
    last = result["points"][-1]
    assert last["mean"] / last["predicted"] == pytest.approx(1, abs=0.12)  # with room for 32 seeds


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
    (network,) = planned(Config(model=f"examples.models:{name}")).networks.values()
    (own,) = network.body.layers
    shape = (8, 8, 3)
    assert output_shape(network.body, shape) == (10,)
    init, apply = loading.pair(own, shape)

    def logits(key):
        return apply(init(key), jnp.ones(shape))

    one, other = jax.jit(jax.vmap(logits))(jax.random.split(jax.random.key(0)))
    assert not jnp.any(one == other)
