"""A simulation of a network whose gradients meet at a reflecting border."""

from sim.statements.networks import HE, LAST, gradients_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import logit_energy_map
from theory.laws.positions import coherent_energy_map
from theory.network import Conv, Dense, GlobalAvgPool, Network, ReLU, serial

CHANNELS = 64
"""So many that gradients hardly depend on the weights."""


def positions(settings: Settings) -> Outcome:
    """Two convolutions with reflecting border under a global average, at white images."""
    conv = Conv(CHANNELS, HE, border="reflect")
    body = serial(conv, ReLU(), conv, ReLU(), GlobalAvgPool(), Dense(1, LAST))
    network = Network("averaged", body, channels=CHANNELS)
    shape = network.input_shape(4)
    energies = (gradients_of(network, 4, settings) ** 2).sum(axis=(1, 2, 3))
    independent, (expected, _) = (
        logit_energy_map(body, shape).sum(),
        coherent_energy_map(body, shape),
    )
    what = "E‖∂f‖₂² over its value under H, two convolutions with reflecting border, global average"
    return of_mean(what, float(expected.sum() / independent), energies / independent)
