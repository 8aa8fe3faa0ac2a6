"""The study of training that several figures draw."""

import xarray as xr

from figures.runs import Runs
from sim.storage.refusals import RunError
from sim.training.marks import config_of


def read(runs: Runs) -> xr.Dataset:
    """The study in the folder `runs.study`.

    Raises RunError if there is none, or if it has no attacks that projected ascent knows.
    """
    from sim.training import stored

    samples = stored(str(runs.study))
    if not {"1", "2", "inf"} & set(samples["p"].values.tolist()):
        raise RunError(f"{runs.study} was not attacked in ℓ_1, ℓ_2 or ℓ_∞, which figures show.")
    runs.used["training"] = config_of(samples)
    return samples
