"""The hold-out networks are measured and read; a forgotten mask is caught."""

import jax
import numpy as np
import pytest

from sim.statements import holdout
from theory.initializers import VarianceScaling
from theory.network import Conv, Dense, Flatten, Network, ReLU, serial

NETWORK = Network(
    "small",
    serial(Conv(2, VarianceScaling(2)), ReLU(), Flatten(), Dense(1, VarianceScaling(1))),
    channels=1,
)
"""None of `holdout.NETWORKS`, which no test measures."""


def test_pixels_agree_and_a_forgotten_mask_does_not(monkeypatch):
    found = holdout.measure(NETWORK, 3, holdout.Config(seeds=20_000))
    assert found.z.shape == (9,) and np.abs(found.z).max() < 4
    assert abs(found.total - 1) < 4 * found.error
    result = holdout.table({"small": found})
    assert result.rows[0][-1] == "agrees"
    monkeypatch.setattr(jax.nn, "relu", lambda x: x)
    wrong = holdout.measure(NETWORK, 3, holdout.Config(seeds=4000))
    assert holdout.table({"small": wrong}).rows[0][-1] == "CONTRADICTS"


def test_bad_usage_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stop:
        holdout.main(["--seeds", "many"])
    assert stop.value.code == 2
    assert capsys.readouterr().out == ""
