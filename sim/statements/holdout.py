"""Four convolutional networks that nothing else here uses, against the law of second moments.

`python -m sim.statements.holdout` measures E(∂f/∂x_i)² of every pixel at one image. The law
(`true-masks`) was derived, and tested on other networks, before these were chosen; they were chosen
once, for what they have in common with none of those: five by five kernels of signs, dilation
with a leaky slope and a stride of three, borders that reflect, one channel in six layers.
"""

import sys
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key
from scipy import stats

from sim.networks import layers
from sim.running import command_line
from sim.statements.networks import LAST, compiled
from sim.statistics.verdicts import FALSE_ALARM
from theory import console
from theory.initializers import VarianceScaling
from theory.laws.energy import logit_energy_map
from theory.network import Conv, Dense, Flatten, LeakyReLU, Network, ReLU, serial
from theory.tables import Table, columns, markdown, printed

BATCH = 1000
"""Networks computed side by side."""

NORMAL = VarianceScaling(2)
SIGNS = VarianceScaling(2, distribution="rademacher")
UNIFORM = VarianceScaling(2, distribution="uniform")
TRUNCATED = VarianceScaling(2, distribution="truncated-normal")

NETWORKS: dict[str, tuple[Network, int]] = {
    name: (Network(name, serial(*body, Flatten(), Dense(1, LAST)), channels=1), side)
    for name, side, body in (
        (
            "5×5 kernels of random signs, zeros outside, then stride 2",
            6,
            (Conv(2, SIGNS, 5, border="zero"), ReLU(), Conv(3, SIGNS, 3, 2, border="zero"), ReLU()),
        ),
        (
            "dilation 2, slope 3/10, then stride 3",
            9,
            (Conv(2, NORMAL, dilation=2), LeakyReLU(0.3), Conv(2, NORMAL, stride=3), ReLU()),
        ),
        (
            "borders that reflect, strides 2 and 2, uniform weights, a dense layer",
            8,
            (Conv(3, UNIFORM, 3, 2, border="reflect"), ReLU(), Conv(2, UNIFORM, 3, 2), ReLU(),
             Flatten(), Dense(3, UNIFORM), ReLU()),
        ),
        (
            "six layers of one channel, truncated normal weights",
            5,
            (Conv(1, TRUNCATED), ReLU()) * 6,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """How much to measure."""

    seeds: int = 400_000
    """Random networks of each kind."""
    seed: int = 0
    """Key of all networks, and of the images."""
    markdown: bool = False
    """Print the table as it stands in docs/statements.md."""


@dataclass(frozen=True)
class Found:
    """What was measured of one network."""

    total: float
    """Mean ‖∂f‖_2² over its law."""
    error: float
    """Its standard error."""
    z: np.ndarray
    """Standard errors between mean and law of every pixel."""


def measure(network: Network, side: int, config: Config) -> Found:
    """E(∂f/∂x_i)² of every pixel at one Gaussian image, beside `logit_energy_map`."""
    shape = network.input_shape(side)
    image = jax.numpy.asarray(np.random.default_rng(config.seed).standard_normal(shape))

    def one(key: Key[Array, ""]) -> Array:
        weights = layers.init(network.body, key, shape, lazy=False)
        return jax.grad(lambda x: layers.apply(network.body, weights, x)[0])(image)

    @compiled
    def squares(key: Key[Array, ""]) -> tuple[Array, ...]:
        found = jax.vmap(one)(jax.random.split(key, BATCH)).reshape(BATCH, -1) ** 2
        total = found.sum(axis=1)
        return found.sum(axis=0), (found**2).sum(axis=0), total.sum(), (total**2).sum()

    batches = -(-config.seeds // BATCH)
    key, sums = jax.random.key(config.seed), None
    for batch in range(batches):
        part = [np.asarray(x, float) for x in squares(jax.random.fold_in(key, batch))]
        sums = part if sums is None else [a + b for a, b in zip(sums, part, strict=True)]
    n = batches * BATCH
    first, second, total, of_squares = (x / n for x in sums or [])
    law = np.asarray(logit_energy_map(network.body, shape), float).ravel()
    z = (first - law) / np.sqrt((second - first**2) / (n - 1))
    spread = np.sqrt((of_squares - total**2) / (n - 1))
    return Found(float(total / law.sum()), float(spread / law.sum()), z)


def table(found: dict[str, Found]) -> Table:
    """The networks with their verdicts: Bonferroni over all pixels of all of them."""
    names = ("network", "pixels", "E‖∂f‖₂² over its law", "z", "largest z of a pixel", "verdict")
    tests = sum(one.z.size for one in found.values())
    bound = stats.norm.isf(FALSE_ALARM / tests / 2)
    rows: list[Any] = []
    for name, one in found.items():
        largest, z = float(np.abs(one.z).max()), (one.total - 1) / one.error
        verdict = "agrees" if largest < bound else "CONTRADICTS"
        ratio = f"{one.total:.4f} ± {one.error:.4f}"
        rows.append((name, str(one.z.size), ratio, f"{z:+.1f}", f"{largest:.1f}", verdict))
    title = f"second moments of hold-out networks; a pixel contradicts beyond |z| = {bound:.1f}"
    return Table(title, columns(names, ("network", "verdict")), tuple(rows))


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 if a pixel contradicts the law."""
    about = __doc__ or ""
    (config,) = command_line.parse((Config,), "python -m sim.statements.holdout", about, args)
    with command_line.progress("measuring networks", len(NETWORKS)) as advance:
        found = {}
        for name, (network, side) in NETWORKS.items():
            found[name] = measure(network, side, config)
            advance(1)
    result = table(found)
    if config.markdown:
        print(markdown(result))
    else:
        console.for_tables(130).print(printed(result))
    return int(any(row[-1] != "agrees" for row in result.rows))


if __name__ == "__main__":
    sys.exit(console.run(main))
