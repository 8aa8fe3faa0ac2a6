"""A simulation of the bounds of E‖∂f‖_1."""

import numpy as np

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict


def norm_bounds(settings: Settings) -> Outcome:
    """The mean ℓ_1 norm of a narrow network between its bounds."""
    network, side = architectures.cnn(width=4, depth=2), 8
    found = predict(network, 1).bounds(3 * side**2)
    assert found is not None
    norms = norms_of(network, side, settings, 1.0)
    nearest = np.clip(norms.mean(), found.lower, found.upper)
    what = (
        "E‖∂f‖₁ of cnn, 2 convolutions of 4 channels, against the nearest value between its bounds "
        f"{found.lower:.3f} and {found.upper:.3f}"
    )
    return of_mean(what, nearest, norms)
