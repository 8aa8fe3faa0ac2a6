"""The scaling experiment from Python: labelled samples, predictions, fits."""

from dataclasses import replace

import numpy as np
import pytest

import sim
from sim.scaling.configuration import Config, planned
from sim.scaling.experiment import run
from sim.scaling.report import Report
from theory.architectures import ARCHITECTURES

QUICK = Config(arch="mlp", widths=(8, 16), sizes=(4, 8, 16), seeds=64, input="gaussian")


@pytest.fixture(scope="module")
def quick():
    return run(QUICK)


def test_run_returns_labelled_samples(quick):
    samples = quick
    assert samples["norm"].dims == ("seed", "width", "size", "quantity", "q")
    assert dict(samples.sizes) == {"seed": 64, "width": 2, "size": 3, "quantity": 1, "q": 3}
    assert samples["d"].values.tolist() == [48, 192, 768]
    assert samples.attrs["arch"] == "mlp"
    fits = sim.statistics.fit(samples)
    assert len(fits) == 6
    assert all(fit.agrees for fit in fits)


def test_same_configuration_same_samples(quick):
    np.testing.assert_array_equal(run(QUICK)["norm"], quick["norm"])


def test_double_precision_agrees_with_single_where_it_must():
    config = Config(
        arch="mlp", widths=(8,), sizes=(4, 8), seeds=4, input="constant", dtype="float64"
    )
    assert run(config)["norm"].dtype == np.float64


SMALL = replace(QUICK, widths=(8,), sizes=(4, 8), norms=("1", "inf"))


def test_until_continues_a_plain_run_as_far_as_the_pilot_asks():
    config = replace(SMALL, until=0.02)
    samples = run(config)
    plain = run(SMALL)
    seeds = samples.sizes["seed"]
    assert seeds > 64
    np.testing.assert_array_equal(samples["norm"][:64], plain["norm"])
    np.testing.assert_array_equal(samples["norm"], run(config)["norm"])
    asked = [sim.statistics.seeds_needed(fit.exponent, 0.02) for fit in sim.statistics.fit(plain)]
    assert seeds == max(asked)
    result = Report.of(samples)
    assert result.reached
    assert max(fit.exponent.half_width for fit in result.fits) == pytest.approx(0.02, rel=0.05)
    assert {fit.exponent.degrees for fit in result.fits} == {63}


def test_the_cap_of_until_is_reported():
    result = Report.of(run(replace(SMALL, until=0.001, max_seeds=70)))
    assert result.seeds == 70
    assert result.reached is False
    assert Report.of(run(SMALL)).reached is None


@pytest.mark.parametrize(
    ("init", "asked", "ran"),
    [("he", "auto", "lazy"), ("he", "dense", "dense"), ("pytorch", "auto", "dense")],
)
def test_the_report_says_which_sampler_ran(init, asked, ran):
    config = replace(SMALL, init=init, sampler=asked, seeds=2)
    assert Report.of(run(config)).sampler == ran


def test_several_inputs_share_the_matrices_of_their_seed():
    """The mean over inputs varies as much with matrices that are never formed as with formed ones.

    Bound: 5 standard errors of the difference of two log standard deviations.
    """
    config = replace(SMALL, inputs_per_seed=4, seeds=1000)
    spread = [
        np.log(run(replace(config, sampler=sampler, seed=seed))["norm"]).std("seed")
        for seed, sampler in enumerate(("lazy", "dense"))
    ]
    assert np.abs(np.log(spread[0] / spread[1])).max() < 5 / np.sqrt(1000)


DEPTH = {
    **dict.fromkeys(("cnn", "resnet", "resnet-preact", "convnet-avdim"), 2),
    **dict.fromkeys(("densenet", "mlp-mixer", "vit"), 1),
}
"""The smallest with every kind of layer that there is at any depth: strides and shortcuts too."""


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_and_head_runs_and_is_predicted(arch):
    architecture = ARCHITECTURES[arch]
    heads = architecture.heads or [None]
    for head in heads[:1] if arch in ("densenet", "mlp-mixer") else heads:
        config = Config(
            arch=arch, head=head, widths=(4,), sizes=(8, 16), seeds=4, quantity=("loss", "logit"),
            depth=DEPTH.get(arch),
        )  # fmt: skip
        samples = run(config)
        assert np.all(np.isfinite(samples["norm"]))
        assert np.all(np.isfinite(samples["limit"])) == (arch != "vit")
        assert np.isfinite(samples["predicted"]).all()


def test_the_papers_network_takes_its_own_options():
    config = Config(arch="convnet-avdim", depth=3, pool_after=(2,), dilation=(2,), pooling="max")
    (network, *_) = planned(config).networks.values()
    layers = network.body.layers
    assert [type(layer).__name__ for layer in layers[:6]] == [
        "Conv", "ReLU", "Conv", "MaxPool", "ReLU", "Conv",
    ]  # fmt: skip
    assert layers[0].dilation == layers[5].dilation == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Config(arch="mlp", head="gap"), "mlp takes no --head"),
        (Config(arch="cnn", pooling="max"), "cnn takes no --pooling"),
        (Config(arch="cnn", pool_after=(1,)), "cnn takes no --pool-after"),
        (Config(arch="convnet-avdim", dilation=(1, 2)), "one positive number or 8"),
        (Config(seeds=1), "at least two seeds"),
        (Config(arch="mlp", widths=(10**9,)), "GiB, more than this machine has"),
        (Config(widths=(8, 8)), "--widths lists a value twice"),
        (Config(norms=()), "--norms needs at least one"),
        (Config(norms=("two",)), "two"),
        (Config(seed=-1), "--seed must lie"),
        (Config(batch=0), "--batch must be at least 1"),
        (Config(until=0.0), "--until must be a positive number"),
        (Config(until=float("nan")), "--until must be a positive number"),
        (Config(until=0.01, max_seeds=100), "--max-seeds must be at least --seeds"),
        (Config(init="pytorch", sampler="lazy"), "needs dense layers with Gaussian weights"),
    ],
)
def test_impossible_configurations_are_one_sentence(config, message):
    with pytest.raises(ValueError, match=message):
        planned(config)
