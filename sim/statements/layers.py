"""Simulations of convolutions and poolings, layer by layer."""

from sim.statements.networks import HE, LAST, norms_of
from sim.statements.outcome import Outcome, Settings, of_mean
from theory import architectures, predict
from theory.network import AvgPool, Conv, Dense, Flatten, Network, ReLU, serial


def corollary_6(settings: Settings) -> Outcome:
    """The energy of a convolutional network with a dense head."""
    network = architectures.cnn(width=4)
    what = "E‖∂f‖₂² of cnn, 4 convolutions of 4 channels, dense head, side 8"
    return of_mean(
        what, predict(network, 2).second_moment, norms_of(network, 8, settings, 2.0) ** 2
    )


def average_pooling(settings: Settings) -> Outcome:
    """Two average poolings with 1×1 kernels, whose patches do not overlap."""
    body = serial(AvgPool(2), Conv(8, HE, kernel=1), ReLU(), AvgPool(2), Flatten(), Dense(1, LAST))
    network = Network("pooled", body)
    what = "E‖∂f‖₂² of a 1×1 convolution between two 2×2 average pools, side 8"
    return of_mean(what, 1 / 16, norms_of(network, 8, settings, 2.0) ** 2)
