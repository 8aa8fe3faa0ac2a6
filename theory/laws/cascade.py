"""Finite width: the energies of a gradient as a random cascade.

Backwards through the network, the gradient behind each activation is Gaussian given the energy
that arrives there; the activation keeps Σ_m φ'(z_m)² u_m² of it, m over the n channels of a
position. So each position multiplies its energy by a factor of mean 1, for a ReLU of relative
variance 5/n. In a dense network with Gaussian weights that is the exact law (Hanin & Nica, arXiv
1812.05994). The factors of two positions have covariances, which `theory.laws.positions` knows
for the limit of large width: they share a part with all positions, another part with those that
are read through the same taps, and have a third part for themselves. Each part is a gamma variable.
"""

from functools import lru_cache

import numpy as np
from scipy import special

from theory.laws import gaussian
from theory.laws.energy import scaled_energy_map
from theory.laws.parts import finite_width_value, root_of_gamma
from theory.laws.positions import Together, coherent_energy_map, together
from theory.network import Activation, Serial, Shape

BINS = 96

NONE = 1e-9
"""A variance that counts as none."""


def sample_energy_maps(body: Serial, shape: Shape, draws: int, seed: int = 0) -> np.ndarray:
    """Energies of one logit's input gradient at each position, summed over channels.

    Shape (draws, side, side) for an integer image shape (side, side, channels). Their mean is
    `theory.laws.positions.coherent_energy_map`; what all positions share is left out.
    """
    maps, k, _ = _sampled(body, shape, draws, seed)
    return maps * 4.0**k


def _sampled(
    body: Serial, shape: Shape, draws: int, seed: int = 0
) -> tuple[np.ndarray, int, float]:
    """The maps in units of 4^k, and the factor that is left out of the root of all of them."""
    placed, excess = together(body, shape)
    rng, outside, trunk = np.random.default_rng(seed), 1.0, set(map(id, placed.layers))

    def shared(variance: np.ndarray, repeat: list[int]) -> np.ndarray | float:
        """Gamma variables of mean 1, in draws that are spread evenly over their law."""
        if variance.max() <= NONE:
            return 1.0
        order = rng.permuted(np.tile(np.arange(draws), (*variance.shape, 1)), axis=-1)
        shape = 1 / np.maximum(variance, NONE)[..., None]
        found = special.gammaincinv(shape, (order + 0.5) / draws) / shape
        return np.tile(np.moveaxis(found, -1, 0), (1, *repeat))

    def fluctuate(activation: Activation, channels: int, energies: np.ndarray) -> np.ndarray:
        nonlocal outside
        assert isinstance(activation, Together)
        in_trunk, places = id(activation) in trunk, energies.shape[1:]
        if in_trunk and places == (1, 1):
            outside *= finite_width_value(channels, activation.activation)
            return energies
        alike, own = 1 + activation.alike / channels, 1 + activation.own / channels
        other = alike if alike.size == 1 else np.full((1, 1), 1 + activation.other / channels)
        if in_trunk:
            outside *= root_of_gamma(1 / max(other.item() - 1, NONE))
        else:
            energies = energies * shared(other - 1, [1, 1])
        repeat = [n // p for n, p in zip(places, alike.shape, strict=True)]
        order = 1 / np.maximum(np.tile(own / alike - 1, repeat), NONE)
        several = shared(alike / other - 1, repeat)
        return energies * several * rng.standard_gamma(order, energies.shape) / order

    maps, k = scaled_energy_map(placed, shape, np.ones((draws, 1, 1)), fluctuate)
    return maps * excess, k, outside


@lru_cache(maxsize=4096)
def norm_value(body: Serial, shape: Shape, q: float) -> float:
    """E‖∂f_k/∂x‖_q at an integer image shape (side, side, channels), by sampling the cascade.

    The samples are fixed and corrected by the known mean energy; the relative standard error is
    about 1e-3, at width 64 at most 2e-3.
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
    exact, exact_k = coherent_energy_map(body, shape)
    norms = np.array([gaussian.norm_value(q, _groups(x.ravel(), channels)) for x in maps])
    totals = maps.sum(axis=(1, 2)) / (exact.sum() * 4.0 ** (exact_k - k))
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
