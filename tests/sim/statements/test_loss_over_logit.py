"""α and loss over logit are measured; one of too few layers is caught."""

import pytest

from sim.statements import loss_over_logit
from sim.statements.loss_over_logit import Config
from theory import architectures


def test_a_small_network_agrees_and_another_one_does_not():
    found = loss_over_logit.measure(architectures.cnn(16), 8, Config(seeds=300))
    measured = found.measured_share
    assert measured.allows(found.share, 1)
    other = loss_over_logit.alignment(architectures.cnn(16, depth=2), 8, Config(seeds=300))
    assert not other.allows(found.share, 1)  # twin
    assert found.measured_ratio.allows(found.ratio, 1)
    ((name, share, *_),) = loss_over_logit.table({"small": found}).rows
    assert (name, share) == ("small", f"{found.share:.4f}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [x for x in loss_over_logit.NETWORKS if "width 64" in x])
def test_wide_networks_agree_but_near_borders_that_reflect(name):
    """The rows of the command, measured anew; `pytest -m slow` runs it."""
    network, side = loss_over_logit.NETWORKS[name]
    found = loss_over_logit.measure(network, side, Config(seeds=1000, seed=2))
    measured = found.measured_share
    near = abs(measured.value / found.share - 1) < 0.03 + 3 * measured.standard_error / found.share
    assert near == ("reflect" not in name)


def test_bad_usage_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as stop:
        loss_over_logit.main(["--seeds", "3"])
    assert stop.value.code == 2
    assert "--seeds must be at least" in capsys.readouterr().err
