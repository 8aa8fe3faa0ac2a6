"""A trained network: its norms are those of its gradients, its report says them, bad input a word.

The networks are linear, f = W x, so that gradients are rows of W.
"""

import json
from importlib import resources

import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest
from PIL import Image
from safetensors.flax import save_file

from sim import pretrained
from sim.pretrained import experiment, growth, picture, report
from sim.pretrained.__main__ import main
from sim.pretrained.configuration import MOST
from sim.sampling import inputs

CLASSES = 3


def linear(shape):
    """Every pixel's weight is the mean of those of the smallest image: W at side s has s² of it."""
    side, _, channels = shape

    def init(key):
        return {"w": jax.random.normal(key, (CLASSES, channels)), "b": jnp.zeros(CLASSES)}

    def apply(weights, x):
        return weights["w"] @ x.mean(axis=(0, 1)) * side + weights["b"]

    return init, apply


W = np.array([[1.0, -2.0, 0.5], [0.5, 1.0, 1.0], [-1.0, 0.25, 2.0]])
B = np.array([0.5, 0.0, -0.5])
NAME = "test_pretrained:linear"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "linear.safetensors"
    save_file({"w": jnp.asarray(W, jnp.float32), "b": jnp.asarray(B, jnp.float32)}, path)
    return str(path)


@pytest.fixture(scope="module")
def samples(weights):
    config = pretrained.Config(model=NAME, weights=weights, sizes=(8, 4), count=6, networks=3)
    return pretrained.run(config)


def test_norms_are_those_of_the_gradients(samples):
    for side in (4, 8):
        xs = inputs.images("photo", np.arange(6), side, 3).mean(axis=(1, 2)).astype(float)
        logits = side * xs @ W.T + B
        for i, f in enumerate(logits):
            y = int(np.argmax(f))
            shares = np.exp(f - f.max()) / np.exp(f - f.max()).sum()
            others = np.where(np.arange(CLASSES) == y, 0, shares) / (1 - shares[y])
            of_loss = shares - np.eye(CLASSES)[y]
            vectors = {"logit": W[y], "margin": W[y] - others @ W, "loss": of_loss @ W}
            at = samples.sel(size=side).isel(image=i)
            assert int(at["label"]) == y
            assert float(at["residual"]) == pytest.approx(1 - shares[y], rel=1e-4)
            for quantity, v in vectors.items():
                # every one of side² pixels has 1/side² of W, times the side
                for q in ("1", "2", "inf"):
                    order = np.inf if q == "inf" else int(q)
                    expected = np.linalg.norm(np.repeat(v, side**2) / side, order)
                    found = float(at["norm"].sel(quantity=quantity, q=q))
                    assert found == pytest.approx(expected, rel=2e-3), (quantity, q)
            wrong = (W[y] - shares @ W) * side  # a twin that counts the class itself among others
            margin = float(at["norm"].sel(quantity="margin", q="1"))
            assert abs(np.abs(wrong).sum() / margin - 1) > 2e-3


def test_a_linear_network_has_the_laws_exponent(samples):
    """‖∂f_y‖₁ of side² pixels with weights W/side is side ‖W_y‖₁, where the class is the same."""
    same = samples["label"].sel(size=4) == samples["label"].sel(size=8)
    found = growth.growths(samples.isel(image=np.flatnonzero(same)))
    slopes = {(x.quantity, x.q): x.trained.value for x in found}
    assert slopes["logit", "1"] == pytest.approx(0.5, abs=1e-5)
    assert slopes["logit", "2"] == pytest.approx(0, abs=1e-5)
    assert slopes["logit", "inf"] == pytest.approx(-0.5, abs=1e-5)


def test_networks_at_initialization_see_the_same_images(samples):
    """Three of them, with other weights each, by the same functions."""
    initial = samples["initial"].sel(quantity="logit", q="1", size=8).values
    assert initial.shape == (3, 6)
    assert len(np.unique(initial.mean(axis=1))) == 3


def test_the_report_says_what_was_measured(samples):
    found = report.printout(samples)
    assert "grows with exponent of d" in found.answer and "times as large" in found.answer
    exponents, by_side = found.tables
    assert [row[0] for row in exponents.rows][:2] == ["‖∂f_y‖₁", "‖∂f_y‖₂"]
    assert [row[0] for row in by_side.rows] == ["4", "8"]
    text = resources.files("sim.pretrained").joinpath("report.schema.json").read_text()
    result = json.loads(report.to_json(samples))
    jsonschema.validate(result, json.loads(text), jsonschema.Draft202012Validator)
    assert len(result["growth"]) == 9 and len(result["points"]) == 18


def test_one_side_has_no_exponent(samples):
    found = report.printout(samples.isel(size=[1]))
    assert "exponent" not in found.answer and len(found.tables) == 1
    assert growth.growths(samples.isel(size=[1])) == []


def test_the_picture(samples, tmp_path):
    picture.write(samples, str(tmp_path / "one.png"))
    assert (tmp_path / "one.png").stat().st_size > 10_000


def test_ones_own_pictures(weights, tmp_path, capsys):
    """The middle square of each, in the order of the names; a file that is none is one sentence."""
    draw = np.random.default_rng(0)
    for i, size in enumerate(((10, 6), (6, 10), (8, 8))):
        pixels = draw.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        if i == 0:
            first = pixels[2:8].astype(np.float32)
    config = pretrained.Config(model=NAME, weights=weights, images=str(tmp_path), count=3)
    found = experiment.images(config, 6)
    np.testing.assert_array_equal(found[0], inputs.prepared(first, 6))
    assert found.shape == (3, 6, 6, 3)
    np.testing.assert_allclose((found**2).mean(axis=(1, 2, 3)), 1, rtol=1e-5)
    (tmp_path / "0.png").write_text("no picture")
    given = ["--model", NAME, "--weights", weights, "--images", str(tmp_path), "--sizes", "4"]
    for more, words in (
        (["--count", "3"], "cannot read the picture"),
        (["--count", "4"], "has 3 pictures (.png, .jpg, .jpeg), fewer than --count 4"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*given, *more])
        assert stop.value.code == 2
        assert words in capsys.readouterr().err


def test_the_command(weights, tmp_path, capsys):
    status = main(
        ["--model", NAME, "--weights", weights, "--sizes", "4", "--count", "2", "--networks", "2",
         "--json", str(tmp_path / "one.json")]
    )  # fmt: skip
    assert status == 0
    assert capsys.readouterr().out.startswith(f"{NAME} with linear.safetensors, 2 images:")
    assert json.loads((tmp_path / "one.json").read_text())["config"]["model"] == NAME


@pytest.mark.parametrize("name", MOST)
def test_there_are_so_many_different_images(name):
    most = MOST[name]
    found = inputs.images(name, np.arange(most + 1), 8, 1).reshape(most + 1, -1)
    np.testing.assert_array_equal(found[most], found[0])
    assert len(np.unique(found, axis=0)) == most


def one_logit(shape):
    return lambda key: {"w": jnp.ones(1)}, lambda weights, x: weights["w"] * x.sum()


def test_one_logit_is_refused(weights):
    config = pretrained.Config(model="test_pretrained:one_logit", weights=weights, sizes=(4,))
    with pytest.raises(ValueError, match="one logit has no margin"):
        pretrained.run(config)
