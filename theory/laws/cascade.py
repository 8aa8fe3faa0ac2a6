"""Finite width: the energies of a gradient as a random cascade.

Backwards through the network, the gradient behind each activation is Gaussian given the energy
that arrives there; the activation keeps Σ_m φ'(z_m)² u_m² of it, m over the n channels of a
position. So each position multiplies its energy by a factor of mean 1, for a ReLU of relative
variance 5/n. In a dense network with Gaussian weights that is the exact law (Hanin & Nica, arXiv
1812.05994). The factors of two positions have covariances, which `theory.laws.positions` knows
for the limit of large width: they share a part with all positions, another part with those that
are read through the same taps, and have a third part for themselves. Each part is a gamma variable.
"""

from dataclasses import dataclass
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
    sample = _sample(body, shape)
    norms = gaussian.norm_values(q, sample.groups)
    # a norm goes like the square root of the total energy, whose mean is known to be 1
    return sample.outside * float(norms.mean() * (1 - (sample.total - 1) / 2)), sample.power


@dataclass(frozen=True)
class _Sample:
    """Gradients of one logit, Gaussian given their energies."""

    groups: gaussian.Groups
    """By (draw, group), in units of 2^`power`."""
    total: float
    """The mean total energy, over what it is known to be."""
    outside: float
    """What every norm is multiplied with."""
    power: int


@lru_cache(maxsize=256)
def _sample(body: Serial, shape: Shape) -> _Sample:
    side, channels = shape[0], shape[2]
    draws = int(np.clip(2**18 // side**2, 16, 128))
    maps, k, outside = _sampled(body, shape, draws)
    exact, exact_k = coherent_energy_map(body, shape)
    total = maps.mean(axis=0).sum() / (exact.sum() * 4.0 ** (exact_k - k))
    return _Sample(_groups(maps.reshape(draws, -1), channels), total, outside, k)


def _groups(energies: np.ndarray, channels: int) -> gaussian.Groups:
    """Energies (draws, positions) gathered in narrow logarithmic bins, represented by means."""
    some = energies > 0
    logs = np.log(energies, out=np.full(energies.shape, np.nan), where=some)
    least, most = (
        f(logs, axis=1, initial=x, where=some, keepdims=True)
        for f, x in ((np.min, np.inf), (np.max, -np.inf))
    )
    width = np.maximum((most - least) / BINS, 1e-9)
    bins = np.where(some, (logs - least) / width, 0).astype(int)
    index = bins + (BINS + 1) * np.arange(len(energies))[:, None]
    size = (len(energies), BINS + 1)
    counts = np.bincount(index[some], minlength=size[0] * size[1]).reshape(size)
    sums = np.bincount(index[some], weights=energies[some], minlength=size[0] * size[1])
    means = sums.reshape(size) / np.maximum(counts, 1)
    return gaussian.Groups(np.sqrt(means / channels), counts * channels)
