"""What the loss knows of its own gradient, in networks of finite width: α, and loss over logit.

`python -m sim.statements.loss_over_logit` measures for some networks the share α of the gradient's
energy that points along the features, and E‖∂_x L‖_2 over E‖∂_x f_k‖_2 of the same networks and
inputs, beside their laws (`gaussian-head`, `theory.laws.alignment`). ± is a standard error; rows
have inputs and labels in common, so that their deviations are no independent ones. The laws are of
first order in 1/width; near borders that reflect they leave something out.
"""

import sys
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from sim.networks import layers
from sim.plan import refusals
from sim.running import command_line
from sim.sampling.draws import Draws
from sim.sampling.norms import sample
from sim.statements.networks import compiled
from sim.statistics import finite
from sim.statistics.finite import Ratio
from sim.statistics.verdicts import FEWEST_SEEDS
from theory import architectures, console, predict
from theory.laws.alignment import head
from theory.laws.parts import gains
from theory.laws.wide import needed
from theory.network import Network, Serial
from theory.tables import Table, columns, markdown, printed

PROBES = 8
"""Random features from which ‖J‖_F² is estimated, for each network."""
FEWEST = 4 * FEWEST_SEEDS
"""Seeds of a run, of which wide networks have a quarter."""
BATCH = 50
"""Networks computed side by side."""

NETWORKS: dict[str, tuple[Network, int]] = {
    **{
        f"{name} of width {width}, side 8": (build(width, **options), 8)
        for width in (16, 64)
        for name, build, options in (
            ("cnn", architectures.cnn, {}),
            ("cnn --head gap", architectures.cnn, {"head": "gap"}),
            ("resnet --head gap", architectures.resnet, {"head": "gap"}),
            ("resnet-preact", architectures.resnet_preact, {}),
            ("resnet-preact --head gap", architectures.resnet_preact, {"head": "gap"}),
            ("cnn --border reflect", architectures.cnn, {"border": "reflect"}),
            ("cnn --border reflect --head gap", architectures.cnn,
             {"border": "reflect", "head": "gap"}),
        )
    },
    "convnet-avdim of width 16, side 32": (architectures.convnet_avdim(16), 32),
    "convnet-avdim --head gap of width 16, side 32": (
        architectures.convnet_avdim(16, head="gap"),
        32,
    ),
}  # fmt: skip
"""Networks and their sides."""
WIDE = "width 64"
"""Of networks that take four times as long, and vary half as much."""


@dataclass(frozen=True)
class Config:
    """How much to measure."""

    seeds: int = 4000
    """Random networks for each row; a quarter of them at width 64."""
    seed: int = 0
    """Key of all networks."""
    markdown: bool = False
    """Print the table as Markdown."""


@dataclass(frozen=True)
class Found:
    """Of one network."""

    share: float
    """α by its law."""
    measured_share: Ratio
    ratio: float
    """Loss over logit by the law."""
    measured_ratio: Ratio


def alignment(network: Network, side: int, config: Config) -> Ratio:
    """E‖Jᵀĥ‖² / E‖J‖_F² of the features h at Gaussian inputs, ĥ = h/‖h‖, J = ∂h/∂x."""
    body, shape = Serial(network.body.layers[:-1]), network.input_shape(side)

    def one(key: Key[Array, ""]) -> Array:
        weights_key, input_key, probe_key = jax.random.split(key, 3)
        weights = layers.init(body, weights_key, shape)
        x = jax.random.normal(input_key, shape)
        h, pull = jax.vjp(lambda x: layers.apply(body, weights, x), x)
        probes = jax.random.normal(probe_key, (PROBES, *h.shape))
        # a network whose features are all 0 has no gradient
        along = pull(h / jnp.maximum(jnp.linalg.norm(h), 1e-30))[0]
        whole = jax.vmap(lambda probe: pull(probe)[0])(probes)
        return jnp.stack([jnp.sum(along**2), jnp.sum(whole**2) / PROBES])

    keys = jax.random.split(jax.random.key(config.seed), config.seeds)
    every = compiled(lambda keys: jax.lax.map(one, keys, batch_size=BATCH))(keys)
    along, whole = np.asarray(every, float).T
    return finite.ratio(along, whole)


def measure(network: Network, side: int, config: Config) -> Found:
    """α, and loss over logit, with their laws."""
    draws = Draws(("loss", "logit"), (2.0,), "gaussian", seed=config.seed)
    norms = sample(network, side, range(config.seeds), draws)[..., 0].astype(float)
    shape, d = network.input_shape(side), network.channels * side**2
    known = head(gains(network.body, shape, needed(network.body))[0], shape)
    assert known is not None
    return Found(
        float(known.alignment),
        alignment(network, side, config),
        predict(network, 2, "loss")(d) / predict(network, 2)(d),
        finite.ratio(norms[:, 0], norms[:, 1]),
    )


def table(found: dict[str, Found]) -> Table:
    """The networks with their laws."""
    names = ("network", "α", "measured α", "loss over logit", "measured loss over logit")
    rows = tuple(
        (
            name,
            f"{one.share:.4f}",
            f"{one.measured_share.value:.4f} ± {one.measured_share.standard_error:.4f}",
            f"{one.ratio:.4f}",
            f"{one.measured_ratio.value:.4f} ± {one.measured_ratio.standard_error:.4f}",
        )
        for name, one in found.items()
    )
    return Table("what the loss knows of its gradient", columns(names, ("network",)), rows)


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    program, about = "python -m sim.statements.loss_over_logit", __doc__ or ""
    (config,) = command_line.parse((Config,), program, about, args)
    with command_line.one_sentence():
        refusals.check_key(config.seed)
        if config.seeds < FEWEST:
            raise ValueError(f"--seeds must be at least {FEWEST}, not {config.seeds}.")
    with command_line.progress("measuring networks", len(NETWORKS)) as advance:
        found = {}
        for name, (network, side) in NETWORKS.items():
            seeds = config.seeds // 4 if WIDE in name else config.seeds
            found[name] = measure(network, side, replace(config, seeds=seeds))
            advance(1)
    result = table(found)
    if config.markdown:
        print(markdown(result))
    else:
        console.for_tables(130).print(printed(result))
    return 0


if __name__ == "__main__":
    sys.exit(console.run(main))
