"""`python -m sim.statements`: every statement is simulated, and a broken simulation is caught."""

import dataclasses
import json
from collections import Counter
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from sim.networks import layers
from sim.statements import __main__ as command
from sim.statements import attacks, gradient_steps, loss, perturbations, subspaces
from sim.statements.outcome import Outcome, Settings, of_mean
from sim.statements.simulations import CHECKS, WITHOUT
from theory import architectures
from theory.laws import norms
from theory.statements import STATEMENTS

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "statements.md"
FEW = Settings(seeds=400, seed=3)
MLP = architectures.mlp


def test_every_statement_is_simulated_or_says_why_not():
    assert set(CHECKS) | set(WITHOUT) == set(STATEMENTS)
    assert not set(CHECKS) & set(WITHOUT)


@pytest.mark.parametrize("name", CHECKS)
def test_simulation_agrees(name):
    outcome = CHECKS[name](FEW)
    assert outcome.agrees(len(CHECKS)), outcome


def variance_without_fan_in(patch):
    patch.setattr(layers, "weight_variance", lambda layer, shape: 1 / 50)


def forgotten_mask(patch):
    patch.setattr(jax.nn, "relu", lambda x: x)


def smooth_activation(patch):
    patch.setattr(jax.nn, "relu", jax.nn.softplus)


def euclidean_attack_for_every_norm(patch):
    attack = norms.attack
    patch.setattr(attacks.norms, "attack", lambda g, p, size: attack(g, 2, size))


def attack_of_twice_the_size(patch):
    attack = norms.attack
    patch.setattr(attacks.norms, "attack", lambda g, p, size: attack(g, p, 2 * size))


def residual_without_label(patch):
    patch.setattr(loss, "loss_residual", lambda logits, label: jax.nn.softmax(logits))


def step_of_twice_the_length(patch):
    once, smooth = gradient_steps.flips, gradient_steps.flips_of_one_layer
    patch.setattr(
        gradient_steps, "flips", lambda net, side, size, *x: once(net, side, 2 * size, *x)
    )
    patch.setattr(
        gradient_steps,
        "flips_of_one_layer",
        lambda layer, variance, size, *x: smooth(layer, variance, 2 * size, *x),
    )


def half_of_the_layers(patch):
    f = gradient_steps.outputs_at_two_inputs
    patch.setattr(
        gradient_steps, "outputs_at_two_inputs", lambda angle, depth, *x: f(angle, depth // 2, *x)
    )


def wide_first_layer(patch):
    patch.setattr(architectures, "mlp", lambda widths, **x: MLP((64, *widths[1:]), **x))


def average_over_positions(patch):
    patch.setattr(architectures, "cnn", partial(architectures.cnn, head="gap"))


def another_norm(patch):
    norms_of = perturbations.norms_of
    patch.setattr(perturbations, "norms_of", lambda *x: norms_of(*x[:3], 1.0))


def copies_in_other_places(patch):
    def tiled(course, pixels):
        return jax.numpy.tile(pixels, course.copies)

    patch.setattr(subspaces.Course, "enlarged", tiled)


def without_antisymmetry(patch):
    trained = subspaces.trained
    patch.setattr(
        subspaces,
        "trained",
        lambda course, x: trained(dataclasses.replace(course, antisymmetric=False), x),
    )


TWINS = {
    "lemma-2": euclidean_attack_for_every_norm,
    "proposition-3": attack_of_twice_the_size,
    "theorem-4": variance_without_fan_in,
    "theorem-5": forgotten_mask,
    "loss-gradient": residual_without_label,
    "euler-identity": smooth_activation,
    "post-activation": forgotten_mask,
    "sparse-gradients": variance_without_fan_in,
    "cross-lipschitz": variance_without_fan_in,
    "constant-signal-to-noise": variance_without_fan_in,
    "gradient-step": step_of_twice_the_length,
    "general-activations": step_of_twice_the_length,
    "decreasing-widths": wide_first_layer,
    "deep-networks": half_of_the_layers,
    "boundary-scaling": average_over_positions,
    "average-robustness": another_norm,
    "copied-pixels": copies_in_other_places,
    "dimension-gap": variance_without_fan_in,
    "lazy-training": without_antisymmetry,
}


@pytest.mark.parametrize("name", TWINS)
def test_broken_twins_are_caught(name, monkeypatch):
    TWINS[name](monkeypatch)
    outcome = CHECKS[name](FEW)
    assert not outcome.agrees(len(CHECKS)), outcome


def test_the_page_names_and_counts_what_there_is():
    """Names, titles and kinds of steps; the measured figures are those of the command."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    found = [[cell.strip("| ") for cell in row[:3]] for row in rows]
    expected = []
    for name, statement in STATEMENTS.items():
        kinds = Counter(step.kind for step in statement.steps)
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        expected.append([f"`{name}`", statement.title, counts])
    assert found == expected


MEAN = Outcome("a mean", predicted=1.0, measured=1.03, standard_error=0.01, seeds=1000)
IDENTITY = Outcome("an identity", 0.0, 1e-8, None, seeds=16, tolerance=1e-6)


def test_more_comparisons_allow_larger_deviations():
    assert MEAN.z == pytest.approx(3.0)
    assert not MEAN.agrees(1)
    assert MEAN.agrees(17)
    assert IDENTITY.agrees(1)
    assert not dataclasses.replace(IDENTITY, measured=1e-5).agrees(17)
    nothing = dataclasses.replace(MEAN, measured=float("nan"))
    assert not nothing.agrees(17)


def test_the_command(monkeypatch, capsys):
    monkeypatch.setitem(CHECKS, "theorem-4", lambda settings: MEAN)
    monkeypatch.setitem(CHECKS, "lemma-2", lambda settings: IDENTITY)
    assert command.main(["lemma-2"]) == 0
    assert "identity" in capsys.readouterr().out
    assert command.main(["theorem-4"]) == 0
    assert command.main(["theorem-4", "--check"]) == 1
    assert "CONTRADICTS" in capsys.readouterr().out
    assert command.main(["theorem-4", "lemma-2", "--json", "-"]) == 0
    said = capsys.readouterr()
    rows = {row["statement"]: row for row in json.loads(said.out)["statements"]}
    assert list(rows) == ["lemma-2", "theorem-4"]  # in the order of the list
    assert rows["theorem-4"]["z"] == pytest.approx(3.0)
    assert rows["lemma-2"]["z"] is None
    assert [rows[name]["agrees"] for name in rows] == [True, False]
    assert "what is simulated" in said.err
    assert command.main(["lemma-2", "--markdown"]) == 0
    assert "| `lemma-2` |" in capsys.readouterr().out


@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_few_seeds_carry_no_verdict(seeds):
    """Two networks on one side of a median have no spread, whatever the median is."""
    found = of_mean("a share", 0.5, np.ones(seeds))
    assert found.agrees(1) is None
    assert found.unmeasured == f"{seeds} seeds, fewer than 16"


def test_a_statement_without_a_verdict_or_a_simulation_says_why(capsys):
    assert command.main(["theorem-4", "batch-norm", "--seeds", "3", "--check", "--json", "-"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert [row["agrees"] for row in found["statements"]] == [None]
    assert found["statements"][0]["unmeasured"] == "3 seeds, fewer than 16"
    assert list(found["not_simulated"]) == ["batch-norm"]
    table = " ".join(said.err.split())
    assert "no measurement: 3" in table and "none: `python -m sim.scaling`" in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["theorem4"], "did you mean 'theorem-4'?"),
        (["theorem-4", "theorem-4"], "lists a value twice"),
        (["--seeds", "1"], "at least two seeds"),
        (["--seed", "-1"], "--seed must lie"),
        (["--json", "/nowhere/result.json"], "cannot write"),
        (["--json", "-", "--markdown"], "choose one"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
