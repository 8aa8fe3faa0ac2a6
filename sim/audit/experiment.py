"""An audit, run: the ladder at every size, with labels."""

from collections.abc import Callable

import jax
import numpy as np
import xarray as xr

from sim.audit import dataset, moments
from sim.audit.configuration import Config, planned
from sim.independence import ladder
from sim.plan.plan import Plan
from sim.sampling.draws import Draws
from sim.statistics.verdicts import unmeasured
from theory.own import words


def run(
    config: Config | Plan[Config], advance: Callable[[int], None] = lambda done: None
) -> xr.Dataset:
    """Measures the networks.

    Args:
        config: What to audit, or its plan.
        advance: Called with the number of networks that were finished since the last call.

    Returns:
        A dataset with, by (size, rung, seed), the `norm` ‖∂‖₁ and the `energy` ‖∂‖₂² of the
        networks of the ladder, means over the inputs of a seed, and by (size) the `law` for E‖∂‖₁,
        NaN where theory has none. A rung differs from the one before it in the place `step`; the
        rung `independence` (an attribute) is gradient independence, those before it have coins for
        masks, and the last one is the network as it is. By (size, place, seed) there are the
        energies of the gradient that `left` a place's output and that `arrived` in front of it, and
        the share of `active` units of a mask (NaN for weights), of the network as it is; with
        `independent_` before the name, under gradient independence. The rest are the fields of
        `sim.audit.moments.Moments`; maps are by (size, seed, y, x), NaN beyond their side. Places
        have coordinates `name`, `kind` ("weights" or "mask") and `where`.

    Raises:
        ValueError: With one sentence, for a configuration that makes no sense, for networks whose
            places differ between sizes, and for gradients that are not finite
            or carry no verdict.
    """
    plan = config if isinstance(config, Plan) else planned(config)
    config = plan.config
    (network,) = plan.networks.values()
    draws = Draws(
        quantities=(config.quantity,),
        norms=(1.0,),
        input=config.input,
        inputs_per_seed=config.inputs_per_seed,
        seed=config.seed,
        lazy=False,
    )
    with jax.enable_x64(config.dtype == "float64"):
        try:
            ladders = [ladder.ladder(network, x, config.inputs_per_seed) for x in plan.sizes]
        except Exception as error:
            raise ValueError(f"{config.arch} cannot be audited: {words(error)}.") from error
        shapes = [[(x.kind, x.scope, x.source) for x in one.places] for one in ladders]
        if any(one != shapes[0] for one in shapes):
            raise ValueError("the layers are not the same at all sizes, so no gap can be told.")
        found = [
            ladder.samples(x, draws, config.seeds, moments.measured, advance, "ladder and moments")
            for x in ladders
        ]
    if not all(np.isfinite(told.norms).all() for told, _ in found):
        raise ValueError("some norms lie beyond the range of floats, so they have no ratios.")
    energies = np.stack([np.asarray(told.norms)[:, -1, 1] for told, _ in found], axis=1)
    nothing = unmeasured(energies, dtype=config.dtype)
    if nothing is not None:
        raise ValueError(f"no measurement: {nothing}.")
    return dataset.labelled(plan, ladders, found)
