"""Random norms whose means and exponents are known: what intervals are measured against.

A `Truth` draws norms by (replicate, seed, size), as a scaling run would, with NumPy. Some are the
exact law of dense networks, the others power laws whose sizes share a part of their noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp
from jaxtyping import Float
from scipy import special

from sim.statistics.intervals import slope_weights
from theory import architectures, predict
from theory.laws.dense import DenseLaw
from theory.laws.masked_sum import MaskedSum

SIDES = (8, 16, 32, 64)
DS = np.array([3.0 * side**2 for side in SIDES])
"""Input dimensions of every truth, those of `python -m sim.scaling --arch mlp`."""

Norms = Float[np.ndarray, "replicates seeds sizes"]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""Positive random numbers of mean 1 of that shape."""


@dataclass(frozen=True)
class Truth:
    """Norms of known law at the dimensions `DS`."""

    title: str
    sample: Callable[[np.random.Generator, int, int], Norms]
    """From a number of replicates and of seeds."""
    means: Float[np.ndarray, " sizes"]
    log_slope: float
    """Slope of E log‖∂‖, given that it is not zero, on log d."""
    exact: bool
    """Whether it is an exact law, which claims its constant too."""

    @property
    def exponent(self) -> float:
        """Slope of log E‖∂‖ on log d."""
        return float(slope_weights(DS) @ np.log(self.means))


def dense(width: int, depth: int, q: float, shared: bool = True) -> Truth:
    """‖∂f_k‖_q of `architectures.mlp` (`theory.laws.dense`), at every size of one seed.

    With `shared` the hidden factors and the first coordinates of z are the same at all sizes, as
    where Gaussian matrices are not formed (`sim.networks.unformed`); without, sizes share nothing.
    """
    law = predict(architectures.mlp(width=width, depth=depth), q)
    laws = [x for d in DS if isinstance(x := law.distribution(int(d)), DenseLaw)]
    scales = np.array([float(x.scale_squared) ** 0.5 for x in laws])

    def sample(rng: np.random.Generator, replicates: int, seeds: int) -> Norms:
        shape = (replicates, seeds, 1 if shared else len(DS))
        inner = np.ones(shape)
        for layer in laws[0].hidden:
            inner *= _masked_sum(rng, layer, shape)
        return scales * np.sqrt(inner) * _gaussian_norms(rng, q, replicates, seeds, shared)

    order = {1: "₁", 2: "₂", np.inf: "∞"}[q]
    apart = "" if shared else ", sizes independent"
    return Truth(
        f"mlp {width} × {depth}, ‖∂f‖{order}{apart}",
        sample,
        np.array([x.moment(q, 1) for x in laws]),
        float(slope_weights(DS) @ [x.log_mean(q) for x in laws]),
        exact=True,
    )


def _masked_sum(rng: np.random.Generator, layer: MaskedSum, shape: tuple[int, ...]) -> np.ndarray:
    """Draws of S = Σ D_i² z_i²: a chi-square of the open units and one of the others."""
    opened = rng.binomial(layer.units, 0.5, shape)
    found = _chi_square(rng, opened)
    if layer.slope != 0:
        found += float(layer.slope) ** 2 * _chi_square(rng, layer.units - opened)
    return found


def _chi_square(rng: np.random.Generator, degrees: np.ndarray) -> np.ndarray:
    return 2 * rng.standard_gamma(degrees / 2)


def _gaussian_norms(
    rng: np.random.Generator, q: float, replicates: int, seeds: int, shared: bool
) -> Norms:
    """‖z‖_q at all sizes, from blocks of coordinates: those that a size has more than the last."""
    counts = np.diff(DS, prepend=0).astype(int) if shared else DS.astype(int)
    shape = (replicates, seeds)
    blocks = np.stack([_block(rng, q, int(count), shape) for count in counts], axis=-1)
    if q == np.inf:
        return np.maximum.accumulate(blocks, axis=-1) if shared else blocks
    return (np.cumsum(blocks, axis=-1) if shared else blocks) ** (1 / q)


def _block(rng: np.random.Generator, q: float, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Σ|z_i|^q over `count` coordinates, or the largest |z_i| for q = ∞."""
    if q == np.inf:
        return np.sqrt(2) * special.erfinv(rng.random(shape) ** (1 / count))
    if q == 2:
        return _chi_square(rng, np.full(shape, count))
    below, values = _table(q, count)
    return np.interp(rng.random(shape), below, values) ** q


@cache
def _table(q: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The distribution function of ‖z‖_q for `count` coordinates, and where it is taken."""
    law = DenseLaw(count, (), sp.Integer(1))
    centre, spread = law.log_mean(q), law.log_variance(q) ** 0.5
    values = np.exp(centre + spread * np.linspace(-8, 8, 4001))
    return law.distribution_function(values, q), values


def power_law(title: str, shared: Draw, own: Draw, exponent: float = 0.5) -> Truth:
    """3 d^exponent times a factor that all sizes of a seed share and one of each size."""
    means = 3 * DS**exponent

    def sample(rng: np.random.Generator, replicates: int, seeds: int) -> Norms:
        shape = (replicates, seeds)
        return means * shared(rng, (*shape, 1)) * own(rng, (*shape, len(DS)))

    return Truth(title, sample, means, exponent, exact=False)


def log_normal(sigma: float) -> Draw:
    """exp(σ z − σ²/2)."""
    return lambda rng, shape: np.exp(sigma * rng.standard_normal(shape) - sigma**2 / 2)


def correlated(sigma: float, correlation: float) -> tuple[Draw, Draw]:
    """Factors of log-normal norms: σ of the logarithm, and its correlation between two sizes."""
    return log_normal(sigma * correlation**0.5), log_normal(sigma * (1 - correlation) ** 0.5)


def pareto(index: float) -> Draw:
    """P(X > x) ∝ x^−index: moments of this and higher orders are infinite."""
    return lambda rng, shape: (1 - rng.random(shape)) ** (-1 / index) * (index - 1) / index


def half_student(degrees: float) -> Draw:
    """|t| of Student's law: P(X > x) falls like x^−degrees."""
    log_mean = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2)
    mean = 2 * np.sqrt(degrees / np.pi) / (degrees - 1) * np.exp(log_mean)
    return lambda rng, shape: np.abs(rng.standard_t(degrees, shape)) / mean


def with_zeros(draw: Draw, share: float) -> Draw:
    """Zero with a probability of `share`."""
    return lambda rng, shape: draw(rng, shape) * (rng.random(shape) >= share) / (1 - share)


TRUTHS: dict[str, Callable[[], Truth]] = {
    "wide": lambda: dense(256, 3, 1.0),
    "medium": lambda: dense(64, 3, 1.0),
    "narrow": lambda: dense(16, 3, np.inf),
    "formed": lambda: dense(16, 3, 2.0, shared=False),
    "deep": lambda: dense(16, 10, 1.0),
    "dying": lambda: dense(4, 4, 2.0),
    "mild": lambda: power_law("log-normal, σ 0.3, correlation 0.8", *correlated(0.3, 0.8)),
    "independent": lambda: power_law("log-normal, σ 1, correlation 0", *correlated(1.0, 0.0)),
    "correlated": lambda: power_law("log-normal, σ 1, correlation 0.8", *correlated(1.0, 0.8)),
    "extreme": lambda: power_law("log-normal, σ 2, correlation 0.99", *correlated(2.0, 0.99)),
    "zeros": lambda: power_law(
        "log-normal, σ 0.5, 5 % zeros", with_zeros(log_normal(0.5), 0.05), log_normal(0.1)
    ),
    "student": lambda: power_law("half Student, 5 degrees", half_student(5.0), log_normal(0.2)),
    "pareto": lambda: power_law("Pareto, index 2.5", pareto(2.5), log_normal(0.1)),
}
"""What is simulated, by name; a truth is built when it is asked for."""


@dataclass(frozen=True)
class Reports:
    """Norms of all rows of a report, of known law."""

    title: str
    ds: Float[np.ndarray, " sizes"]
    means: Float[np.ndarray, "rows sizes"]
    sample: Callable[
        [np.random.Generator, int, int], Float[np.ndarray, "replicates rows seeds sizes"]
    ]
    """From a number of replicates and of seeds."""


def dense_reports(widths: tuple[int, ...], depth: int, shared: bool = True) -> Reports:
    """Three norms of the same gradients, for several widths of `architectures.mlp`.

    Small sizes, d = 4, 16 and 64, so that all coordinates can be drawn. `shared` as in `dense`.
    """
    ds, qs = np.array([4, 16, 64]), (1, 2, np.inf)
    networks = [architectures.mlp(width=width, depth=depth, channels=1) for width in widths]
    known = [predict(network).distribution(int(ds[-1])) for network in networks]
    laws = [law for law in known if isinstance(law, DenseLaw)]
    means = [[predict(net, q)(int(d)) for d in ds] for net in networks for q in qs]

    def sample(rng: np.random.Generator, replicates: int, seeds: int) -> np.ndarray:
        shape = (replicates, seeds, len(ds) if not shared else 1)
        rows = []
        for law in laws:
            # the weights of the first layer have variance 2/d, so c² ∝ 1/d
            inner = float(law.scale_squared) * ds[-1] / ds * np.ones(shape)
            for layer in law.hidden:
                inner = inner * _masked_sum(rng, layer, shape)
            z = np.abs(rng.standard_normal((replicates, seeds, ds[-1]), dtype=np.float32))
            # from the sums over coordinates that one size has more than the last
            starts = [0, *ds[:-1]]
            sums = [np.add.reduceat(power, starts, axis=-1) for power in (z, z * z)]
            one, two = (np.cumsum(x, axis=-1, dtype=float) for x in sums)
            largest = np.maximum.accumulate(np.maximum.reduceat(z, starts, axis=-1), axis=-1)
            rows += [np.sqrt(inner) * norm for norm in (one, np.sqrt(two), largest)]
        return np.stack(rows, axis=1)

    apart = "" if shared else ", sizes independent"
    title = f"mlp {' '.join(map(str, widths))} × {depth}{apart}"
    return Reports(title, ds.astype(float), np.array(means), sample)


REPORTS: dict[str, Callable[[], Reports]] = {
    "usual": lambda: dense_reports((16, 64, 256), 3),
    "formed": lambda: dense_reports((16, 64, 256), 3, shared=False),
    "deep": lambda: dense_reports((8, 16, 32), 6),
}
"""What false alarms are measured on, by name."""
