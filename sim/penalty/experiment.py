"""Proposition 3: training on attacked inputs is, to first order, training with a gradient penalty.

`python -m sim.penalty` measures it in two ways. Random GELU networks: the mean of |augmented −
penalized loss|, ½ (L(x) + L(x + δ*)) against L(x) + (ε_p/2) ‖∂_x L‖_q, and its order in ε, which
is 2. Training: an mlp learns scikit-learn's digits with either loss from the same weights and the
same batches; the mean gradient norms on held-out digits are compared, and with those after clean
training. Inputs have mean square 1 per coordinate, the unit of ε; ε_p = ε d^{1/p}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sim.plan import configuration
from sim.running import command_line, files
from theory.console import for_tables

if TYPE_CHECKING:
    import numpy as np

    from sim.statistics.estimates import Slope
    from sim.vulnerability.first_order import Ratio


@dataclass(frozen=True)
class Config:
    """What to compare."""

    attack_norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders p of the norms that bound an attack, from 1 to inf."""
    eps: tuple[float, ...] = (1e-7, 1e-6, 1e-5, 1e-4)
    """Sizes per coordinate, two at least, at which the losses of random networks are compared."""
    train_eps: float = 1e-3
    """Size per coordinate in training."""
    width: int = 64
    """Units of both hidden layers."""
    epochs: int = 5
    """Passes over the training digits, in batches of 64 (Adam, learning rate 0.003)."""
    seeds: int = 16
    """Number of random networks trained with each loss; 32 times as many give the order."""
    seed: int = 0
    """Key of the whole run; the same key gives the same samples."""


@dataclass(frozen=True)
class Output:
    """What to do with the result."""

    json: str | None = None
    """Write one JSON object to this file, or to standard output for "-"."""
    check: bool = False
    """Exit with status 1 if an order's interval excludes 2 or trained norms differ."""


@dataclass(frozen=True)
class Result:
    """Proposition 3 in one norm."""

    p: str
    order: Slope
    """Of ε in the mean of |augmented − penalized loss|."""
    augmented: Ratio
    """Mean gradient norm after augmented training over that after penalized training."""
    clean: Ratio
    """Mean gradient norm after clean training over that after penalized training."""
    agrees: bool


SIDE = 8
BATCH = 64


def run(config: Config, advance: Callable[[int], None] = lambda done: None) -> list[Result]:
    """The two comparisons in every norm. Raises ValueError for what makes no sense.

    `advance` is called with 1 when one norm is done, and once for clean training.
    """
    check(config)
    import numpy as np

    from sim.statistics import estimates, verdicts
    from sim.vulnerability.first_order import ratio

    clean = trained(config)
    advance(1)
    found, comparisons = [], 2 * len(config.attack_norms)
    for i, p in enumerate(config.attack_norms):
        gaps = differences(config, float(p))
        order = estimates.exponent(gaps, np.array(sorted(config.eps)))
        augmented, penalized = (
            trained(config, loss, float(p))[:, i] for loss in ("augmented", "penalized")
        )
        same = ratio(augmented, penalized)
        # the third order changes the fitted order by about the largest ε_p
        third = max(config.eps) * SIDE ** (2 / float(p))
        nearest = float(np.clip(order.value, 2 - third, 2 + third))
        agrees = verdicts.agrees(order, nearest, comparisons) and same.allows(1, comparisons)
        found.append(Result(p, order, same, ratio(clean[:, i], penalized), bool(agrees)))
        advance(1)
    return found


def differences(config: Config, p: float, q: float | None = None) -> np.ndarray:
    """|augmented − penalized loss| of random mlps, each at one digit, by (seed, eps) in float64.

    Their activation is GELU. A ReLU's kink is crossed with a probability of order ε and then adds
    a difference of order ε: second order in the mean as well, but from so few networks that a
    sample of them shows it only at the larger ε, and an exponent above 2.

    The penalty has the dual norm of p, or ‖∂_x L‖_q if q is given.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from sim.attacks.ascent import steepest
    from sim.attacks.damage import dual, loss_increase
    from sim.networks.gradients import norm
    from sim.sampling import engine
    from sim.sampling.draws import Draws

    net, d = _network(config, "gelu"), SIDE**2
    draws = Draws(("loss",), (2.0,), "digits", seed=config.seed, lazy=False)
    sizes = np.array(sorted(config.eps)) * d ** (1 / p)
    order = dual(p) if q is None else q

    def measure(weights: Any, xs: jax.Array, labels: jax.Array, key: jax.Array) -> jax.Array:
        increase = loss_increase(net.body, weights, xs[0], labels[0])
        gradient = jax.grad(increase)(jnp.zeros_like(xs[0]))

        # both losses less L(x), which would only add its rounding
        def gap(size: jax.Array) -> jax.Array:
            attacked = increase(steepest(gradient, p, size)) / 2
            return jnp.abs(attacked - size / 2 * norm(gradient, order))

        return jax.vmap(gap)(jnp.asarray(sizes))

    with jax.enable_x64(True):
        return engine.measured(net, SIDE, range(32 * config.seeds), draws, measure)


def trained(config: Config, loss: str = "clean", p: float = 2.0) -> np.ndarray:
    """Mean ‖∂_x L‖_q over held-out digits after training, by (seed, norm of the configuration).

    The losses are clean, augmented and penalized; a seed's first weights and its batches do not
    depend on the loss.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from sim.attacks import losses
    from sim.attacks.damage import dual
    from sim.networks import layers
    from sim.networks.gradients import norm
    from sim.sampling import datasets

    net, d = _network(config), SIDE**2
    data = datasets.digits()
    training, held_out = data.training.standardized(), data.test.standardized()
    size = config.train_eps * d ** (1 / p)
    compare = {"augmented": losses.augmented, "penalized": losses.penalized}

    def of_example(weights: Any, x: jax.Array, label: jax.Array) -> jax.Array:
        if loss == "clean":
            return losses.cross_entropy(net.body, weights, x, label)
        return compare[loss](net.body, weights, x, label, p, size)

    def of_batch(weights: Any, xs: jax.Array, labels: jax.Array) -> jax.Array:
        return jax.vmap(of_example, (None, 0, 0))(weights, xs, labels).mean()

    count = len(training.labels)
    batches = count // BATCH
    optimizer = optax.adam(3e-3)

    def of_seed(
        index: jax.Array, images: jax.Array, labels: jax.Array, xs: jax.Array, ys: jax.Array
    ) -> jax.Array:
        key = jax.random.fold_in(jax.random.key(config.seed), index)
        weights_key, batch_key = jax.random.split(key)
        weights = layers.init(net.body, weights_key, net.input_shape(SIDE))

        def epoch(state: Any, key: jax.Array) -> tuple[Any, None]:
            drawn = jax.random.permutation(key, count)[: batches * BATCH]
            return jax.lax.scan(step, state, drawn.reshape(batches, BATCH))

        def step(state: Any, batch: jax.Array) -> tuple[Any, None]:
            weights, memory = state
            slope = jax.grad(of_batch)(weights, images[batch], labels[batch])
            updates, memory = optimizer.update(slope, memory)
            return (optax.apply_updates(weights, updates), memory), None

        start = (weights, optimizer.init(weights))
        (weights, _), _ = jax.lax.scan(epoch, start, jax.random.split(batch_key, config.epochs))

        def norms(x: jax.Array, label: jax.Array) -> jax.Array:
            g = jax.grad(losses.cross_entropy, argnums=2)(net.body, weights, x, label)
            return jnp.stack([norm(g, dual(float(order))) for order in config.attack_norms])

        return jax.vmap(norms)(xs, ys).mean(0)

    # images as arguments: as constants they would be folded into whatever reads them
    seeds = jnp.arange(config.seeds)
    given = (training.images, training.labels, held_out.images, held_out.labels)
    found = jax.jit(jax.vmap(of_seed, (0, None, None, None, None)))(
        seeds, *(jnp.asarray(array) for array in given)
    )
    return np.asarray(found, float)


def _network(config: Config, activation: str = "relu") -> Any:
    from theory.architectures import mlp

    return mlp(width=config.width, depth=2, channels=1, activation=activation)


def check(config: Config) -> None:
    """Raises ValueError, with one sentence, if it cannot be run."""
    configuration.check_lists(config, "attack_norms", "eps")
    if len(config.eps) < 2:
        raise ValueError(f"an order needs two sizes or more, not only --eps {min(config.eps):g}.")
    configuration.check_attacks(config.attack_norms, config.eps)
    if not 0 < config.train_eps < math.inf:
        raise ValueError(f"--train-eps must be a positive number, not {config.train_eps:g}.")
    if config.width < 1 or config.epochs < 1:
        raise ValueError("--width and --epochs must be at least 1.")
    configuration.check_seeds(config.seeds, config.seed)


def to_json(config: Config, results: list[Result]) -> str:
    """One JSON object {"config", "results"}; its schema: `sim/penalty/report.schema.json`."""
    rows = [
        {
            "p": result.p,
            "order": result.order.value,
            "order_ci": result.order.interval,
            "augmented": result.augmented.value,
            "augmented_ci": result.augmented.interval,
            "clean": result.clean.value,
            "clean_ci": result.clean.interval,
            "agrees": result.agrees,
        }
        for result in results
    ]
    content = {"config": asdict(config), "results": rows}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def show(config: Config, results: list[Result], to_stderr: bool = False) -> None:
    """Print the table, on standard output or on standard error."""
    from rich import box
    from rich.table import Table

    from sim.statistics.numbers import with_error

    console = for_tables(130, to_stderr)
    table = Table(title=f"Proposition 3, {config.seeds} seeds", box=box.SIMPLE_HEAD)
    for column in ("p", "order of the difference", "augmented", "clean", "verdict"):
        table.add_column(column, justify="left" if column in ("p", "verdict") else "right")
    for result in results:
        cells = [(r.value, *r.interval) for r in (result.order, result.augmented, result.clean)]
        verdict = "agrees" if result.agrees else "CONTRADICTS"
        name = "∞" if result.p == "inf" else result.p
        table.add_row(name, *(with_error(*cell) for cell in cells), verdict)
    console.print(table)
    console.print(
        "order: of ε in the mean |augmented − penalized loss| of random GELU networks, by "
        "Proposition 3 2.\naugmented, clean: mean ‖∂L‖_q on held-out digits after training with "
        f"that loss at ε = {config.train_eps:g}, over that after penalized training; 1 if both "
        "losses do the same.",
        style="dim",
        highlight=False,
    )


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    config, output = command_line.parse(
        (Config, Output), "python -m sim.penalty", __doc__ or "", args
    )
    with command_line.one_sentence():
        check(config)
        files.check_writable(output.json)
    from sim.running import compilation

    compilation.keep()
    with command_line.progress("training networks", 1 + len(config.attack_norms)) as advance:
        results = run(config, advance)
    show(config, results, to_stderr=output.json == "-")
    if output.json is not None:
        files.write_text(output.json, to_json(config, results))
    return 1 if output.check and not all(result.agrees for result in results) else 0
