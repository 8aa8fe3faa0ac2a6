"""The softmax factor of the loss gradient."""

import numpy as np
import pytest
from scipy.special import softmax

from theory.laws.softmax import residual_value


@pytest.mark.parametrize(
    ("variance", "classes"), [(0.1, 10), (1.0, 10), (30.0, 10), (1.0, 2), (4.0, 300)]
)
@pytest.mark.parametrize("power", [1, 2])
def test_residual_against_sampling(variance, classes, power):
    rng = np.random.default_rng(0)
    p = softmax(np.sqrt(variance) * rng.standard_normal((20_000, classes)), axis=1)
    p[:, 0] -= 1
    norms = np.linalg.norm(p, axis=1) ** power
    error = norms.std() / np.sqrt(len(norms)) + 1e-3 * norms.mean()
    assert abs(norms.mean() - residual_value(variance, classes, power)) < 4 * error


def test_limits():
    assert residual_value(0.0, 10) == pytest.approx(np.sqrt(0.9))
    assert residual_value(1e8, 10) == pytest.approx(0.9 * np.sqrt(2), rel=2e-3)
    assert residual_value(1.0, 1) == 0
