"""The exact loss law: against networks, against K × K matrices, and twins that are caught."""

import numpy as np
import pytest
import sympy as sp
from scipy import special, stats

from theory import architectures, predict
from theory.laws import distance, joint, loss
from theory.laws.loss import LossLaw, moment_ratio
from theory.laws.masked_sum import MaskedSum

LEVEL = 1e-4
"""P-values below that contradict."""
DRAWS = 20_000
CASES = [((3,), 2, 5), ((9, 6), 5, 12), ((64, 16), 20, 9), ((5, 4, 6, 3, 7, 8), 3, 6)]


def networks(widths, classes, d, draws, rng, slope=0.0, bias=0.0):
    """Loss gradients, and first-order distances between two classes over ‖x‖, of real networks.

    `bias` is the deviation of the biases of all layers.
    """
    x = rng.standard_normal((draws, d))
    x *= np.sqrt(d) / np.linalg.norm(x, axis=1, keepdims=True)
    h, jacobian, fan_in = x, np.broadcast_to(np.eye(d), (draws, d, d)), d
    for n in widths:
        weights = rng.standard_normal((draws, n, fan_in)) * np.sqrt(2 / fan_in)
        z = np.einsum("nij,nj->ni", weights, h) + bias * rng.standard_normal((draws, n))
        mask = np.where(z > 0, 1, slope)
        h, jacobian, fan_in = mask * z, mask[:, :, None] * (weights @ jacobian), n
    weights = rng.standard_normal((draws, classes, fan_in)) / np.sqrt(fan_in)
    f, jacobian = np.einsum("nij,nj->ni", weights, h), weights @ jacobian
    f = f + bias * rng.standard_normal(f.shape)
    gradients = np.einsum("nkd,nk->nd", jacobian, joint.residuals(f, rng))
    difference = jacobian[:, 0] - jacobian[:, 1]
    alive = np.any(difference != 0, axis=1)
    margins = np.abs(f[:, 0] - f[:, 1])[alive] / np.sqrt(d)
    return gradients, {q: margins / np.linalg.norm(difference[alive], q, 1) for q in (1, 2)}


@pytest.mark.parametrize(("widths", "classes", "d"), CASES)
def test_networks_have_this_law(widths, classes, d):
    """Kolmogorov–Smirnov for the loss, ℓ_1, ℓ_2 and ℓ_∞, and for distances, p = 2 and ∞."""
    gradients, distances = networks(widths, classes, d, DRAWS, np.random.default_rng(1))
    net = architectures.mlp(widths, classes=classes, channels=1)
    law = LossLaw(d, tuple(MaskedSum(n) for n in widths), classes, 1.0)
    for q in (1, 2, np.inf):
        norms = np.linalg.norm(gradients, q, axis=1)
        assert stats.ks_2samp(norms, law.sample(3 * DRAWS, q)).pvalue > LEVEL
        assert (
            abs(norms.mean() / law.mean(q) - 1) < 4 * norms.std() / norms.mean() / DRAWS**0.5 + 0.01
        )
    for q, p in ((2, 2), (1, "inf")):
        cdf = predict(net).distance(d, p).distribution_function
        assert stats.kstest(distances[q], cdf).pvalue > LEVEL


def test_twins_are_caught():
    """An independent residual, one degree of freedom too many, masks that pass everything."""
    gradients, distances = networks((9, 6), 5, 12, DRAWS, np.random.default_rng(2))
    norms = np.linalg.norm(gradients, axis=1)
    wide = predict(architectures.mlp((9, 6), classes=5)).distribution(12)
    independent = wide.moment(2, 1) * np.sqrt(0.8)
    assert (norms.mean() - independent) / (norms.std() / DRAWS**0.5) > 6
    linear = LossLaw(12, (MaskedSum(9, sp.Integer(1)), MaskedSum(6, sp.Integer(1))), 5, 1.0)
    assert stats.ks_2samp(norms, linear.sample(DRAWS)).pvalue < LEVEL
    wrong = distance.Distance(13).distribution_function
    assert stats.kstest(distances[2], wrong).pvalue < LEVEL


def test_the_reference_network():
    law = predict(architectures.mlp((9, 6), classes=5), 1, "loss")
    assert law.basis == "exact"
    assert law(12) == pytest.approx(2.341, abs=0.003)
    assert law.distribution(12).mean(1) == pytest.approx(law(12), rel=1e-9)


@pytest.mark.parametrize("slope", [0, sp.Rational(1, 5), 1])
@pytest.mark.parametrize(("widths", "classes"), [((9, 6), 5), ((2,), 3), ((3, 3, 3), 2)])
def test_passes_and_matrices_agree(widths, classes, slope):
    hidden = tuple(MaskedSum(n, sp.sympify(slope)) for n in widths)
    rng = np.random.default_rng(3)
    drawn = joint.sample([(n, float(slope)) for n in widths], classes, 7, DRAWS, rng)
    norms = joint.loss_norms(drawn, 1.5, rng)
    law = LossLaw(7, hidden, classes, 1.5)
    assert stats.ks_2samp(norms, law.sample(DRAWS)).pvalue > LEVEL
    assert abs(norms.mean() / law.mean() - 1) < 4 * norms.std() / norms.mean() / DRAWS**0.5 + 0.01


def test_networks_with_biases_have_the_joint_law():
    """He weights, E‖∂f_k/∂z‖_2² = 1/2 behind a ReLU; the twin leaves biases out."""
    widths, classes, d, bias = (9, 6), 5, 12, 1.5
    rng = np.random.default_rng(4)
    gradients, _ = networks(widths, classes, d, DRAWS, rng, bias=bias)
    norms = np.linalg.norm(gradients, axis=1)
    hidden = [(n, 0.0) for n in widths]
    shares = (bias**2 / 2, bias**2 / 2, bias**2)
    known = joint.sample(hidden, classes, d, DRAWS, rng, shares)
    assert np.mean(known.logits**2) == pytest.approx(1 + sum(shares), rel=0.05)
    assert stats.ks_2samp(norms, joint.loss_norms(known, 1.0, rng)).pvalue > LEVEL
    without = joint.sample(hidden, classes, d, DRAWS, rng)
    assert stats.ks_2samp(norms, joint.loss_norms(without, 1.0, rng)).pvalue < LEVEL


def test_large_logits_and_large_widths():
    hidden = (MaskedSum(4096), MaskedSum(4096))
    small = moment_ratio(hidden, 10, 1e-12, np.inf, 1)
    assert small == pytest.approx(np.sqrt(0.9), rel=1e-3)
    assert moment_ratio(hidden, 10, 1e12, np.inf, 1) == pytest.approx(0.9 * np.sqrt(2), rel=3e-3)


def test_moments_and_distribution_agree():
    law = predict(architectures.mlp(32, depth=2), 2, "loss").distribution(192)
    sample = law.sample(DRAWS, 2, seed=5)
    assert abs(sample.mean() - law.mean()) < 4 * sample.std() / DRAWS**0.5
    assert law.standard_deviation() == pytest.approx(sample.std(), rel=0.05)
    median = law.quantile(0.5)
    assert law.distribution_function(median) == pytest.approx(0.5, abs=1e-3)
    assert law.log_variance() == pytest.approx(np.var(np.log(sample)), rel=0.1)


def test_distances():
    law = predict(architectures.mlp())
    assert law.distance(3072).median * np.sqrt(3072) == pytest.approx(0.6745, abs=1e-3)
    assert law.distance(3).distribution_function(0.3) == pytest.approx(0.3)
    assert float(distance.asymptote(0.3, 8, 64)) == pytest.approx(special.erf(0.3 / np.sqrt(2)))
    with pytest.raises(ValueError, match="two dimensions"):
        law.distance(1)
    with pytest.raises(ValueError, match="distribution"):
        predict(architectures.cnn()).distance(48)


def test_two_classes_flip_as_their_distance_says():
    law = predict(architectures.mlp((9, 6), classes=2))
    expected = law.distance(12).distribution_function(0.5 / np.sqrt(12))
    expected *= 1 - float(law.distribution(12).dead)
    # 2^14 networks
    assert law.flip_probability(12, 0.5) == pytest.approx(float(expected), abs=4 * 0.5 / 2**7)
    several = predict(architectures.mlp((9, 6), classes=10))
    assert several.flip_probability(12, 0.5) > law.flip_probability(12, 0.5)


def test_what_the_law_of_distances_rests_on():
    """Exact, or homogeneous; not what is bounded, or adds tokens of its own."""
    expected = {"mlp": "exact", "cnn": "gradient-independence", "resnet": "gradient-independence"}
    for name, basis in (expected | {"vit": "none", "mlp-mixer": "none"}).items():
        assert distance.basis(architectures.find(name).build()) == basis
    assert distance.basis(architectures.mlp(activation="tanh")) == "none"
    assert distance.basis(architectures.mlp(init="orthogonal")) == "gradient-independence"
    assert distance.basis(architectures.cnn(norm="layer")) == "none"


@pytest.mark.parametrize("d", [1, 3, 48, 196608])
def test_squared_lengths_have_the_moments_of_chi_squared(d):
    """E (‖x‖²/d)^k = Π_{i<k} (1 + 2i/d), for every power that four nodes integrate."""
    squares, weights = loss.squared_lengths(d)
    for k in range(8):
        expected = np.prod([1 + 2 * i / d for i in range(k)])
        np.testing.assert_allclose(np.dot(weights, squares**k), expected, rtol=1e-9)


def test_gaussian_inputs_change_the_loss_alone_and_less_in_high_dimension():
    for quantity, changes in (("logit", False), ("loss", True)):
        law = predict(architectures.mlp((6, 5), classes=4), 2, quantity)
        ratios = law.at_gaussian_inputs()([3, 48, 768]) / law([3, 48, 768])
        assert np.all(ratios < 1) if changes else np.all(ratios == 1)
        assert np.all(np.diff(ratios) > 0) or not changes
        assert abs(ratios[-1] - 1) < 1e-4
