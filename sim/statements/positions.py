"""A simulation of a network whose gradients meet at a reflecting border."""

import jax.numpy as jnp

from sim.statements.networks import LAST, of_gradients
from sim.statements.outcome import Outcome, Settings, of_mean
from theory.laws.energy import logit_energy_map
from theory.laws.positions import coherent_energy_map
from theory.network import Conv, Dense, GlobalAvgPool, Network, serial


def positions(settings: Settings) -> Outcome:
    """Two convolutions with reflecting border under an average; linear, so at every width."""
    conv = Conv(8, LAST, border="reflect")
    network = Network("averaged", serial(conv, conv, GlobalAvgPool(), Dense(1, LAST)))
    body, shape = network.body, network.input_shape(4)
    energies = of_gradients(lambda g: jnp.sum(g**2), network, 4, settings)
    independent = logit_energy_map(body, shape).sum()
    expected = coherent_energy_map(body, shape)[0].sum() / independent
    what = "E‖∂f‖₂² over its value under H, two linear convolutions with reflecting border, average"
    return of_mean(what, float(expected), energies / independent)
