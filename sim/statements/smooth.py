"""The simulation of a network with a smooth activation."""

from sim.statements.networks import norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict


def smooth_activations(settings: Settings) -> Outcome:
    """The wide limit of a GELU network, at a width where its error is small."""
    network = architectures.mlp(1024, depth=2, activation="gelu")
    what = "E‖∂f‖₁ at d = 48, gelu mlp of width 1024"
    return of_mean(what, predict(network, 1)(48), norms_of(network, 4, settings, 1.0))
