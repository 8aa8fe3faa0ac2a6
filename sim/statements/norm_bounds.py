"""A simulation of the bounds of E‖∂f‖_1."""

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_identity
from theory import architectures, predict


def norm_bounds(settings: Settings) -> Outcome:
    """How far the mean ℓ_1 norm of a narrow network lies outside of its bounds."""
    network, side = architectures.cnn(width=4, depth=2), 8
    found = predict(network, 1).bounds(3 * side**2)
    assert found is not None
    mean = norms_of(network, side, settings, 1.0).mean()
    outside = max(found.lower - mean, mean - found.upper, 0.0)
    what = "how far E‖∂f‖₁ lies outside of its bounds, cnn with two convolutions of 4 channels"
    return of_identity(what, float(outside / found.upper), settings.seeds, 0.0)
