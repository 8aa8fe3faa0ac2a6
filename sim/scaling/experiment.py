"""A scaling run: samples of norms of input gradients, and their predictions."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from sim.models import loading
from sim.networks import gradients
from sim.plan.configuration import restored
from sim.plan.plan import Plan
from sim.predictions import prediction
from sim.running import background
from sim.sampling import diagnosis, engine, hosts, norms
from sim.sampling.draws import Draws
from sim.scaling.configuration import Config, planned
from sim.scaling.dataset import labelled, predictions, unsampled
from sim.statistics.estimates import exponent, seeds_needed
from sim.storage import attributes, layout, store
from theory.network import Network

Advance = Callable[..., None]
"""Called with samples finished, and with a second number where more are added."""


def run(
    config: Config | Plan[Config],
    advance: Advance = lambda done, more=0: None,
    out: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
    devices: int | None = None,
) -> xr.Dataset:
    """Sample the norms and predict them.

    If this is one of several processes of JAX's distributed runtime
    (`jax.distributed.initialize`), all of them must make the same call; each computes its share of
    the seeds, and the whole dataset is returned in all.

    Args:
        config: what to sample, or its plan.
        advance: called with the number of seeds finished at one size, and with a second number when
            so many are added.
        out: keep samples in this folder as they are finished; those that are there already are not
            computed again (`sim.storage.store`).
        tell: called with a sentence for each damaged chunk found there.
        devices: the first so many of this process compute (`sim.sampling.hosts.local_devices`).

    Returns:
        A dataset with `norm` by (seed, width, size, quantity, q), the law's `predicted` norm by
        (width, size, quantity, q), its `predicted_slope` over these sizes, `limit` and `basis`, the
        standard errors `predicted_error` and `predicted_slope_error`
        (`sim.predictions.prediction.table`), and what `hypothesis-H` alone predicts where the law
        rests on more; NaN where there is no number. `d` is a coordinate along size. The attribute
        `config` holds the configuration as JSON, `sampler` the one that ran; with `until`, `pilot`
        is the number of seeds of the first stage, and `degenerate` a sentence on why all samples at
        a size are zero or not finite, where it is seen.

    Raises:
        ValueError: with one sentence, for a configuration that makes no sense; a
            `sim.storage.refusals.RunError` if the folder cannot be used.
    """
    plan = config if isinstance(config, Plan) else planned(config, out)
    if out is None:
        # SymPy keeps one core busy and sampling not all of the others; predictions that are sampled
        # would have to share them
        nets = plan.networks.values()
        late = any(prediction.is_sampled(network, plan.config.input) for network in nets)
        laws = None if late else background.started(partial(predictions, plan))
        sampled = _sample(plan, advance, None, devices)
        predicted = laws() if laws else predictions(plan, advance, sampled.shape[2])
        return _diagnosed(plan, labelled(plan, sampled, predicted))
    plan = planned(plan.explicit, out)
    where = store.Where(jax.default_backend(), jax.process_count(), jax.device_count())
    with ExitStack() as stack:
        first = partial(
            store.opened, out, asdict(plan.config), partial(unsampled, advance=advance), where,
            tell, computations=_computations(plan),
        )  # fmt: skip
        kept = hosts.led(
            lambda: stack.enter_context(first()), lambda: stack.enter_context(store.shared(out))
        )
        sampled = _sample(plan, advance, kept, devices)
        predicted = _kept(plan, kept)
        if predicted is None:
            predicted = predictions(plan, advance)
        samples = labelled(plan, sampled, predicted).assign_attrs(kept.looks)
        return _diagnosed(plan, samples)


def draws(plan: Plan[Config]) -> Draws:
    """What is drawn for every seed."""
    config = plan.config
    return Draws(
        quantities=config.quantity,
        norms=tuple(float(q) for q in config.norms),
        input=config.input,
        inputs_per_seed=config.inputs_per_seed,
        labels_per_seed=config.labels_per_seed,
        seed=config.seed,
        integrate_first=config.integrate_first,
        lazy=plan.sampler == "lazy",
    )


def sessions(out: str | None, started: str) -> list[dict[str, Any]]:
    """The provenance of a run that has just ended; of all its sessions if it is kept in `out`."""
    where = store.Where(jax.default_backend(), jax.process_count(), jax.device_count())
    return store.sessions(out, where, started)


def share(plan: Plan[Config], is_kept: bool) -> range:
    """The seeds that this process computes; whole chunks of files if they are kept."""
    return hosts.share(plan.config.seeds, layout.BLOCK if is_kept else 1)


def _sample(
    plan: Plan[Config], advance: Advance, kept: store.Run | None, devices: int | None
) -> np.ndarray:
    """Norms by (width, size, seed, quantity, q); only what is not kept is computed.

    Every process computes its share of the seeds, and returns all of them.
    """
    config, sizes = plan.config, plan.sizes
    mine = share(plan, kept is not None)
    # with a store, chunks have the same length however many seeds one process has left to do
    together = len(mine) if kept is None else 2**31
    where = hosts.local_devices(devices)
    with jax.enable_x64(config.dtype == "float64"):
        samplers, stages = [], []
        for width, network in plan.networks.items():
            sampler = partial(_sampler, network, plan, together, where)
            draw = sampler(sizes) if kept is None else kept.completing(width, sizes, sampler)
            stages.append(_stacked(draw(mine, advance)))
            samplers.append(draw)
        if kept is not None and jax.process_count() > 1:
            hosts.meet()
            everything = range(config.seeds)
            return np.array([_stacked(draw(everything, lambda done: None)) for draw in samplers])
        sampled = hosts.collected(np.array(stages), config.seeds, axis=2)
        more = _needed(sampled, plan) - config.seeds
        if more:
            added = [config.seeds + seed for seed in hosts.share(more)]
            advance(0, len(samplers) * len(sizes) * len(added))
            rest = np.array([_stacked(draw(added, advance)) for draw in samplers])
            sampled = np.concatenate([sampled, hosts.collected(rest, more, axis=2)], axis=2)
    return sampled


def _sampler(
    network: Network,
    plan: Plan[Config],
    seeds: int,
    devices: Sequence[Any] | None,
    sizes: Sequence[int],
) -> Callable[..., list[dict[str, np.ndarray]]]:
    """Samples of norms by their name in the dataset, at every size."""
    measure = norms.measure(network, draws(plan))
    return engine.sampler(
        network, sizes, draws(plan), lambda side: measure, seeds, _batch(plan), devices,
        lambda found: {"norm": gradients.numbers(found)}, measured=norms.MEASURED,
    )  # fmt: skip


def _stacked(samples: list[dict[str, np.ndarray]]) -> np.ndarray:
    return np.stack([at["norm"] for at in samples])


def _batch(plan: Plan[Config]) -> int | None:
    """Seeds side by side; one on a processor for a user's model, which may have convolutions."""
    own_on_processor = plan.is_own and jax.default_backend() == "cpu"
    return plan.config.batch or (1 if own_on_processor else None)


def _needed(sampled: np.ndarray, plan: Plan[Config]) -> int:
    """How many seeds the pilot's norms (width, size, seed, quantity, q) ask for, up to the cap.

    As many as there are without `until`.
    """
    config = plan.config
    if config.until is None:
        return config.seeds
    ds = np.array(plan.dimensions, float)
    needed = [config.seeds]
    for rows in sampled.transpose(0, 3, 4, 2, 1).reshape(-1, config.seeds, len(ds)):
        finite = rows[np.all(np.isfinite(rows), axis=1)]
        needed.append(seeds_needed(exponent(finite, ds), config.until))
    return min(max(needed), config.max_seeds)


def _computations(plan: Plan[Config]) -> dict[str, str]:
    """Digests of what a user's own code computes; none for networks of the project."""
    if not plan.is_own:
        return plan.descriptions
    (network,) = plan.networks.values()
    (own,) = network.body.layers
    assert isinstance(own, loading.Own)
    return {str(side): loading.digest(own, network.input_shape(side)) for side in plan.sizes}


def _kept(plan: Plan[Config], run: store.Run) -> xr.Dataset | None:
    """The sampled predictions that a stored run has for these networks, sizes and seeds, if any."""
    there: Any = layout.open_zarr(run.folder)
    stored = restored(Config, attributes.configuration(there.attrs))
    sizes, widths = list(plan.sizes), list(plan.widths)
    same = set(stored.sizes or ()) == set(sizes) and stored.seeds == plan.config.seeds
    if "independent" not in there or not same or not set(widths) <= set(stored.widths or ()):
        return None
    names = [name for name in there if name not in (*layout.sampled(there), "finished")]
    found = there[names].sel(width=widths, size=sizes).drop_vars("d").load()
    found.attrs = {k: v for k, v in there.attrs.items() if k in ("unpredicted", "rests")}
    return found


def _diagnosed(plan: Plan[Config], samples: xr.Dataset) -> xr.Dataset:
    """The samples; if all at a size are zero or not finite, and why can be seen, an attribute
    `degenerate` says it of the first such size.
    """
    for width, network in plan.networks.items():
        for side in plan.sizes:
            values = samples["norm"].sel(width=width, size=side).values
            is_zero = np.all((values == 0) & ~np.signbit(values), axis=(0, 2))
            if not np.any(is_zero | np.all(~np.isfinite(values), axis=(0, 2))):
                continue
            with jax.enable_x64(plan.config.dtype == "float64"):
                reason = diagnosis.why_degenerate(network, side, draws(plan))
            if reason is not None:
                return samples.assign_attrs(degenerate=f"at side {side}, {reason}.")
    return samples
