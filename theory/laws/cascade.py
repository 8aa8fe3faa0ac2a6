"""Finite width: the energies of a gradient as a random cascade.

Backwards through the network, the gradient behind each activation is Gaussian given the energy
that arrives there; its mask then keeps Σ_m D_m² z_m² of it, D_m in {1, slope} with probability 1/2,
z_m ~ N(0, 1), m over the n channels of a position. So each position multiplies its energy by an
independent factor (χ²_B + slope² χ²_{n−B}) / E, B ~ Bin(n, 1/2), of relative variance 5/n for a
ReLU. In a dense network with Gaussian weights this is the exact law (Hanin & Nica, arXiv
1812.05994); in a convolutional one it rests on H, and takes the masks of different positions as
independent, or as equal after a global average, which hands the same gradient to all of them. It
tells how unequal the local energies are, which the largest coordinate feels. Activations resolved
in the wide limit (`theory.laws.wide`) fluctuate by a gamma variable of the right mean and variance.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import special

from theory.laws import gaussian
from theory.laws.energy import scaled_energy_map
from theory.laws.positions import Together, together
from theory.laws.resolved import Resolved
from theory.network import Activation, Serial, Shape

BINS = 96

NONE = 1e-9
"""A variance that counts as none."""


def sample_energy_maps(body: Serial, shape: Shape, draws: int, seed: int = 0) -> np.ndarray:
    """Energies of one logit's input gradient at each position, summed over channels.

    Shape (draws, side, side) for an integer image shape (side, side, channels). Their mean is that
    of `theory.laws.positions.energies`; what all positions have in common is left out.
    """
    maps, k, _ = _sampled(body, shape, draws, seed)
    return maps * 4.0**k


def _sampled(
    body: Serial, shape: Shape, draws: int, seed: int = 0
) -> tuple[np.ndarray, int, float]:
    """The maps in units of 4^k, and the factor that is left out of the root of all of them."""
    placed, excess = together(body, shape)
    rng, outside, trunk = np.random.default_rng(seed), 1.0, set(map(id, placed.layers))

    def gamma(variance: Any, size: tuple[int, ...]) -> np.ndarray:
        """Variables of mean 1."""
        order = 1 / np.maximum(variance, NONE)
        return rng.standard_gamma(order, (draws, *size)) / order

    def fluctuate(activation: Activation, channels: int, energies: np.ndarray) -> np.ndarray:
        nonlocal outside
        assert isinstance(activation, Together)
        alike, own = 1 + activation.alike / channels, 1 + activation.own / channels
        other = float(alike[0, 0]) if alike.size == 1 else 1 + activation.other / channels
        if id(activation) in trunk:
            outside *= _root(other - 1)
        else:
            energies = energies * gamma(other - 1, (1, 1))
        repeat = [n // p for n, p in zip(energies.shape[1:], alike.shape, strict=True)]
        several = np.tile(gamma(alike / other - 1, alike.shape), (1, *repeat))
        return energies * several * gamma(np.tile(own / alike - 1, repeat), energies.shape[1:])

    maps, k = scaled_energy_map(placed, shape, np.ones((draws, 1, 1)), fluctuate)
    return maps * excess, k, outside


def _root(variance: float) -> float:
    """E√F of a gamma variable F of mean 1."""
    order = 1 / max(variance, NONE)
    return float(special.poch(order, 0.5) / np.sqrt(order))


def relative_variance(activation: Resolved) -> Any:
    """Var S / (E S)² of S = φ'(z)² u² for one unit, u ~ N(0, 1): 5 for a ReLU, 2 for the identity.

    Of the mean over n units it is the n-th part.
    """
    return 3 * activation.fourth_moment / activation.second_moment**2 - 1


@lru_cache(maxsize=4096)
def norm_value(body: Serial, shape: Shape, q: float) -> float:
    """E‖∂f_k/∂x‖_q at an integer image shape (side, side, channels), by sampling the cascade.

    The samples are fixed and corrected by the known mean energy; the relative standard error is
    about 1e-3 and less for wide networks.
    """
    m, k = scaled_norm_value(body, shape, q)
    return scaled(m, k)


def scaled(m: float, k: int) -> float:
    """m · 2^k, infinite beyond the range of floats."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(m, k))


@lru_cache(maxsize=4096)
def scaled_norm_value(body: Serial, shape: Shape, q: float) -> tuple[float, int]:
    """`norm_value` as (m, k), standing for m · 2^k."""
    side, channels = shape[0], shape[2]
    draws = int(np.clip(2**18 // side**2, 16, 128))
    maps, k, outside = _sampled(body, shape, draws)
    exact, exact_k = scaled_energy_map(body, shape, np.ones((1, 1)))
    expected = (exact * together(body, shape)[1]).sum()
    norms = np.array([gaussian.norm_value(q, _groups(x.ravel(), channels)) for x in maps])
    totals = maps.sum(axis=(1, 2)) / (expected * 4.0 ** (exact_k - k))
    # a norm goes like the square root of the total energy, whose mean is known to be 1
    return outside * float(norms.mean() - norms.mean() / 2 * (totals.mean() - 1)), k


def _groups(energies: np.ndarray, channels: int) -> gaussian.Groups:
    """Energies gathered in narrow logarithmic bins, each represented by its mean."""
    energies = energies[energies > 0]
    if energies.size == 0:
        return gaussian.Groups([0.0], [1])
    logs = np.log(energies)
    width = max(float(np.ptp(logs)) / BINS, 1e-9)
    bins = ((logs - logs.min()) / width).astype(int)
    counts = np.bincount(bins)
    means = np.bincount(bins, weights=energies)[counts > 0] / counts[counts > 0]
    return gaussian.Groups(np.sqrt(means / channels), counts[counts > 0] * channels)
