"""Which predictions are laws and which are sampled, and what comes with them."""

import json

import numpy as np
import pytest

from sim import scaling
from sim.independence import sampling
from sim.predictions import prediction
from sim.predictions.prediction import BASIS, Beside
from sim.sampling import norms
from sim.sampling.draws import Draws
from sim.statistics import intervals
from theory import architectures, predict
from theory.architectures import ARCHITECTURES
from theory.laws.energy import logit_energy_map
from theory.laws.positions import coherent_energy_map

SIDES = (4, 8)
ASKED = (SIDES, ("logit", "loss"), ("1", "inf"))
FEW = Beside(seeds=8)

SAMPLED = {
    "vit": {},
    "cnn": {"head": "gap", "norm": "batch"},
    "cnn of maxima": {"head": "gmaxpool"},
    "resnet": {"norm": "layer"},
    "densenet": {"norm": "batch"},
    "convnet-avdim": {"pooling": "max"},
}
LAWS = {
    "mlp": {},
    "cnn": {"head": "avgpool"},
    "resnet": {},
    "resnet-preact": {},
    "convnet-avdim": {},
    "densenet": {},
}
BEHIND_AVERAGES = {
    "cnn": {"head": "gap"},
    "resnet": {"head": "gap"},
    "convnet-avdim": {"pooling": "average"},
}


@pytest.mark.parametrize("name", LAWS)
def test_networks_with_a_law_that_leaves_nothing_out(name):
    network = ARCHITECTURES[name].build(width=4, **LAWS[name])
    assert prediction.left_out(network, "photo") is None
    assert not prediction.is_sampled(network, "photo")


@pytest.mark.parametrize("name", SAMPLED)
def test_networks_without_or_with_less(name):
    network = ARCHITECTURES[name.split()[0]].build(width=4, **SAMPLED[name])
    assert prediction.is_sampled(network, "gaussian")


@pytest.mark.parametrize("name", BEHIND_AVERAGES)
def test_averages_have_a_law_for_white_inputs_alone(name):
    network = ARCHITECTURES[name].build(width=4, **BEHIND_AVERAGES[name])
    assert not prediction.is_sampled(network, "gaussian")
    for input in ("photo", "constant"):
        assert "correlated" in str(prediction.left_out(network, input))


def test_the_law_behind_a_reflecting_average_is_gradient_independence():
    """Within four standard errors and the 2 % of order 1/width; hypothesis H is found out."""
    options = {"width": 64, "depth": 3, "channels": 8, "head": "gap"}
    network = ARCHITECTURES["convnet-avdim"].build(**options)
    draws = Draws(("logit",), (1.0,))
    sampled = sampling.sample(network, (16,), draws, 96).norms[:, 0, 0, 0]
    error = sampled.std(ddof=1) / len(sampled) ** 0.5
    law = predict(network, 1, "logit")(8 * 16**2)
    assert abs(sampled.mean() / law - 1) < 0.02 + 4 * error / law
    shape = network.input_shape(16)
    plain, meeting = logit_energy_map(network.body, shape), coherent_energy_map(network.body, shape)
    twin = law * np.sqrt(plain).sum() / np.sqrt(meeting[0]).sum()
    assert abs(sampled.mean() / twin - 1) > 0.02 + 4 * error / twin


def test_a_mixer_s_law_leaves_out_its_shared_weights():
    for head in ("gap", "dense"):
        network = ARCHITECTURES["mlp-mixer"].build(width=4, head=head)
        assert "mix positions" in str(prediction.left_out(network, "gaussian"))


def test_photographs_are_uneven():
    for options in ({"activation": "tanh"}, {"norm": "batch"}):
        network = ARCHITECTURES["cnn"].build(width=4, **options)
        assert not prediction.is_sampled(network, "gaussian")
        assert prediction.is_sampled(network, "photo")
    assert not prediction.is_sampled(ARCHITECTURES["mlp"].build(activation="tanh"), "photo")


def test_a_law_has_no_error():
    found = prediction.table({8: ARCHITECTURES["mlp"].build(width=8)}, *ASKED)
    assert np.all(found["predicted_error"] == 0) and np.all(found["predicted_slope_error"] == 0)
    assert "independent" not in found and "law" not in found


def test_a_law_says_where_its_energies_are_exact():
    """A convolution with a dense head; not where all is exact, nor behind a residual addition."""
    for name, is_said in (("cnn", True), ("mlp", False), ("resnet", False)):
        found = prediction.table(
            {4: ARCHITECTURES[name].build(width=4)}, (4, 8), ("logit",), ("1",)
        )
        assert (prediction.EXACT_ENERGY in json.loads(found.attrs.get("rests", "[]"))) == is_said


def test_a_sampled_prediction_is_a_mean_with_its_error_beside_the_law():
    network = ARCHITECTURES["cnn"].build(width=4, depth=2, head="gap", norm="layer")
    found = prediction.table({4: network}, *ASKED, beside=FEW).isel(width=0)
    assert set(found["basis"].values.ravel()) == {BASIS}
    samples = found["independent"].transpose("quantity", "q", "network", "size").values
    np.testing.assert_allclose(found["predicted"], samples.mean(axis=2))
    pairs = (samples[:, :, ::2] + samples[:, :, 1::2]) / 2  # each has the other's copies
    error = pairs.std(axis=2, ddof=1) / pairs.shape[2] ** 0.5
    np.testing.assert_allclose(found["predicted_error"], error)
    slope, slope_error = intervals.exponent(pairs, 3 * np.array(SIDES, float) ** 2)
    np.testing.assert_allclose(found["predicted_slope"], slope)
    np.testing.assert_allclose(found["predicted_slope_error"], slope_error)
    assert np.all(found["limit"].sel(q="1") == 0)
    law = [predict(network, 1, "logit")(3 * side**2) for side in SIDES]
    np.testing.assert_allclose(found["law"].sel(quantity="logit", q="1"), law)
    (note,) = json.loads(found.attrs["rests"])
    assert "few channels" in note


def test_laws_and_samples_stand_side_by_side():
    """A table whose networks differ in what they have: NaN where a network has none."""
    nets = {
        4: ARCHITECTURES["mlp"].build(width=4),
        8: ARCHITECTURES["cnn"].build(width=4, depth=1, head="gap", norm="layer"),
    }
    found = prediction.table(nets, *ASKED, beside=FEW)
    assert np.isnan(found["independent"].sel(width=4)).all()
    assert np.isfinite(found["independent"].sel(width=8)).all()
    assert np.isfinite(found["predicted"]).all()


def test_a_prediction_that_fails_loses_no_measurement(monkeypatch):
    def fails(*_):
        raise RuntimeError("no such thing\nmore lines")

    monkeypatch.setattr(sampling, "sample", fails)
    options = {"sizes": SIDES, "seeds": 4, "widths": (16,), "norms": ("1",), "input": "gaussian"}
    found = scaling.run(scaling.Config(arch="vit", **options))
    assert np.isfinite(found["norm"]).all()
    assert np.isnan(found["predicted"]).all()
    assert found.attrs["unpredicted"].endswith("RuntimeError: no such thing")
    found = scaling.run(scaling.Config(arch="cnn", head="gap", norm="layer", **options))
    assert found["basis"].values.item() == "wide"
    assert "could not be sampled: " in found.attrs["rests"]


def test_a_stored_run_has_the_same_prediction_and_keeps_it(tmp_path, monkeypatch):
    options = {"sizes": SIDES, "seeds": 4, "widths": (4,), "norms": ("1",), "input": "gaussian"}
    config = scaling.Config(arch="cnn", head="gap", norm="layer", depth=1, **options)
    kept = scaling.run(config, out=str(tmp_path / "run"))
    found = scaling.run(config)

    def fails(*_):
        raise AssertionError("sampled again")

    monkeypatch.setattr(sampling, "sample", fails)
    again = scaling.run(config, out=str(tmp_path / "run"))
    for name in ("norm", "predicted", "predicted_error", "independent", "law"):
        np.testing.assert_allclose(kept[name], found[name], rtol=1e-6)
        np.testing.assert_array_equal(again[name], kept[name])


def test_the_loss_at_gaussian_inputs_is_averaged_over_their_length():
    """At d = 1 lengths differ most: 7.6 % of the mean. Bound: 4 standard errors, which the law at
    inputs of length √d misses."""
    network = architectures.mlp((8,), channels=1)
    found = norms.sample(network, 1, range(4000), Draws(("loss",), (2.0,)))[:, 0, 0]
    error = found.std(ddof=1) / np.sqrt(len(found))
    of_input = {
        name: prediction.by_law(network, (1, 2), ("loss",), (2,), name).norm[0, 0, 0]
        for name in ("gaussian", "constant")
    }
    assert abs(found.mean() - of_input["gaussian"]) < 4 * error
    assert abs(found.mean() - of_input["constant"]) > 4 * error
