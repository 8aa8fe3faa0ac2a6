"""The √d experiment: how the input gradient of a random network grows with its input dimension.

`python -m sim.scaling --arch resnet` samples randomly initialized networks at several widths and
image sides, fits the exponent of E‖∂_x L‖_q in d = channels · side², and compares it with the law.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from sim.plan import configuration
from sim.plan.configuration import Keep, ModelExperiment, complete, dimensions, networks, sizes_of
from sim.running import background

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from sim.sampling.engine import Draws
    from sim.storage.store import Run


@dataclass(frozen=True)
class Config(ModelExperiment):
    """What to sample."""

    seeds: int = 128
    """Number of random networks for each width and size; with --until, of the first stage."""
    until: float | None = None
    """Sample so many networks that the 95 % interval of every exponent has at most this half-width.
    The spread of the first --seeds networks fixes their number (Stein's two-stage procedure)."""
    max_seeds: int = 100_000
    """With --until: no more networks than this for each width and size."""
    norms: tuple[str, ...] = ("1", "2", "inf")
    """Orders q of the norms, from 1 to inf."""
    quantity: tuple[Literal["loss", "logit"], ...] = ("loss",)
    """Whose gradient: the cross-entropy loss, one logit, or both."""
    labels_per_seed: int = 1
    """Labels of the loss, or logits, over which the results of one network are averaged."""
    integrate_first: bool = False
    """Sample the expectations of the norms over the first matrix: the same means and far shorter
    intervals, for --norms 1 2 of networks that begin with a Gaussian dense layer."""
    sampler: Literal["auto", "lazy", "dense"] = "auto"
    """lazy: Gaussian matrices of dense layers are never formed, which is exact in law and much
    faster. dense: all matrices are formed. auto: lazy where there are such layers."""
    batch: int | None = None
    """Seeds computed side by side; chosen to fit the memory unless given. It changes no sample
    beyond rounding."""


MOST_CLASSES = 21_201
"""Dimensions of the Sobol sequences from which the loss is predicted."""


def run(
    config: Config,
    advance: Callable[..., None] = lambda done, more=0: None,
    out: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
    devices: int | None = None,
) -> xr.Dataset:
    """Sample the norms and predict them.

    Returns a dataset with `norm` by (seed, width, size, quantity, q), the law's `predicted` norm by
    (width, size, quantity, q), its `predicted_slope` over these sizes, `limit` and `basis`, the
    standard errors `predicted_error` and `predicted_slope_error` (`sim.predictions.table`), and
    what `hypothesis-H` alone predicts where the law rests on more; NaN where there is no number.
    `d` is a coordinate along size; the attribute `config` holds the configuration as JSON,
    `sampler` the one that ran, with `until`, `pilot` the number of seeds of the first stage, and
    `degenerate` a sentence on why all samples at a size are zero or not finite, where it is seen.
    `advance` is called with the number of seeds finished at one size, and with a second number
    when the second stage adds so many. With `out`, samples are kept in that folder as they are
    finished, and those that are there already are not computed again (`sim.storage.store`); `tell`
    is called with a sentence for each damaged chunk found there.

    The first `devices` of this process compute (`sim.sampling.hosts.local_devices`). If it is one
    of several processes of JAX's distributed runtime (`jax.distributed.initialize`), all of them
    must make the same call; each computes its share of the seeds, and the whole dataset is returned
    in all.

    Raises ValueError, with one sentence, for a configuration that makes no sense, and
    `sim.storage.store.RunError`, a ValueError too, if the folder cannot be used.
    """
    config = complete(config)
    check(config, out)
    if out is None:
        # SymPy keeps one core busy and sampling not all of the others; predictions that are sampled
        # would have to share them
        late = any(_are_sampled(config))
        work = partial(predictions, config, advance)
        predicted = work if late else background.started(work)
        norms = _sample(config, advance, None, devices)
        return _diagnosed(config, labelled(config, norms, predicted()))
    import jax

    from sim.sampling import hosts
    from sim.storage import store

    config = replace(config, widths=tuple(networks(config)), sizes=sizes_of(config))
    where = store.Where(jax.default_backend(), jax.process_count(), jax.device_count())
    with ExitStack() as stack:
        first = partial(
            store.opened, out, asdict(config), partial(unsampled, advance=advance), where, tell,
            computations=computations(config),
        )  # fmt: skip
        kept = hosts.led(
            lambda: stack.enter_context(first()), lambda: stack.enter_context(store.shared(out))
        )
        norms = _sample(config, advance, kept, devices)
        predicted = _kept(config, kept)
        if predicted is None:
            predicted = predictions(config, advance)
        return _diagnosed(config, labelled(config, norms, predicted))


def _kept(config: Config, run: Run) -> xr.Dataset | None:
    """The sampled predictions that a stored run has for these networks, sizes and seeds, if any."""
    from sim.storage import layout

    there = layout.open_zarr(run.folder)
    stored = configuration.restored(Config, json.loads(there.attrs["config"]))
    sizes, widths = list(sizes_of(config)), list(networks(config))
    same = set(stored.sizes or ()) == set(sizes) and stored.seeds == config.seeds
    if "independent" not in there or not same or not set(widths) <= set(stored.widths or ()):
        return None
    names = [name for name in there if name not in (*layout.sampled(there), "finished")]
    found = there[names].sel(width=widths, size=sizes).drop_vars("d").load()
    found.attrs = {k: v for k, v in there.attrs.items() if k in ("unpredicted", "rests")}
    return found


def _sample(
    config: Config, advance: Callable[..., None], kept: Run | None, devices: int | None
) -> np.ndarray:
    """Norms by (width, size, seed, quantity, q); only what is not kept is computed.

    Every process computes its share of the seeds, and returns all of them.
    """
    import jax
    import numpy as np

    from sim.sampling import engine, hosts

    sizes, draws = sizes_of(config), _draws(config)
    # with a store, chunks have the same length however many seeds one process has left to do
    together = len(share(config, kept is not None)) if kept is None else 2**31
    where = hosts.local_devices(devices)
    with jax.enable_x64(config.dtype == "float64"):
        samplers, stages = [], []
        for width, net in networks(config).items():
            sampler = partial(
                engine.sampler, net, draws=draws, seeds=together, batch=_batch(config),
                devices=where,
            )  # fmt: skip
            draw = sampler(sizes) if kept is None else kept.completing(width, sizes, sampler)
            stages.append(draw(share(config, kept is not None), advance))
            samplers.append(draw)
        if kept is not None and jax.process_count() > 1:
            hosts.meet()
            return np.array([draw(range(config.seeds), lambda done: None) for draw in samplers])
        norms = hosts.collected(np.array(stages), config.seeds, axis=2)
        more = _needed(norms, config) - config.seeds
        if more:
            mine = [config.seeds + seed for seed in hosts.share(more)]
            advance(0, len(samplers) * len(sizes) * len(mine))
            rest = np.array([draw(mine, advance) for draw in samplers])
            norms = np.concatenate([norms, hosts.collected(rest, more, axis=2)], axis=2)
    return norms


def _draws(config: Config) -> Draws:
    from sim.sampling import engine

    return engine.Draws(
        quantities=config.quantity,
        norms=tuple(float(q) for q in config.norms),
        input=config.input,
        inputs_per_seed=config.inputs_per_seed,
        labels_per_seed=config.labels_per_seed,
        seed=config.seed,
        integrate_first=config.integrate_first,
        lazy=sampler_of(config) == "lazy",
    )


def _diagnosed(config: Config, samples: xr.Dataset) -> xr.Dataset:
    """The samples; if all at a size are zero or not finite, and why can be seen, an attribute
    `degenerate` says it of the first such size.
    """
    import jax
    import numpy as np

    for width, net in networks(config).items():
        for side in sizes_of(config):
            norms = samples["norm"].sel(width=width, size=side).values
            is_zero = np.all((norms == 0) & ~np.signbit(norms), axis=(0, 2))
            if not np.any(is_zero | np.all(~np.isfinite(norms), axis=(0, 2))):
                continue
            from sim.models import diagnosis

            with jax.enable_x64(config.dtype == "float64"):
                reason = diagnosis.why_degenerate(net, side, _draws(config))
            if reason is not None:
                return samples.assign_attrs(degenerate=f"at side {side}, {reason}.")
    return samples


def share(config: Config, is_kept: bool) -> range:
    """The seeds that this process computes; whole chunks of files if they are kept."""
    from sim.sampling import hosts
    from sim.storage import layout

    return hosts.share(config.seeds, layout.BLOCK if is_kept else 1)


def _batch(config: Config) -> int | None:
    """Seeds side by side; one on a processor for a user's model, which may have convolutions."""
    import jax

    own_on_processor = config.model is not None and jax.default_backend() == "cpu"
    return config.batch or (1 if own_on_processor else None)


def labelled(config: Config, norms: np.ndarray, predicted: xr.Dataset) -> xr.Dataset:
    """Norms by (width, size, seed, quantity, q) with their labels, and what `predictions` gives."""
    import numpy as np
    import xarray as xr

    dims = ("width", "size", "seed", "quantity", "q")
    about = {"long_name": "ℓ_q norm of the input gradient", "units": "1"}
    samples = xr.Dataset(
        {"norm": (dims, norms, about)},
        coords={
            "width": ("width", list(networks(config)), {"long_name": "units or channels"}),
            "size": (
                "size",
                list(sizes_of(config)),
                {"long_name": "side of the image", "units": "pixels"},
            ),
            "d": ("size", dimensions(config), {"long_name": "input dimension"}),
            "seed": ("seed", np.arange(norms.shape[2]), {"long_name": "random network"}),
            "quantity": ("quantity", list(config.quantity), {"long_name": "whose gradient"}),
            "q": ("q", list(config.norms), {"long_name": "order of the norm"}),
        },
        attrs={
            "arch": config.arch,
            "config": json.dumps(asdict(config)),
            "sampler": sampler_of(config),
            **({} if config.until is None else {"pilot": config.seeds}),
        },
    ).transpose("seed", "width", "size", "quantity", "q")
    samples.attrs |= predicted.attrs
    return samples.merge(predicted, combine_attrs="override")


def _needed(norms: np.ndarray, config: Config) -> int:
    """How many seeds the pilot's norms (width, size, seed, quantity, q) ask for, up to the cap.

    As many as there are without `until`.
    """
    if config.until is None:
        return config.seeds
    import numpy as np

    from sim.statistics.estimates import exponent, seeds_needed

    ds = np.array(dimensions(config), float)
    needed = [config.seeds]
    for rows in norms.transpose(0, 3, 4, 2, 1).reshape(-1, config.seeds, len(ds)):
        finite = rows[np.all(np.isfinite(rows), axis=1)]
        needed.append(seeds_needed(exponent(finite, ds), config.until))
    return min(max(needed), config.max_seeds)


def sampler_of(config: Config) -> str:
    """How dense layers are sampled: "lazy" if a matrix stays unformed, else "dense"."""
    from theory.initializers import is_gaussian
    from theory.network import Dense, walk

    can_be_lazy = any(
        isinstance(layer, Dense) and is_gaussian(layer.init)
        for net in networks(config).values()
        for layer in walk(net.body)
    )
    return "lazy" if can_be_lazy and config.sampler != "dense" else "dense"


def unsampled(
    stored: dict[str, Any], advance: Callable[..., None] = lambda done, more=0: None
) -> xr.Dataset:
    """The dataset of a run of which no sample has been computed, all norms NaN.

    `stored` is its configuration as it was read from JSON; `advance` hears of what is sampled for
    predictions.
    """
    import numpy as np

    config = configuration.restored(Config, stored)
    shape = (len(networks(config)), len(sizes_of(config)), config.seeds)
    shape += (len(config.quantity), len(config.norms))
    return labelled(config, np.full(shape, np.nan), predictions(config, advance))


def _are_sampled(config: Config) -> Iterator[bool]:
    from sim.predictions import prediction

    for network in networks(config).values():
        yield prediction.is_sampled(network, config.input)


def predictions(
    config: Config, advance: Callable[..., None] = lambda done, more=0: None
) -> xr.Dataset:
    """What is predicted for every network, size, quantity and q (`sim.predictions.table`)."""
    from sim.predictions import prediction

    asked = (sizes_of(config), config.quantity, config.norms)
    beside = prediction.Beside.of(config)
    return prediction.table(networks(config), *asked, True, beside, advance)


def computations(config: Config) -> dict[str, str]:
    """Digests by size of what a user's own model computes; none for architectures."""
    if config.model is None:
        return {}
    from sim.models import loading

    (network,) = networks(config).values()
    (own,) = network.body.layers
    assert isinstance(own, loading.Own)
    sizes = sizes_of(config)
    return {str(side): loading.digest(own, network.input_shape(side)) for side in sizes}


def check(config: Config, out: str | None = None) -> None:
    """Raises ValueError, with one sentence, if it cannot be run, or not be kept in `out`."""
    from sim.running import memory
    from theory.laws.law import norm_order

    config = complete(config)
    configuration.check(config, "norms", "quantity")
    if config.classes > MOST_CLASSES and "loss" in config.quantity:
        raise ValueError(
            f"the loss is predicted for at most {MOST_CLASSES} classes, not {config.classes}; "
            "--quantity logit has no limit."
        )
    if config.until is not None and out is not None:
        raise ValueError(
            "--out keeps a number of seeds known beforehand: give --seeds, no --until."
        )
    if out is not None:
        from sim.storage import layout

        layout.at(out)
    if config.until is not None and not 0 < config.until < math.inf:
        raise ValueError(f"--until must be a positive number, not {config.until:g}.")
    if config.until is not None and config.max_seeds < config.seeds:
        raise ValueError(
            f"--max-seeds must be at least --seeds, {config.seeds}, not {config.max_seeds}."
        )
    if config.sampler == "lazy" and sampler_of(config) == "dense":
        raise ValueError(
            f"--sampler lazy needs dense layers with Gaussian weights, and {config.arch} with "
            f"--init {config.init} has none."
        )
    if not 1 <= config.labels_per_seed <= config.classes:
        raise ValueError(
            f"--labels-per-seed must lie between 1 and --classes, {config.classes}, not "
            f"{config.labels_per_seed}."
        )
    if config.integrate_first:
        from sim.networks import conditional

        if sampler_of(config) == "dense":
            raise ValueError("--integrate-first needs a first matrix that is not formed.")
        for net in networks(config).values():
            conditional.check(net, min(dimensions(config)), [float(q) for q in config.norms])
    if config.batch is not None and config.batch < 1:
        raise ValueError(f"--batch must be at least 1, not {config.batch}.")
    for q in config.norms:
        norm_order(q)
    nets, sizes = networks(config), sizes_of(config)
    norms = len(nets) * len(sizes) * config.seeds * len(config.quantity) * len(config.norms)
    memory.refuse(f"{config.seeds} seeds need", 8 * norms)
    lazy = sampler_of(config) == "lazy"
    points = config.inputs_per_seed * config.labels_per_seed
    configuration.check_memory(config, lazy, points, config.batch or 1)


def main(args: list[str] | None = None) -> int:
    """The command line; returns the exit status (0 fine, 1 contradiction, 2 bad usage)."""
    from sim.running import command_line
    from sim.sampling import hosts

    kinds = (Config, Keep, hosts.Spread, command_line.ScalingOutput, command_line.Debug)
    parsed = command_line.parse(kinds, "python -m sim.scaling", __doc__ or "", args)
    config, keep, spread, output, debug = parsed
    with command_line.one_sentence():
        spread.refuse()
        config = complete(config)
        # to look at a user's model starts jax, which must be told its devices and processes before
        if config.model is None:
            check(config, keep.out)
        output.refuse()
    from sim.running import compilation
    from sim.scaling import report
    from sim.storage import provenance, store

    started = provenance.now()
    compilation.keep()
    joined = hosts.joined(spread, repr((config, keep)), keep.out)
    with command_line.one_sentence(), joined as reports, command_line.debugging(debug.debug):
        if config.model is not None:
            check(config, keep.out)
        stoppable = command_line.stoppable(keep.out)
        with (
            command_line.one_sentence(store.RunError),
            stoppable,
            _progress(config, keep, reports) as done,
        ):
            samples = run(config, done, keep.out, command_line.tell, spread.devices)
    if reports and "unpredicted" in samples.attrs:
        command_line.tell(f"no prediction: {samples.attrs['unpredicted']}")
    sessions = partial(_sessions, keep.out, started)
    return report.deliver(samples, output, sessions) if reports else 0


def _sessions(out: str | None, started: str) -> list[dict[str, Any]]:
    """The provenance of a run that has just ended; of all its sessions if it is kept."""
    import jax

    from sim.storage import layout, provenance

    if out is not None:
        return layout.described(layout.at(out))["sessions"]
    now = provenance.session(jax.default_backend(), jax.process_count(), jax.device_count())
    return [now | {"started": started, "ended": provenance.now()}]


@contextmanager
def _progress(config: Config, keep: Keep, shown: bool) -> Iterator[Callable[..., None]]:
    from sim.running import command_line

    if not shown:
        yield lambda done, more=0: None
        return
    seeds = len(share(config, keep.out is not None))
    total = len(networks(config)) * len(sizes_of(config)) * seeds
    with command_line.progress(f"{config.arch}: sampling networks", total) as advance:
        yield advance
