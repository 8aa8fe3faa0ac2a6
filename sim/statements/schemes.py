"""The simulation of an initialization that does not keep the law at all sizes."""

import numpy as np

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_exponent
from theory import architectures, predict
from theory.laws.parts import d


def initialization(settings: Settings) -> Outcome:
    """Glorot's energy between d below and above the width."""
    network, sides = architectures.mlp(width=64, depth=1, init="glorot"), (2, 16)
    ds = [3 * side**2 for side in sides]
    law = predict(network, 2).second_moment
    expected = np.diff(np.log([float(law.subs(d, x)) for x in ds]))[0] / np.log(ds[1] / ds[0])
    energies = np.stack([norms_of(network, side, settings, 2.0) ** 2 for side in sides], axis=1)
    what = "exponent of E‖∂f‖₂², glorot mlp of width 64, sides 2 and 16"
    return of_exponent(what, expected, energies, ds)
