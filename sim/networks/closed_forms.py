"""For which networks the first matrix can be integrated out in closed form. Without jax."""

from collections.abc import Sequence

from theory.initializers import is_gaussian
from theory.network import Dense, Flatten, Network

CLOSED_FORMS = (1.0, 2.0)
"""Orders q of norms whose expectation is known (`sim.networks.conditional`)."""

LEAST = 8
"""Input coordinates from which the quadrature gives E‖·‖_2 within 1e-5."""


def check(network: Network, d: int, norms: Sequence[float]) -> None:
    """Raises ValueError, with one sentence, if there is no closed form for d coordinates."""
    layers = network.body.layers
    if len(layers) < 3 or not isinstance(layers[0], Flatten) or not isinstance(layers[1], Dense):
        raise ValueError(
            f"--integrate-first needs a dense first layer, which {network.name} lacks."
        )
    if not is_gaussian(layers[1].init):
        raise ValueError("--integrate-first needs Gaussian weights in the first layer.")
    if d < LEAST:
        raise ValueError(f"--integrate-first needs at least {LEAST} input coordinates, not {d}.")
    for q in norms:
        if q not in CLOSED_FORMS:
            raise ValueError(f"--integrate-first has a closed form for --norms 1 2, not for {q:g}.")
