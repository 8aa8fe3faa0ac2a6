"""The audit: its ladder is measured and telescopes, and what makes a gap is named.

Seeds are fixed. Places are named at |z| beyond the bound that 1 % of audits reach by chance.
"""

import dataclasses
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from sim import audit
from sim.audit import Config, analysis, moments, ratios, report
from sim.audit.analysis import HYPOTHESIS, INDEPENDENCE, LAW, NETWORK
from sim.audit.dataset import labelled
from sim.audit.sentence import sentence, that_differ
from sim.independence import ladder
from sim.models import loading
from sim.plan.plan import Plan
from sim.running.command_line import Picture
from sim.sampling import norms
from sim.sampling.draws import Draws
from sim.statistics import intervals
from theory import architectures
from theory.network import Network, serial
from theory.printout import show

TIED = 12
HE = jax.nn.initializers.he_normal()


def tied(shape):
    """A pair in which one matrix is used twice, the second time transposed."""

    def init(key):
        first, twice, last = jax.random.split(key, 3)
        sizes = (math.prod(shape), TIED), (TIED, TIED), (TIED, 3)
        return tuple(HE(key, size) for key, size in zip((first, twice, last), sizes, strict=True))

    def apply(w, x):
        h = jax.nn.relu(x.ravel() @ w[0])
        h = jax.nn.relu(h @ w[1])
        h = jax.nn.relu(h @ w[1].T)
        return h @ w[2]

    return init, apply


def deeper_at_large_sides(shape):
    init, _ = tied(shape)
    return init, lambda w, x: x.ravel() @ w[0] @ (w[1] if shape[0] > 2 else jnp.eye(TIED)) @ w[2]


def powers(shape):
    init, _ = tied(shape)
    return init, lambda w, x: (jnp.abs(x.ravel() @ w[0]) ** jnp.abs(w[1][0])) @ w[2]


def own(factory):
    return Network("own", serial(loading.Own("own", factory)), 3)


def audit_of(network, side, seeds, quantity="logit"):
    """The analysis of one size, twice."""
    draws = Draws((quantity,), (1.0,), lazy=False)
    asked = ladder.ladder(network, side)
    found = ladder.samples(asked, draws, seeds, moments.measured)
    is_own = isinstance(network.body.layers[0], loading.Own)
    config = Config(arch=None if is_own else "own", model="own" if is_own else None)
    config = dataclasses.replace(config, sizes=(side, 2 * side), quantity=quantity)
    return analysis.analysed(
        labelled(Plan(config, {1: network}, config.sizes), [asked] * 2, [found] * 2)
    )


@pytest.fixture(scope="module")
def resnet():
    return audit.run(
        Config(arch="resnet", widths=(8,), depth=1, sizes=(4, 8), seeds=128, quantity="logit")
    )


def test_the_factors_of_all_places_multiply_to_the_whole_ladder(resnet):
    for found in analysis.analysed(resnet).by_side:
        for of in ("norm", "energy"):
            factors = [getattr(place, of).value for place in found.places]
            whole = getattr(found.ladder, of).value
            assert np.prod(factors) == pytest.approx(whole, rel=1e-12)
        steps = {(step.start, step.end): step.norm.value for step in found.steps}
        by_kind = {
            kind: np.prod([x.norm.value for x in found.places if x.kind == kind])
            for kind in ("mask", "weights")
        }
        assert by_kind["mask"] == pytest.approx(steps[HYPOTHESIS, INDEPENDENCE], rel=1e-12)
        assert by_kind["weights"] == pytest.approx(steps[INDEPENDENCE, NETWORK], rel=1e-12)
        product = np.prod(list(steps.values()))
        assert product == pytest.approx(found.norms[NETWORK].value / found.norms[LAW].value)


def test_the_last_rung_is_the_network_as_the_simulator_has_it(resnet):
    network = architectures.resnet(width=8, depth=1)
    draws = Draws(("logit",), (1.0, 2.0), lazy=False)
    sampled = norms.sample(network, 8, range(32), draws)[:, 0]
    here = resnet.isel(size=-1, rung=-1, seed=slice(32))
    np.testing.assert_allclose(here["norm"], sampled[:, 0], rtol=1e-5)
    np.testing.assert_allclose(here["energy"], sampled[:, 1] ** 2, rtol=1e-5)


def test_the_activated_stream_of_a_residual_network_is_named(resnet):
    found = analysis.analysed(resnet)
    (named,) = that_differ(found)
    assert (named.kind, named.name) == ("mask", "3:ReLU")
    assert 1.10 < named.norm.value < 1.25  # 2/√3 at large width
    assert named.active is not None
    assert named.active.interval[0] > 0.55
    words = sentence(found)
    assert "the true masks of 3:ReLU × " in words
    assert "times that of the law (wide): no gap" in words


@pytest.fixture(scope="module")
def mlp():
    return audit.run(Config(arch="mlp", widths=(16,), sizes=(2, 4), seeds=128, quantity="logit"))


def test_a_ladder_of_a_dense_network_names_nothing(mlp):
    found = analysis.analysed(mlp)
    assert that_differ(found) == []
    assert found.safe is not False
    words = sentence(found)
    assert "times that of the law (exact): no gap" in words
    assert "and no place differs" in words


def test_energies_at_both_ends_are_those_of_the_gradient_and_of_one_logit(mlp):
    network = mlp.isel(rung=-1)
    np.testing.assert_allclose(network["arrived"].isel(place=0), network["energy"], rtol=1e-4)
    np.testing.assert_allclose(network["left"].isel(place=-1), 1, rtol=1e-6)
    share = mlp["active"].isel(place=1).mean("seed")
    np.testing.assert_allclose(share, 0.5, atol=0.05)


@pytest.mark.parametrize(("head", "named"), [("gap", ["4:Conv"]), ("dense", [])])
def test_kernels_that_an_average_shares_are_coupled_to_their_gradients(head, named):
    found = audit_of(architectures.cnn(width=4, depth=3, head=head), 8, seeds=1536)
    differing = that_differ(found)
    assert [x.name for x in differing if x.kind == "weights"] == named
    if named:
        assert differing[0].norm.interval[0] > 1.03
        assert found.prediction == LAW and not found.notes
        assert "the coupling of 4:Conv to its own gradient × 1.0" in sentence(found)


def test_with_max_pooling_the_ladder_begins_at_gradient_independence():
    network = architectures.convnet_avdim(width=4, depth=1, pooling="max")
    asked = ladder.ladder(network, 4)
    assert not asked.reading.is_rectified
    assert asked.rungs == ((2, 0), (2, 1))
    draws = Draws(("logit",), (1.0,), lazy=False)
    told, _ = ladder.samples(asked, draws, 8)
    expected = norms.sample(network, 4, range(8), draws)[:, 0, 0]
    np.testing.assert_allclose(told.norms[:, -1, 0], expected, rtol=1e-5)
    assert np.all(told.taps[..., 3] == 1)


def line_of(text):
    lines = Path(__file__).read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.strip().endswith(f"relu({text}"))


def test_a_tied_weight_is_named_with_its_lines_and_a_twin_that_is_not_copied_is_caught(monkeypatch):
    found = audit_of(own(tied), 4, seeds=256)
    named = {(x.kind, x.where) for x in that_differ(found)}
    first, second = (f"test_audit.py:{line_of(text)}" for text in ("h @ w[1])", "h @ w[1].T)"))
    assert {("weights", first), ("weights", second)} <= named
    assert f"the coupling of {second} to its own gradient × " in sentence(found)

    plain = ladder.counterfactual

    def twin(apply, weights, copies, *rest, **known):
        (w,), (others,) = weights, copies
        return plain(apply, weights, ((others[0], w[1], others[2]),), *rest, **known)

    monkeypatch.setattr(ladder, "counterfactual", twin)
    broken = audit_of(own(tied), 4, seeds=256)
    moved = {x.where: x.norm for x in broken.last.places if x.kind == "weights"}
    for where in (first, second):
        assert (moved[where].value, moved[where].z) == (1, 0)


def test_what_stays_coupled_is_said():
    found = audit_of(own(powers), 2, seeds=8, quantity="loss")
    assert any("pow reads a weight" in note for note in found.notes)
    assert any("hypothesis H says nothing" in note for note in found.notes)
    assert found.last.ladder.start == INDEPENDENCE


def test_networks_of_other_layers_at_other_sizes_are_refused_in_one_sentence(monkeypatch):
    network = own(deeper_at_large_sides)
    monkeypatch.setattr(loading, "network", lambda *_: network)
    with pytest.raises(ValueError, match="not the same at all sizes"):
        audit.run(Config(model="own", sizes=(2, 4), seeds=2))


def test_the_report_is_readable_at_100_columns(resnet, capsys):
    found = analysis.analysed(resnet)
    for full in (False, True):
        show(report.printout(found, full), full)
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= 100
        assert printed.startswith("resnet: at side 8, E‖∂f‖₁ is ")
        assert "\x1b" not in printed
        assert ("H4" in printed) == full
        assert ("0:Conv" in printed) == full
        assert "3:ReLU" in printed


def test_json_has_everything_under_names_and_the_picture_is_drawn(resnet, tmp_path):
    picture, path = tmp_path / "audit.png", tmp_path / "audit.json"
    report.deliver(resnet, Picture(str(path), figure=str(picture)))

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads(path.read_text(), parse_constant=refuse)
    assert content["sentence"].startswith("resnet: at side 8, ")
    assert content["config"]["arch"] == "resnet"
    assert [side["side"] for side in content["by_side"]] == [4, 8]
    places = content["by_side"][-1]["places"]
    assert [x["name"] for x in places if x["differs"]] == ["3:ReLU"]
    assert content["hypotheses"]["gaussian"]["value"] == pytest.approx(1, abs=0.1)
    assert picture.stat().st_size > 10_000


def test_a_gap_that_grows_with_d_makes_the_exponent_unsafe(resnet):
    growing = resnet.copy()
    growing["norm"] = growing["norm"] * xr.DataArray([1.0, 2.0], dims="size")
    found = analysis.analysed(growing)
    assert found.safe is False
    assert found.exponent.value == pytest.approx(0.5, abs=0.05)
    assert "The exponent is not safe" in sentence(found)


def test_correlated_weights_are_found(resnet):
    twin = resnet.copy()
    twin["node"] = twin["node"] * 2
    nodes = analysis.analysed(resnet).hypotheses.nodes
    assert all(abs(node.correlation.z) < 4.5 for node in nodes)
    broken = analysis.analysed(twin).hypotheses.nodes
    assert all(node.correlation.z > 3.5 for node in broken)


def test_paired_ratios_have_intervals_that_cover_and_a_difference_has_a_score():
    draws = np.random.default_rng(0)
    covered, scores = 0, []
    for _ in range(800):
        common = draws.lognormal(size=64)
        above, below = (common * draws.lognormal(sigma=0.1, size=64) for _ in range(2))
        found = ratios.ratio(above, below)
        covered += found.interval[0] < 1 < found.interval[1]
        scores.append(found.z)
    assert 0.92 < covered / 800 < 0.975  # 0.95, and three standard errors
    beyond = np.mean(np.abs(scores) > intervals.quantile(0.99, 63))
    assert beyond < 0.025
    assert ratios.ratio(1.2 * above, below).z > 5
    same = ratios.ratio(above, above)
    assert (same.value, same.z) == (1, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arch": "mlp", "widths": (8, 16)}, "an audit is of one width, not of 2"),
        ({"arch": "mlp", "model": "a:b"}, "choose --arch mlp or --model a:b, not both"),
        ({"arch": "mlp", "sizes": (8,)}, "two sizes or more"),
    ],
)
def test_bad_input_is_one_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        audit.planned(Config(**options))
